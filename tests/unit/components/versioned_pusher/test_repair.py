"""Each way out of a damaged served directory is one: what is named is done, and it helps."""

import itertools

import pytest

from components.versioned_pusher.publish import publish, rollback
from components.versioned_pusher.repair import repair_of
from components.versioned_pusher.version_folders import (
  is_whole,
  list_versions,
  version_record,
)


@pytest.fixture
def served(tmp_path):
  """Returns a function that makes a served directory of models and rollbacks, some damaged.

  Of `history`, a text is pushed and a number is rolled back to. The last text pushed can be pushed
  again, as a run does, with `push`.
  """
  numbers = itertools.count()

  def make(history, damaged):
    base = tmp_path / f"served{next(numbers)}"
    for each in history:
      if isinstance(each, int):
        rollback(base, each)
        continue
      model = tmp_path / each
      model.mkdir(exist_ok=True)
      (model / "saved_model.pb").write_text(each)
      publish(model, base)
    for version in damaged:
      (base / str(version) / "saved_model.pb").write_text("")
    last = [each for each in history if isinstance(each, str)][-1]
    return base, lambda: publish(tmp_path / last, base)

  return make


_HISTORIES = (["one"], ["one", "two"], ["one", "two", "three"], ["one", "two", 1])
_HISTORIES += (["one", "two", 1, 2], ["one", "two", 1, "three", 2])
_CASES = [
  (history, (*older, len(history)))
  for history in _HISTORIES
  for count in range(len(history))
  for older in itertools.combinations(range(1, len(history)), count)
]


@pytest.mark.parametrize(("history", "damaged"), _CASES, ids=str)
def test_what_is_named_serves_a_whole_version(served, history, damaged):
  base, push = served(history, damaged)
  found = repair_of(base)
  assert found.by_run or found.rollback_to is not None
  if found.rollback_to is not None:
    assert is_whole(base, rollback(base, found.rollback_to))
  base, push = served(history, damaged)
  push()
  assert is_whole(base, max(list_versions(base))) is found.by_run


def test_a_rollback_is_repeated_and_not_overridden(served):
  base, push = served(["one", "two", 1], damaged=[3])
  found = repair_of(base)
  assert (found.by_run, found.rollback_to) == (False, 1)
  assert found.commands("images", " --workspace /ws") == [
    "dlpipe rollback images --to 1 --workspace /ws"
  ]
  assert version_record(base, rollback(base, 1))["first_version"] == 1
  assert push() == 2
  assert max(list_versions(base)) == 4


def test_a_pushed_version_is_published_again_before_one_goes_back(served):
  base, _ = served(["one", "two"], damaged=[2])
  assert repair_of(base).commands("images", "") == [
    "dlpipe run images",
    "dlpipe rollback images --to 1",
  ]


def test_what_somebody_else_put_there_is_rolled_back_from(served):
  base, push = served(["one"], damaged=[])
  (base / "2").mkdir()
  assert repair_of(base).commands("images", "") == ["dlpipe rollback images --to 1"]
  assert push() == 1
  assert rollback(base, 1) == 3


def test_one_goes_back_to_the_newest_of_the_whole_versions(served):
  base, _ = served(["one", "two", "three", "four"], damaged=[3, 4])
  assert repair_of(base).rollback_to == 2
