"""What a served directory says of its versions."""

import pytest

from components.versioned_pusher.publish import publish, rollback
from pipeline.runs import served


@pytest.fixture
def serving_dir(tmp_path):
  """Versions 1 and 2 as pushed, and 3, which is 1 again."""
  for number in (1, 2):
    model = tmp_path / f"model{number}"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text(f"graph {number}")
    (model / "variables" / "variables.index").write_text(f"weights {number}")
    publish(model, tmp_path / "serving")
  rollback(tmp_path / "serving")
  return tmp_path / "serving"


def test_the_newest_is_first_and_says_how_it_came_there(serving_dir):
  third, second, first = served.versions(serving_dir)
  assert (third.version, third.how, third.rollback_of, third.first_version) == (
    3,
    served.ROLLED_BACK,
    1,
    1,
  )
  assert (second.version, second.how, second.rollback_of) == (2, served.PUSHED, None)
  assert first.since is not None
  assert first.since <= second.since <= third.since
  assert {version.files for version in (first, second, third)} == {served.WHOLE}


def test_files_are_held_against_what_was_published(serving_dir):
  (serving_dir / "2" / "variables" / "variables.index").write_text("other weights")
  (serving_dir / "3" / "saved_model.pb").unlink()
  (serving_dir / "7").mkdir()
  (serving_dir / "7" / "saved_model.pb").write_text("from elsewhere")
  found = {version.version: version for version in served.versions(serving_dir)}
  assert {number: version.files for number, version in found.items()} == {
    7: served.UNKNOWN,
    3: served.DAMAGED,
    2: served.CHANGED,
    1: served.WHOLE,
  }
  assert (found[7].how, found[7].since, found[7].first_version) == (served.UNKNOWN, None, 7)


def test_where_nothing_was_pushed_there_is_none(tmp_path):
  assert served.versions(tmp_path / "absent") == []
