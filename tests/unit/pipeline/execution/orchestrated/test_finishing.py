"""Nodes that an orchestrator starts one by one, and the end of their run, as `local.run` has it."""

import json
import logging
import pathlib

import pytest
from ml_metadata.proto import metadata_store_pb2

from dlpipe import nodes
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder
from pipeline.api import beginning, compiling, history
from pipeline.api.inputs import prepare
from pipeline.execution.orchestrated.finishing import finish
from pipeline.execution.single_node import compiled_file
from pipeline.execution.single_node.node_request import NodeRequest
from pipeline.execution.single_node.single import carry_out
from pipeline.runs import run_files
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection

_DATA_NODES = [node.id for node in nodes.DATA_NODES]


@pytest.fixture(scope="module", autouse=True)
def logging_as_before():
  root = logging.getLogger()
  handlers, level = list(root.handlers), root.level
  yield
  for handler in set(root.handlers) - set(handlers):
    handler.close()
  root.handlers[:] = handlers
  root.setLevel(level)


@pytest.fixture(scope="module")
def write_pictures(make_picture):
  def write(root, *, broken):
    for number, label in enumerate(("cat", "dog")):
      (root / label).mkdir(parents=True)
      for i in range(12):
        (root / label / f"{i}.png").write_bytes(make_picture(seed=100 * number + i))
    for i in range(broken):
      (root / "cat" / f"broken-{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    return root

  return write


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, write_pictures):
  """The file of a pipeline with one bad picture, its data and its task's folder."""
  root = tmp_path_factory.mktemp("compiled")
  data = write_pictures(root / "pictures", broken=1)
  inputs = prepare(
    task="images",
    data=str(data),
    workspace=str(root / "ws"),
    config_file=None,
    settings=["data.max_bad_fraction=0.2", "gates.skill=null"],
    tiny=True,
    beam=None,
    orchestrator="ir",
  )
  compiling.write(inputs, "ir", str(root / "images.json"))
  return str(root / "images.json"), data, TaskFolder(root / "ws" / "images")


def _run(file, run_id, *node_ids, **parameters):
  """Runs nodes as `dlpipe node` does; returns the last exit code."""
  code = 0
  for node_id in node_ids:
    code = carry_out(
      NodeRequest(ir_file=file, node_id=node_id, run_id=run_id, parameters=parameters)
    )
    if code:
      break
  return code


@pytest.fixture(scope="module")
def stopped(compiled):
  """A run whose orchestrator started the data nodes, and then none."""
  file, _, folder = compiled
  assert _run(file, "dag.2026-11-24T00:00:00+00:00", *_DATA_NODES) == 0
  return finish(file, "dag.2026-11-24T00:00:00+00:00"), folder


def test_what_a_local_run_leaves_is_there(stopped):
  result, folder = stopped
  run_id = result.run_id
  report = folder.report(run_id).read_text(encoding="utf-8")
  assert result.report == str(folder.report(run_id))
  assert "Transform failed: it was never started" in report
  assert run_files.told(folder, run_id).config.data.max_bad_fraction == 0.2
  [bad] = (folder.quarantine(run_id) / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
  assert "broken-0.png" in bad
  log = folder.log(run_id).read_text(encoding="utf-8")
  assert "StatisticsGen" in log
  [listed] = [
    run
    for run in history.past_runs("images", str(folder.root.parent), None)
    if run.run_id == run_id
  ]
  assert listed.state == "done"


def test_the_first_node_that_is_missing_has_failed(stopped):
  result, _ = stopped
  assert (result.state, result.exit_code) == ("failed", 1)
  assert result.error == (
    "Transform failed: it was never started; the log of the orchestrator says why"
  )
  states = {each.id: each.state for each in result.components}
  assert [states[node] for node in _DATA_NODES] == ["COMPLETE"] * len(_DATA_NODES)
  assert states.pop("Transform") == "FAILED"
  assert {states[node] for node in ("Trainer", "Evaluator", "VersionedPusher")} == {"SKIPPED"}
  data = next(each for each in result.components if each.id == "SourceExampleGen")
  assert data.seconds > 0
  assert data.peak_rss_mb > 0
  assert result.examples["quarantined"] == 1


def test_refused_data_is_told_as_by_a_local_run(compiled):
  file, _, folder = compiled
  assert _run(file, "refused", *_DATA_NODES, **{"max-bad-fraction": "0.01"}) == 3
  result = finish(file, "refused", parameters={"max-bad-fraction": "0.01"})
  assert (result.state, result.exit_code) == ("refused_data", 3)
  assert "1 of 25 records" in result.error
  assert run_files.told(folder, "refused").config.data.max_bad_fraction == 0.01
  assert "refused" in folder.report("refused").read_text(encoding="utf-8")


def test_a_node_that_was_killed_is_said_to_be(compiled):
  file, _, folder = compiled
  assert _run(file, "killed", "ReviewedSchema", "SourceExampleGen") == 0
  # What SIGKILL leaves: an execution that nobody ended.
  with open_store(sqlite_connection(folder.metadata)) as handle:
    run = handle.store.get_context_by_type_and_name("pipeline_run", "killed")
    last = max(handle.store.get_executions_by_context(run.id), key=lambda each: each.id)
    last.last_known_state = metadata_store_pb2.Execution.RUNNING
    handle.store.put_executions([last])
  result = finish(file, "killed")
  assert result.error == (
    "SourceExampleGen failed: it was killed, or its machine was lost; the log ends there"
  )


def test_a_run_of_which_nothing_ran_leaves_nothing(compiled):
  file, _, folder = compiled
  with pytest.raises(BadInputError, match="No node of the run r9 was started"):
    finish(file, "r9")
  assert not folder.report("r9").exists()
  assert not folder.run_file("r9").exists()


def test_a_run_is_begun_with_settings_and_data_of_its_own(compiled, write_pictures, tmp_path):
  file, _, folder = compiled
  other = write_pictures(tmp_path / "2026-11-25", broken=0)
  begun = beginning.begin(file, "own", data=str(other), settings=["train.epochs=7"])
  assert begun.pipeline == str(folder.compiled("own"))
  assert any("24" in sentence for sentence in begun.recognized)
  told = run_files.told(folder, "own").config
  assert (told.train.epochs, told.data_path) == (7, str(other))
  # What was compiled holds where the run says nothing.
  assert told.data.max_bad_fraction == 0.2
  assert told.gates.bounds == {"skill": None}
  assert told.tiny
  config = compiled_file.read(begun.pipeline).config
  assert (config.train.epochs, config.train.batch_size) == (7, None)
  assert _run(file, "own", "SourceExampleGen") == 0
  result = finish(file, "own")
  assert result.examples["quarantined"] == 0
  assert sum(result.examples.values()) == 24


def test_a_run_as_compiled_has_no_pipeline_of_its_own(compiled):
  file, data, folder = compiled
  begun = beginning.begin(file, "same", data=str(data))
  assert begun.pipeline == file
  assert not folder.compiled("same").exists()
  assert run_files.told(folder, "same").config.data_path == str(data)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    (["train.epoch=3"], "unknown name 'train.epoch' for task images. Did you mean train.epochs?"),
    (["train.epochs=-1"], "train.epochs must be null or a whole number of at least 1"),
    (["tune.trials=3"], "draw other nodes than .*images.json has: Tuner"),
    (["tune.epochs=3"], "tune.epochs is for trials, and there are none"),
  ],
)
def test_what_a_run_cannot_be_told_is_refused_and_nothing_is_written(compiled, settings, message):
  file, _, folder = compiled
  with pytest.raises(BadInputError, match=message):
    beginning.begin(file, "wrong", settings=settings)
  assert not folder.run_file("wrong").exists()
  assert not folder.compiled("wrong").exists()


def test_a_file_of_an_older_release_still_runs_its_nodes(compiled, tmp_path):
  file, _, _ = compiled
  document = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
  del document["deployment_config"]["pipeline_level_platform_config"]
  old = tmp_path / "old.json"
  old.write_text(json.dumps(document))
  assert _run(str(old), "old", "ReviewedSchema") == 0
  with pytest.raises(BadInputError, match="is of another release"):
    finish(str(old), "old")


def test_a_name_with_slashes_stays_in_the_workspace(compiled):
  file, _, folder = compiled
  assert _run(file, "../../r/1", "ReviewedSchema") == 0
  finish(file, "../../r/1")
  assert {path.parent.name for path in folder.root.rglob("*r%2F1*")} >= {"reports", "logs", "runs"}


def test_a_path_that_each_run_fills_in_is_looked_at_when_the_run_begins(write_pictures, tmp_path):
  told = {
    "task": "images",
    "data": f"{tmp_path}/inbox/{{{{ ds }}}}/",
    "workspace": str(tmp_path / "ws"),
    "config_file": None,
    "tiny": True,
    "beam": None,
  }
  with pytest.raises(BadInputError, match="There is no .*ds"):
    prepare(**told)
  inputs = prepare(**told, orchestrator="airflow")
  assert inputs.config.data_path == f"{tmp_path}/inbox/{{{{ ds }}}}"
  file = str(tmp_path / "images.json")
  compiling.write(inputs, "ir", file)
  with pytest.raises(BadInputError, match="nobody filled in"):
    beginning.begin(file, "r1")
  with pytest.raises(BadInputError, match="There is no .*2026-11-24"):
    beginning.begin(file, "r1", data=f"{tmp_path}/inbox/2026-11-24")
  write_pictures(tmp_path / "inbox" / "2026-11-24", broken=0)
  begun = beginning.begin(file, "r1", data=f"{tmp_path}/inbox/2026-11-24")
  # The size of the day's pictures, which nobody could know when the pipeline was compiled.
  assert compiled_file.read(begun.pipeline).config.data_path.endswith("2026-11-24")


def test_the_last_span_of_a_run_is_its_own(write_pictures, tmp_path):
  for day in ("2026-11-24", "2026-11-25"):
    write_pictures(tmp_path / "inbox" / day, broken=0)
  inputs = prepare(
    task="images",
    data=f"{tmp_path}/inbox/{{date}}/",
    workspace=str(tmp_path / "ws"),
    config_file=None,
    settings=["data.window=1", "data.last_span={{ ds }}"],
    tiny=True,
    beam=None,
    orchestrator="airflow",
  )
  file = str(tmp_path / "images.json")
  compiling.write(inputs, "ir", file)
  with pytest.raises(BadInputError, match=r"filled in '\{\{ ds \}\}'.*--set data.last_span="):
    beginning.begin(file, "r1")
  beginning.begin(file, "r1", settings=['data.last_span="2026-11-24"'])
  assert run_files.told(TaskFolder(tmp_path / "ws" / "images"), "r1").last_span == "2026-11-24"


def test_bad_input_is_told_as_by_a_local_run(compiled):
  file, data, folder = compiled
  hidden = data.rename(data.with_name("hidden"))
  try:
    assert _run(file, "hidden", "ReviewedSchema", "SourceExampleGen") == 2
    result = finish(file, "hidden")
  finally:
    hidden.rename(data)
  assert (result.state, result.exit_code) == ("failed", 2)
  assert result.error.startswith("SourceExampleGen failed: Expected a folder")
  assert "Nothing exists at" in folder.report("hidden").read_text(encoding="utf-8")
