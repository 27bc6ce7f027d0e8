"""Cleaning a real store and folder: bounded, resumable, and believed by no cache."""

import contextlib
import os
import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from components.versioned_pusher import publish, removal
from dlpipe.workspace import TaskFolder
from pipeline.api import history
from pipeline.execution import node
from pipeline.runs import lineage
from pipeline.runs.retention import cleaned, cleaning, sizes
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection
from pipeline.settings.config import KeepConfig


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
  (foreign / publish.RECORD_FILE).unlink()
  _clean(days, KeepConfig(runs=1), held={3: "the label canary"})
  assert days.served() == [1, 3, 5, 6]
  assert days.paths("run-002"), "the run of a version that a label names"
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
    assert publish.is_whole(days.folder.serving, number)
  _clean(days, KeepConfig(runs=1))
  assert (
    _live(days)
    == days.artifacts()
    == {str(path) for path in days.paths("run-003")} | {str(days.models[-2].uri)}
  )
  assert not days.folder.going.exists()
  assert publish.leftovers(days.folder.serving) == []
  with open_store(days.store) as handle:
    assert len(lineage.list_runs(handle)) == 4


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
