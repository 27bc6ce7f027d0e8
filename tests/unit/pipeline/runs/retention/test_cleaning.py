"""Cleaning a real store and folder: bounded, resumable, and believed by no cache."""

import contextlib
import errno
import json
import os
import pathlib
import shutil
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from components.spans import kept
from components.versioned_pusher import publish, removal, version_folders
from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import DlpipeError
from dlpipe.workspace import TaskFolder
from pipeline.api import history
from pipeline.api.operations import staging
from pipeline.execution import node
from pipeline.runs import lineage
from pipeline.runs.retention import cleaned, cleaning, sizes
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection
from pipeline.settings.keep import KeepConfig


def _clean(days, keep, **options):
  return cleaning.clean(days.folder, [days.store], keep, **options)


def _live(days) -> set[str]:
  with open_store(days.store) as handle:
    return {a.uri for a in handle.store.get_artifacts() if a.state == pb.Artifact.LIVE}


def test_a_workspace_stays_bounded_over_forty_runs(days):
  states = ["pushed", "refused_model", "failed", "pushed"]
  held = []
  for day in range(40):
    days.run(day, state=states[day % 4])
    _clean(days, KeepConfig(runs=3))
    held.append(sizes.of(days.folder.artifacts) + sizes.of(days.folder.serving))
  assert max(held[20:]) < 1.01 * max(held[6:12])
  assert _live(days) == days.artifacts()
  assert len(days.served()) <= 4
  runs = history.past_runs("images", str(days.folder.root.parent), None)
  assert len(runs) == 40
  first = runs[-1]
  assert (first.state, first.pushed_version, first.cleaned is not None) == ("pushed", 1, True)
  kept = cleaned.find(days.folder, first.run_id)
  assert (kept.version, kept.why) == (1, "keep.runs=3")
  assert kept.verdicts[-1]["gates"][0]["metric"] == "accuracy"


def test_a_dry_run_deletes_nothing_and_says_what_would_go(days):
  for day in range(4):
    days.run(day)
  before = days.artifacts()
  told = _clean(days, KeepConfig(runs=1), dry_run=True)
  assert days.artifacts() == before == _live(days)
  assert not days.folder.cleaned_file("run-000").exists()
  assert _clean(days, KeepConfig(runs=1)) == told
  assert list(told.runs) == ["run-000", "run-001", "run-002"]
  assert days.artifacts() == before - told.artifacts


def test_the_baseline_of_the_next_run_stays(days):
  days.run(0)
  for day in range(1, 6):
    days.run(day, state="refused_model")
  _clean(days, KeepConfig(runs=1))
  assert os.path.isdir(days.models[-1].uri)


def test_a_cached_result_of_a_kept_run_stays(days):
  days.run(0)
  data = days.examples
  days.run(1, data=data)
  days.run(2, data=data)
  _clean(days, KeepConfig(runs=1))
  assert os.path.isdir(data.uri)
  assert cleaned.find(days.folder, "run-000") is not None


def test_held_and_foreign_versions_and_the_way_back_stay(days):
  for day in range(6):
    days.run(day)
  foreign = days.folder.serving / "1"
  (foreign / version_folders.RECORD_FILE).unlink()
  staging.pin(days.folder, 3, remove=False, reason=None)
  _clean(days, KeepConfig(runs=1))
  assert days.served() == [1, 3, 5, 6]
  assert days.paths("run-002"), "the run of a version that is pinned"
  assert publish.rollback(days.folder.serving) == 7


class Killed(BaseException):
  """Stands for `kill -9`."""


@pytest.mark.parametrize("after", range(0, 40, 3))
def test_killed_at_any_point_it_is_whole_or_gone(days, monkeypatch, after):
  for day in range(4):
    days.run(day)
  steps = iter(range(after))

  def stopped(real):
    def call(*arguments, **options):
      if next(steps, None) is None:
        raise Killed
      return real(*arguments, **options)

    return call

  with monkeypatch.context() as patch:
    for module, name in ((os, "rename"), (os, "replace"), (shutil, "rmtree"), (cleaning, "_mark")):
      patch.setattr(module, name, stopped(getattr(module, name)))
    with contextlib.suppress(Killed):
      _clean(days, KeepConfig(runs=1))
  for uri in _live(days):
    assert sizes.of(uri) >= 10_000, "an artifact that a cache may hand on is whole"
  for number in days.served():
    assert version_folders.is_whole(days.folder.serving, number)
  _clean(days, KeepConfig(runs=1))
  assert (
    _live(days)
    == days.artifacts()
    == {str(path) for path in days.paths("run-003")} | {str(days.models[-2].uri)}
  )
  assert not days.folder.going.exists()
  assert version_folders.leftovers(days.folder.serving) == []
  with open_store(days.store) as handle:
    assert len(lineage.list_runs(handle)) == 4


def test_a_record_that_a_killed_process_began_to_write_goes(days, monkeypatch):
  days.run(0)
  path = days.folder.run_file("run-000")
  whole = path.read_text() if path.exists() else None

  with monkeypatch.context() as patch:
    patch.setattr(pathlib.Path, "unlink", lambda *_, **__: None)  # nothing tidies up
    patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
      write_whole(path, "half of")
  [left] = [each for each in path.parent.iterdir() if each != path]
  _clean(days, KeepConfig())
  assert not left.exists()
  assert (path.read_text() if path.exists() else None) == whole


def test_the_newest_version_is_not_deleted_even_if_told_so(days):
  days.run(0)
  assert not removal.remove_version(days.folder.serving, 1)
  assert days.served() == [1]


def test_what_was_cleaned_is_computed_again(reader_pipeline, tmp_path):
  folder = TaskFolder(tmp_path / "test")
  store = sqlite_connection(folder.metadata)

  def run(run_id, text):
    compiled = node.compile_pipeline(reader_pipeline(folder.root, text=text), run_id)
    return [node.run_node(compiled, name, store).state for name in ("ReviewedSchema", "Reader")]

  first, other = "feature {}", 'feature { name: "x" }'
  assert run("r1", first) == run("r2", other) == ["COMPLETE", "COMPLETE"]
  assert run("r3", other) == ["CACHED", "CACHED"]
  # Two runs without a Trainer are counted as checks are, so age decides.
  plan = cleaning.clean(folder, [store], KeepConfig(max_mb=1e-6))
  assert {"r1", "r2"} >= plan.runs.keys() >= {"r1"}
  assert plan.artifacts
  assert run("r4", first) == ["COMPLETE", "COMPLETE"]
  assert run("r5", other) == ["CACHED", "CACHED"], "what a kept run took from the cache stays"


def test_a_run_that_was_cleaned_before_is_not_cleaned_again(days):
  for day in range(4):
    days.run(day)
  assert list(_clean(days, KeepConfig(runs=2)).runs) == ["run-000", "run-001"]
  again = _clean(days, KeepConfig(runs=2))
  assert (again.runs, again.freed) == ({}, 0)
  # The model of run-001 stayed for run-002, which was compared with it.
  assert list(_clean(days, KeepConfig(runs=1)).runs) == ["run-001", "run-002"]


def test_a_version_that_is_pinned_meanwhile_stays(days, monkeypatch):
  for day in range(5):
    days.run(day)

  def pinned(handles, paths):
    staging.pin(days.folder, 2, remove=False, reason="just now")

  monkeypatch.setattr(cleaning, "_mark", pinned)
  assert 2 in _clean(days, KeepConfig(runs=1)).versions
  assert days.served() == [2, 4, 5]


def test_a_rollback_meanwhile_keeps_its_copy(days, monkeypatch):
  """A copy in the making looks like what a killed publisher left."""
  for day in range(3):
    days.run(day)
  seen = []

  @contextlib.contextmanager
  def held(base):
    with locked(base):
      seen.append(base)
      yield

  locked = version_folders.locked
  left = days.folder.serving / f"{version_folders.STAGING_PREFIX}1"
  left.mkdir()
  monkeypatch.setattr(version_folders, "locked", held)
  assert str(left) in _clean(days, KeepConfig()).files
  assert seen == [days.folder.serving]
  assert not left.exists()


def test_what_cannot_be_deleted_is_said_and_keeps_nothing_else(days, monkeypatch):
  for day in range(3):
    days.run(day)
  [stuck] = [path for path in days.paths("run-000") if path.parent.name == "examples"]
  rename = os.rename

  def refused(source, target):
    if os.fspath(source) == str(stuck):
      raise PermissionError(errno.EACCES, "Permission denied", str(stuck))
    rename(source, target)

  monkeypatch.setattr(os, "rename", refused)
  with pytest.raises(DlpipeError, match=f"1 of .* could not be deleted: .*{stuck}"):
    _clean(days, KeepConfig(runs=1))
  assert days.paths("run-000") == {stuck}
  monkeypatch.undo()
  _clean(days, KeepConfig(runs=1))
  assert not stuck.exists()


def test_artifacts_on_another_disk_are_deleted_there(days, monkeypatch):
  for day in range(3):
    days.run(day)
  rename = os.rename

  def across(source, target):
    if os.fspath(source).startswith(str(days.folder.artifacts)):
      raise OSError(errno.EXDEV, "Invalid cross-device link")
    rename(source, target)

  monkeypatch.setattr(os, "rename", across)
  _clean(days, KeepConfig(runs=1))
  assert not days.paths("run-000")


def _keep_span(folder, name, key):
  store = kept.Store(str(folder.spans))
  partial = store.partial(key)
  (partial / "examples").write_bytes(b"x" * 1000)
  return store.put(partial, kept.KeptSpan(name=name, key=key))


def test_what_is_kept_of_spans_stays_while_the_window_needs_it(days):
  folders = [_keep_span(days.folder, str(number), f"key{number}") for number in range(3)]
  (days.folder.spans / "window.json").write_text(
    json.dumps({"data": "d", "spans": {str(n): {"kept": f"key{n}"} for n in (1, 2)}})
  )
  for path in days.folder.spans.rglob("*"):
    os.utime(path, (1, 1))
  abandoned = kept.Store(str(days.folder.spans)).partial("half")
  for day in range(3):
    days.run(day)
  _clean(days, KeepConfig(runs=1))
  assert [path.exists() for path in folders] == [False, True, True]
  assert not abandoned.exists()


def test_a_file_with_two_names_takes_its_room_once(tmp_path):
  (tmp_path / "kept").write_bytes(b"x" * 1000)
  assert sizes.of(tmp_path) == 1000
  os.link(tmp_path / "kept", tmp_path / "examples")
  assert sizes.of(tmp_path) == 1000


def test_a_file_frees_its_room_with_the_last_of_its_names(days):
  """The examples of a window are those that are kept of its spans, in every run that read them."""
  for day in range(4):
    days.run(day)
  folder = _keep_span(days.folder, "1", "key")
  (folder / "day").write_bytes(b"x" * 400_000)
  (days.folder.spans / "window.json").write_text('{"data": "d", "spans": {"1": {"kept": "key"}}}')
  for path in days.folder.artifacts.glob("*/examples/*"):
    os.link(folder / "day", path / "day")
  before = sizes.of(days.folder.root)
  told = _clean(days, KeepConfig(runs=1), dry_run=True)
  plan = _clean(days, KeepConfig(runs=1))
  assert told == plan
  gone = before - sizes.of(days.folder.root)
  assert plan.freed == pytest.approx(gone, abs=20_000)  # the facts that are kept of cleaned runs
  bound = KeepConfig(max_mb=(before - 300_000) / 1e6)
  assert _clean(days, bound).over == pytest.approx(
    sizes.of(days.folder.root) - bound.max_mb * 1e6, abs=20_000
  )


def test_replays_go_by_their_age(days):
  days.run(0)
  place = days.folder.replays
  place.mkdir()
  for name, age_days in (("old.html", 9), ("old.json", 9), ("new.html", 1)):
    (place / name).write_text("x")
    moment = time.time() - age_days * 86_400
    os.utime(place / name, (moment, moment))
  _clean(days, KeepConfig(days=5))
  assert [path.name for path in place.iterdir()] == ["new.html"]
