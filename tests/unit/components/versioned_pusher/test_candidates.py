"""Candidates and canaries: what is live is the largest number, whatever happens beside it."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from components.versioned_pusher import candidates, removal, version_folders
from components.versioned_pusher.publish import publish, rollback
from components.versioned_pusher.version_folders import (
  is_whole,
  list_versions,
  version_record,
)
from dlpipe.errors import BadInputError, DlpipeError

_ROOT = pathlib.Path(__file__).resolve().parents[4]


@pytest.fixture
def base(tmp_path):
  return tmp_path / "serving"


@pytest.fixture
def model(tmp_path):
  """Returns a function that makes a SavedModel of a name."""

  def make(name):
    path = tmp_path / "artifacts" / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "saved_model.pb").write_text(name)
    return path

  return make


def _content(base, number):
  return (base / str(number) / "saved_model.pb").read_text()


def test_no_server_sees_a_candidate(base, model):
  assert publish(model("a"), base) == 1
  assert candidates.hold(model("b"), base) == 2
  assert candidates.hold(model("b"), base) == 2, "a retry makes no second one"
  assert candidates.hold(model("c"), base) == 3
  assert (list_versions(base), candidates.list_candidates(base)) == ([1], [2, 3])
  assert is_whole(base / candidates.CANDIDATES, 2)
  assert publish(model("d"), base) == 4, "numbers are given once"


def test_a_candidate_keeps_its_number_where_it_can(base, model):
  publish(model("a"), base)
  candidates.hold(model("b"), base, source=str(model("b")))
  assert candidates.promote(base) == 2
  assert (list_versions(base), candidates.list_candidates(base)) == ([1, 2], [])
  assert is_whole(base, 2)
  assert candidates.hold(model("b"), base) == 2, "it was promoted since"
  assert rollback(base) == 3
  assert _content(base, 3) == "a"


def test_a_candidate_that_was_overtaken_gets_the_next_number(base, model):
  candidates.hold(model("b"), base)
  publish(model("c"), base)
  assert candidates.promote(base, 1) == 3
  assert _content(base, 3) == "b"
  record = version_record(base, 3)
  assert (record["first_version"], record["promoted_from"]) == (1, 1)
  assert candidates.list_candidates(base) == []


def test_a_canary_stands_below_what_is_live(base, model):
  publish(model("a"), base)
  candidates.hold(model("b"), base)
  assert candidates.show_canary(base) == (2, 3)
  assert [_content(base, number) for number in list_versions(base)] == ["a", "b", "a"]
  assert candidates.show_canary(base, 2) == (2, 3), "it is there already"
  assert version_record(base, 3)["first_version"] == 1
  assert candidates.promote(base, 2) == 4
  assert _content(base, 4) == "b"
  assert rollback(base) == 5
  assert _content(base, 5) == "a"


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (lambda base: candidates.promote(base), "There is no candidate in .* Versions: 1; candid"),
    (lambda base: candidates.promote(base, 1), "Version 1 is live already"),
    (lambda base: candidates.promote(base, 7), "There is no version 7"),
    (lambda base: candidates.show_canary(base, 1), "Version 1 is live; a canary stands beside"),
  ],
)
def test_what_cannot_be_promoted_is_refused(base, model, call, message):
  publish(model("a"), base)
  with pytest.raises(BadInputError, match=message):
    call(base)
  assert list_versions(base) == [1]


def test_a_damaged_candidate_is_refused_and_held_again(base, model):
  publish(model("a"), base)
  candidates.hold(model("b"), base)
  (base / candidates.CANDIDATES / "2" / "saved_model.pb").write_text("")
  with pytest.raises(BadInputError, match="Version 2 in .* is damaged"):
    candidates.promote(base, 2)
  assert candidates.hold(model("b"), base) == 3


def test_without_anything_live_there_is_no_canary(base, model):
  candidates.hold(model("a"), base)
  with pytest.raises(BadInputError, match="Nothing is live in .*: promote version 1 instead"):
    candidates.show_canary(base)


_CHURN = """
import sys
from components.versioned_pusher import candidates
print("ready", flush=True)
while True:
  candidates.show_canary(sys.argv[1], candidates.hold(sys.argv[2], sys.argv[1]))
"""


def test_killed_at_any_moment_what_is_live_stays(base, model):
  """The largest number is always the live model, and every version that servers see is whole."""
  publish(model("live"), base)
  for turn in range(6):
    candidate = model(f"candidate {turn}")
    with subprocess.Popen(
      [sys.executable, "-c", _CHURN, base, candidate],
      stdout=subprocess.PIPE,
      env={**os.environ, "PYTHONPATH": str(_ROOT)},
    ) as process:
      assert process.stdout.readline() == b"ready\n"
      time.sleep(0.02 * turn)
      process.kill()
    versions = list_versions(base)
    assert _content(base, versions[-1]) == "live"
    assert all(is_whole(base, number) for number in versions)
    for number in candidates.list_candidates(base):
      json.loads((base / candidates.CANDIDATES / str(number) / "dlpipe.json").read_text())


def test_a_rollback_goes_to_what_was_live_and_never_to_a_canary(base, model):
  publish(model("a"), base)
  publish(model("b"), base)
  candidates.hold(model("c"), base)
  publish(model("d"), base)
  assert candidates.show_canary(base, 3) == (3, 4)
  assert [_content(base, rollback(base)) for _ in range(2)] == ["b", "a"]


def test_a_rollback_leaves_what_was_promoted_for_what_was_live_before(base, model):
  publish(model("a"), base)
  publish(model("b"), base)
  candidates.hold(model("c"), base)
  publish(model("d"), base)
  assert candidates.promote(base, 3) == 5
  assert [_content(base, rollback(base)) for _ in range(3)] == ["d", "b", "a"]
  assert candidates.promote(base, 2) == 9
  assert _content(base, rollback(base)) == "a", "what was live until then"
  with pytest.raises(BadInputError, match="older than the model now served"):
    rollback(base)


def test_who_goes_to_a_canary_by_name_can_go_back(base, model):
  publish(model("a"), base)
  candidates.hold(model("b"), base)
  candidates.show_canary(base)
  assert _content(base, rollback(base, 2)) == "b"
  assert _content(base, rollback(base)) == "a"


class Killed(BaseException):
  """Stands for `kill -9`."""


@pytest.mark.parametrize("step", ["replace", "rename"])
def test_killed_while_it_is_promoted_it_is_promoted_the_next_time(base, model, monkeypatch, step):
  publish(model("a"), base)
  candidates.hold(model("b"), base)

  def killed(source, target):
    raise Killed

  with monkeypatch.context() as patch:
    patch.setattr(os, step, killed)
    with pytest.raises(Killed):
      candidates.promote(base)
  assert candidates.promote(base) == 2
  assert is_whole(base, 2)


def test_a_full_disk_costs_no_number(base, model, monkeypatch):
  publish(model("a"), base)

  real = version_folders.write

  def full(path, text):
    if path.parent != base:
      return real(path, text)
    path.write_text("")
    raise OSError(errno.ENOSPC, "No space left on device")

  with monkeypatch.context() as patch:
    patch.setattr(version_folders, "write", full)
    with pytest.raises(DlpipeError, match="No space left"):
      candidates.hold(model("b"), base)
  assert candidates.hold(model("b"), base) == 2


def test_a_candidate_that_something_else_put_there_stays_as_it_is(base, model):
  publish(model("a"), base)
  place = base / candidates.CANDIDATES
  shutil.copytree(model("b"), place / "7")
  (place / "8").mkdir()
  with pytest.raises(BadInputError, match="Expected a SavedModel in .*/8"):
    candidates.promote(base)
  assert candidates.promote(base, 7) == 7
  assert "published_at" not in version_record(base, 7)


def test_a_version_behind_a_link_goes_without_what_it_names(base, model, tmp_path):
  for name in "abc":
    publish(model(name), base)
  elsewhere = tmp_path / "other disk"
  (base / "1").rename(elsewhere)
  (base / "1").symlink_to(elsewhere)
  assert removal.remove_version(base, 1)
  assert (elsewhere / "saved_model.pb").exists()
  assert publish(model("d"), base) == 4
  assert list_versions(base) == [2, 3, 4]


def test_a_promoted_version_that_was_damaged_since_is_held_again(base, model):
  candidates.hold(model("a"), base)
  candidates.promote(base)
  (base / "1" / "saved_model.pb").write_text("")
  assert candidates.hold(model("a"), base) == 2
