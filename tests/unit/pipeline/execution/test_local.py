"""`local.run` on a few pictures, as far as the data gate: events, quarantine, report, lock."""

import fcntl
import json
import logging
import os
import pathlib

import pytest

from dlpipe.errors import BusyError, DlpipeError
from dlpipe.workspace import TaskFolder
from pipeline.execution import at_work, events, local, node_events
from pipeline.execution.options import RunOptions
from pipeline.runs import summary
from pipeline.runs.data_artifacts import data_artifacts
from pipeline.settings.reading import make_config
from pipeline.tasks.images.task import TASK

_NODES = (
  "SourceExampleGen",
  "ReviewedSchema",
  "StatisticsGen",
  "SchemaGen",
  "ExampleValidator",
  "DataGate",
  "DataProfile",
  "DriftGate",
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, make_picture):
  """Two classes of twelve pictures, and one that is none."""
  root = tmp_path_factory.mktemp("pictures")
  for number, label in enumerate(("cat", "dog")):
    (root / label).mkdir()
    for i in range(12):
      (root / label / f"{i}.png").write_bytes(make_picture(seed=100 * number + i))
  (root / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
  return root


def _run(pictures, workspace, run_id, *settings, train_and_push=False, **options):
  """Checks the data; returns the result and every event."""
  config = make_config(TASK, data_path=str(pictures), workspace=str(workspace), settings=settings)
  heard = []
  result = local.run(
    TASK,
    config,
    source=TASK.sources["folder"],
    params=config.params(TASK),
    run_id=run_id,
    log_file="the.log",
    listener=heard.append,
    train_and_push=train_and_push,
    options=RunOptions(**options),
  )
  return result, heard


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
  return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def first(pictures, workspace):
  return _run(pictures, workspace, "r1")


def _states(heard):
  return {e.id: e.state for e in heard if isinstance(e, events.ComponentFinished)}


def test_events_come_in_order(first):
  result, heard = first
  assert heard[0] == events.RunStarted("r1", "images", heard[0].components, "the.log")
  assert set(heard[0].components) == set(_NODES)
  assert heard[-1] == events.RunFinished(result)
  running = None
  for event in heard[1:-1]:
    if isinstance(event, events.ComponentStarted):
      assert running is None
      running = event.id
    elif isinstance(event, events.Progress):
      assert event.component == running
    else:
      assert event.id == running
      running = None
  assert running is None
  assert set(_states(heard).values()) == {"COMPLETE"}


def test_the_result_counts_what_was_read(first):
  result, _ = first
  assert result.exit_code == 0
  assert result.error is None
  assert result.examples["quarantined"] == 1
  assert sum(result.examples[s] for s in ("train", "val", "eval")) == 24
  assert [c.id for c in result.components] == list(_states(first[1]))


def test_what_was_rejected_lies_where_people_look(first, workspace):
  seen = workspace / "images" / "quarantine" / "r1"
  [rejected] = [json.loads(line) for line in (seen / "rejected.jsonl").open()]
  assert rejected["origin"].endswith("broken.png")
  assert rejected["reason"]
  copies = [p for p in seen.rglob("*") if p.is_file() and p.name.endswith("broken.png")]
  assert [p.read_bytes() for p in copies] == [b"\x89PNG\r\n\x1a\n cut short"]


def test_there_is_a_report(first, workspace):
  result, _ = first
  assert result.report == str(workspace / "images" / "reports" / "r1.html")
  assert "broken.png" in pathlib.Path(result.report).read_text("utf-8")


def test_a_report_that_cannot_be_written_changes_nothing_about_the_run(first, pictures, workspace):
  reports = workspace / "images" / "reports"
  reports.rename(workspace / "images" / "kept")
  reports.write_text("in the way")
  try:
    result, heard = _run(pictures, workspace, "r-without-report")
  finally:
    reports.unlink()
    (workspace / "images" / "kept").rename(reports)
  assert (result.state, result.exit_code, result.report) == ("cached", 0, None)
  assert result.examples == first[0].examples
  [warning] = [each["what"] for each in result.warnings if "report" in each["what"]]
  assert warning.startswith("The report could not be written: ")
  assert heard[-1] == events.RunFinished(result)


def test_a_second_check_is_cached(first, pictures, workspace):
  result, heard = _run(pictures, workspace, "r2")
  assert set(_states(heard).values()) == {"CACHED"}
  assert result.state == "cached"
  assert result.examples == first[0].examples
  # What the input was taken for is said by a run from the cache, too.
  assert result.recognized == first[0].recognized
  assert result.recognized["classes"] == {"cat": 13, "dog": 12}
  said = "Read as folder: label = the folder&#39;s name; 25 files; 2 classes: cat (13), dog (12)."
  assert said in pathlib.Path(result.report).read_text(encoding="utf-8")


def test_a_part_of_a_run_has_a_result_too(first, pictures, workspace):
  result, heard = _run(pictures, workspace, "part1", until_node="ReviewedSchema", use_cache=False)
  states = _states(heard)
  assert states["ReviewedSchema"] == "COMPLETE"
  assert states["DataGate"] == "SKIPPED"
  assert (result.exit_code, result.error) == (0, None)
  assert "ran ReviewedSchema; " in summary.verdict(result)
  assert "left out " in summary.verdict(result)
  result, heard = _run(pictures, workspace, "part2", from_node="DataGate", use_cache=False)
  states = _states(heard)
  assert states.pop("DataGate") == "COMPLETE"
  # SchemaGen is nothing that DataGate needs.
  assert {name for name, state in states.items() if state == "CACHED"} >= {
    "SourceExampleGen",
    "ExampleValidator",
  }
  assert result.examples == first[0].examples


@pytest.mark.parametrize(
  ("options", "kept"),
  [
    ({"from_node": "Trainer", "use_cache": False}, False),
    ({"use_cache": False}, False),
    ({"from_node": "Trainer"}, True),
    ({"from_node": "Evaluator", "use_cache": False}, True),
    ({"until_node": "SchemaGen", "use_cache": False}, True),
  ],
)
def test_without_the_cache_a_training_starts_from_nothing(
  pictures, tmp_path, monkeypatch, options, kept
):
  # What is done with the nodes that are left is shown elsewhere.
  monkeypatch.setattr(local.partial.partial_run_utils, "snapshot", lambda *args, **kwargs: None)
  monkeypatch.setattr(local.partial, "_base_run", lambda *args: "earlier")
  monkeypatch.setattr(
    local.sequential,
    "run_nodes",
    lambda compiled, *args, **kwargs: {
      name: node_events.skipped() for name in local.node.node_ids(compiled)
    },
  )
  state = tmp_path / "images" / "checkpoints" / "abc" / "state.npz"
  state.parent.mkdir(parents=True)
  state.write_bytes(b"state")
  _run(pictures, tmp_path, "r1", train_and_push=True, **options)
  assert state.exists() == kept


def test_the_data_of_a_run_is_found_even_if_it_was_cached(first, pictures, workspace):
  config = make_config(TASK, data_path=str(pictures), workspace=str(workspace))
  found = data_artifacts(config, "r1")
  counted = json.loads((found.quarantine / "summary.json").read_text())
  assert counted["quarantined"] == 1
  splits = ["Split-eval", "Split-train", "Split-val"]
  assert sorted(p.name for p in found.examples.iterdir()) == [*splits, "origins"]
  assert sorted(p.name for p in (found.examples / "origins").iterdir()) == splits
  _run(pictures, workspace, "r1-again")
  assert data_artifacts(config, "r1-again") == found
  assert data_artifacts(config, "no such run") is None


def test_refused_data_ends_the_run_and_skips_the_rest(first, pictures, workspace, caplog):
  with caplog.at_level(logging.ERROR, logger="dlpipe"):
    result, heard = _run(pictures, workspace, "r3", "data.max_bad_fraction=0.01")
  assert (result.state, result.exit_code) == ("refused_data", 3)
  [finished] = [e for e in heard if getattr(e, "state", None) == "FAILED"]
  assert finished.id == "DataGate"
  assert result.error.startswith(finished.error)
  assert "\n" not in finished.error
  [logged] = [r for r in caplog.records if r.name == "dlpipe"]
  assert logged.getMessage() == "DataGate failed."
  assert logged.exc_info[1] is not None


def test_a_node_that_fails_skips_those_that_come_after(pictures, tmp_path, monkeypatch):
  original = local.node.run_node

  def fail(compiled, node_id, store_config):
    if node_id != "StatisticsGen":
      return original(compiled, node_id, store_config)
    error = RuntimeError("first line\nsecond line")
    return local.node.NodeOutcome(
      state="FAILED", execution_id=None, seconds=0.5, peak_rss_mb=1.0, error=error
    )

  monkeypatch.setattr(local.node, "run_node", fail)
  result, heard = _run(pictures, tmp_path, "r1")
  states = _states(heard)
  assert states["StatisticsGen"] == "FAILED"
  after = list(states)[list(states).index("StatisticsGen") + 1 :]
  assert "DataGate" in after
  assert {states[name] for name in after} == {"SKIPPED"}
  assert result.exit_code == 1
  assert result.error.startswith("StatisticsGen failed: RuntimeError: first line")
  [finished] = [e for e in heard if getattr(e, "state", None) == "FAILED"]
  assert finished.error == "RuntimeError: first line"


def test_nothing_is_shown_where_nothing_was_rejected(pictures, tmp_path):
  (tmp_path / "clean").mkdir()
  for label in ("cat", "dog"):
    (tmp_path / "clean" / label).mkdir()
    for path in (pictures / label).glob("[0-9]*.png"):
      os.link(path, tmp_path / "clean" / label / path.name)
  result, _ = _run(tmp_path / "clean", tmp_path / "w", "r1")
  assert result.examples["quarantined"] == 0
  assert not (tmp_path / "w" / "images" / "quarantine").exists()


def test_two_runs_do_not_share_a_workspace(pictures, tmp_path):
  (tmp_path / "images").mkdir()
  with (tmp_path / "images" / ".lock").open("a+") as file:
    fcntl.flock(file, fcntl.LOCK_SH)  # which only an exclusive lock has to wait for
    file.write("run-7\n")
    file.flush()
    message = "Another run is at work in '.*images': run-7, .*Run again when it is done"
    with pytest.raises(BusyError, match=message) as caught:
      _run(pictures, tmp_path, "r1")
  assert caught.value.exit_code == 75
  assert [p.name for p in (tmp_path / "images").iterdir()] == [".lock"]


def test_a_run_is_known_to_be_at_work_while_it_is(pictures, tmp_path, monkeypatch):
  seen = []
  run_nodes = local.sequential.run_nodes

  def look(*args, **kwargs):
    seen.append(at_work.run_ids(TaskFolder(tmp_path / "images")))
    return run_nodes(*args, **kwargs)

  monkeypatch.setattr(local.sequential, "run_nodes", look)
  _run(pictures, tmp_path, "r1", until_node="ReviewedSchema")
  assert seen == [{"r1"}]
  assert at_work.run_ids(TaskFolder(tmp_path / "images")) == set()


def test_the_lock_is_given_back(first, workspace):
  with (workspace / "images" / ".lock").open("a+") as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_run_deletes_what_keep_lets_go_and_says_so(days, pictures, tmp_path):
  for day in range(3):
    days.run(day)
  how = {"train_and_push": True, "until_node": "ReviewedSchema"}
  result, _ = _run(pictures, tmp_path, "r1", **how)
  assert (result.cleaned, "cleaned" in result.to_json()) == (None, False)
  result, _ = _run(pictures, tmp_path, "r2", "keep.runs=1", **how)
  assert result.cleaned.runs == ("run-000", "run-001")
  assert days.served() == [2, 3], "what is served, and where a rollback goes"
  said = result.to_json()["cleaned"]
  assert said["freed_bytes"] > 20_000
  assert said["over_bytes"] == 0
  lines = summary.summary_lines(result, log_file="", seconds=1.0, width=100)
  [line] = [line.text for line in lines if line.text.startswith("Cleaned")]
  assert " 2 earlier runs, 0 MB; " in line
  result, _ = _run(pictures, tmp_path, "r3", "keep.max_mb=0.001", **how)
  assert result.cleaned.over_bytes > 0


def test_a_clean_that_fails_changes_nothing_about_the_run(pictures, tmp_path, monkeypatch):
  def fail(*arguments, **options):
    raise DlpipeError("the disk is lost")

  monkeypatch.setattr(local.cleaning, "clean", fail)
  result, _ = _run(
    pictures, tmp_path, "r1", "keep.runs=1", train_and_push=True, until_node="ReviewedSchema"
  )
  assert (result.exit_code, result.cleaned) == (0, None)
  assert "Earlier runs could not be cleaned: the disk is lost" in result.model_warnings


def test_a_run_tells_of_its_end_and_says_who_was_not_told(web, pictures, tmp_path, monkeypatch):
  url, taken = web(200, 404)
  monkeypatch.setenv("HOOK", url)
  how = {"train_and_push": True, "until_node": "SourceExampleGen"}
  told = ("notify.webhook=env:HOOK", f"tracking.prometheus_dir={tmp_path}")
  result, _ = _run(pictures, tmp_path, "r1", *told, **how)
  assert (taken, result.model_warnings) == ([], [])
  assert "dlpipe_run_exit_code" in (tmp_path / "dlpipe_images.prom").read_text()
  result, _ = _run(tmp_path / "gone", tmp_path, "r2", *told, **how)
  assert [document["events"] for _, _, document in taken] == [["failed"]]
  assert taken[0][2]["run"] == result.to_json()
  result, heard = _run(tmp_path / "gone", tmp_path, "r3", *told, **how)
  assert (result.state, result.exit_code) == (taken[0][2]["run"]["state"], 2)
  said = "notify.webhook was not told: the server answered 404. What the run came to stands."
  assert said in result.model_warnings
  assert heard[-1].result == result, "the terminal and --json say it"
  _run(tmp_path / "gone", tmp_path, "r4", *told, until_node="SourceExampleGen")
  assert len(taken) == 2, "`dlpipe check` tells nobody"


def test_a_clock_that_was_put_back_is_said(pictures, tmp_path):
  how = {"train_and_push": True, "until_node": "SourceExampleGen"}
  for run_id, hours in (
    ("20261130-090000-0a1b", None),
    ("20261130-100500-0a1b", None),
    ("20261130-100430-0a1b", None),
    ("20261130-090500-0a1b", "20261130-100500-0a1b 1:00:00 later"),
    ("scheduled-2026", None),
  ):
    result, heard = _run(pictures, tmp_path, run_id, **how)
    assert len(result.model_warnings) == (hours is not None)
    assert hours is None or hours in result.model_warnings[0]
    assert heard[-1].result == result, "the terminal and --json say it"
