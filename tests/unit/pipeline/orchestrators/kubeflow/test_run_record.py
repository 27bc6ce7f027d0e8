"""A run of a backend becomes one of the workspace: from the notes of its containers."""

import json
import logging

import pytest

from dlpipe import nodes
from dlpipe.workspace import TaskFolder
from pipeline.api import history
from pipeline.orchestrators.kubeflow import run_notes, run_record
from pipeline.orchestrators.kubeflow.note_taking import Notes
from pipeline.orchestrators.kubeflow.run_notes import Place
from pipeline.settings.config import PipelineConfig

_ROOT = "minio://mlpipeline/v2/artifacts/images"
_NODES = ("SourceState", "SourceExampleGen", "DataGate", "Trainer", "Evaluator", "VersionedPusher")


@pytest.fixture(autouse=True)
def logging_as_before():
  before = list(logging.getLogger().handlers)
  yield
  for handler in set(logging.getLogger().handlers) - set(before):
    logging.getLogger().removeHandler(handler)
    handler.close()


@pytest.fixture
def container(tmp_path):
  """Returns a function that carries out a node's container, but for its work."""

  def carry_out(
    node, *, run="run-7", inputs=None, outputs=None, error=None, code=1, properties=None
  ):
    producers = {name.partition("/")[2]: tuple(name.split("/")) for name in inputs or {}}
    place = Place(
      node=node,
      producers=producers,
      node_ids=_NODES,
      config=PipelineConfig(
        task="images", data_path="/compiled", workspace=str(tmp_path / "ws"), tiny=True
      ),
    )
    made = {}
    for name, files in (outputs or {"out": {}}).items():
      folder = tmp_path / "minio" / "images" / run / node / name
      folder.mkdir(parents=True)
      for file, text in files.items():
        (folder / file).write_text(text)
      made[name] = _artifact(folder, f"{node}/{name}")
    given = {name.partition("/")[2]: {"artifacts": [each]} for name, each in (inputs or {}).items()}
    invocation = {
      "inputs": {"artifacts": given, "parameterValues": {"data_path": "/of/this/run"}},
      "outputs": {"artifacts": {name: {"artifacts": [each]} for name, each in made.items()}},
    }
    notes = Notes(place)
    notes.begun(invocation)
    if error is None:
      told = {
        name: {"artifacts": [{"metadata": (properties or {}).get(name, {})}]} for name in made
      }
      notes.done({"artifacts": told})
    else:
      notes.failed(error, code)
    return {f"{node}/{name}": each for name, each in made.items()}

  return carry_out


def _artifact(folder, name):
  kinds = {"VersionedPusher/pushed_model": "PushedModel", "Evaluator/blessing": "ModelBlessing"}
  return {"uri": str(folder), "type": {"schemaTitle": f"tfx.{kinds.get(name, 'Anything')}"}}


_SUMMARY = json.dumps({"examples": {"train": 8, "eval": 2}, "labels": {}, "quarantined": 0})


def _whole_run(container, **options):
  data = container("SourceExampleGen", outputs={"quarantine": {"summary.json": _SUMMARY}})
  verdict = json.dumps(
    {"gates": [{"metric": "accuracy", "bound": ">= 0.5", "value": 0.9, "passed": True}]}
  )
  judged = container(
    "Evaluator",
    outputs={"verdict": {"verdict.json": verdict}, "blessing": {"BLESSED": ""}},
    properties={"blessing": {"blessed": 1.0}},
  )
  pushed = {"pushed": 1.0, "pushed_version": "3", "pushed_destination": "/ws/images/serving/3"}
  container(
    "VersionedPusher",
    inputs={**data, **judged},
    outputs={"pushed_model": {"pushed.json": json.dumps({"pushed": True, "version": 3})}},
    properties={"pushed_model": pushed},
  )


@pytest.fixture
def folder(tmp_path):
  return TaskFolder(tmp_path / "ws" / "images")


def test_the_last_node_leaves_what_a_local_run_leaves(container, folder, caplog):
  caplog.set_level(logging.INFO)
  _whole_run(container)
  report = folder.report("run-7").read_text(encoding="utf-8")
  assert "/of/this/run" in report
  assert "/compiled" not in report
  assert json.loads(folder.run_file("run-7").read_text())["config"]["data_path"] == "/of/this/run"
  assert "The report of the run run-7" in folder.log("run-7").read_text()
  [run] = history.past_runs("images", str(folder.root.parent), None)
  assert (run.run_id, run.state, run.pushed_version) == ("run-7", "pushed", 3)
  states = {each["id"]: each["state"] for each in run.nodes}
  assert states == {
    "SourceState": "CACHED",
    "SourceExampleGen": "COMPLETE",
    "DataGate": "CACHED",
    "Trainer": "CACHED",
    "Evaluator": "COMPLETE",
    "VersionedPusher": "COMPLETE",
  }


def test_before_the_last_node_there_is_no_record(container, folder):
  container("SourceExampleGen", outputs={"quarantine": {"summary.json": _SUMMARY}})
  assert not folder.report("run-7").exists()


def test_a_node_that_fails_ends_the_run_with_its_sentence(container, folder):
  from dlpipe.errors import DataRefusedError

  container("SourceExampleGen", outputs={"quarantine": {"summary.json": _SUMMARY}})
  container("DataGate", error=DataRefusedError("The data is not fit."), code=3)
  assert "The data is not fit." in folder.report("run-7").read_text(encoding="utf-8")
  [run] = history.past_runs("images", str(folder.root.parent), None)
  assert run.state == "refused_data"
  assert {each["id"] for each in run.nodes} == {"SourceExampleGen", "DataGate"}


def test_a_try_that_succeeds_replaces_the_record_of_one_that_failed(container, folder):
  container("Trainer", error=ValueError("lost"), outputs={"first": {}})
  assert "Trainer failed: ValueError: lost" in folder.report("run-7").read_text(encoding="utf-8")
  container("Trainer", outputs={"second": {}})
  _whole_run(container)
  [run] = history.past_runs("images", str(folder.root.parent), None)
  assert run.state == "pushed"
  assert "ValueError" not in folder.report("run-7").read_text(encoding="utf-8")


def test_what_cached_nodes_had_made_is_known_by_those_that_read_it(container, folder):
  _whole_run(container)
  kept = run_notes.read(
    PipelineConfig(task="images", data_path="", workspace=str(folder.root.parent)), "run-7"
  )
  [pusher] = [note for note in kept if note.node == "VersionedPusher"]
  copy = pusher.found["SourceExampleGen/quarantine"].path
  assert copy.startswith(str(folder.artifacts / "SourceExampleGen" / "quarantine"))
  # One copy, whoever noted it.
  [source] = [note for note in kept if note.node == "SourceExampleGen"]
  assert source.found["SourceExampleGen/quarantine"].path == copy
  assert (nodes.SOURCE_EXAMPLE_GEN.id, "examples") not in run_notes._KEPT


@pytest.mark.parametrize(
  ("uri", "run"),
  [
    (f"{_ROOT}/5f0c/Trainer/model", "5f0c"),
    (f"{_ROOT}/5f0c/Trainer/8a1b-salt/model", "5f0c"),
    ("/gcs/bucket/pipelines/123/images-2026/Trainer_-42/model", "images-2026"),
    (f"{_ROOT}/run-1/Trainer-0/model", "run-1"),
  ],
)
def test_the_runs_name_is_read_from_an_address(uri, run):
  config = PipelineConfig(task="images", data_path="", workspace="/ws")
  place = Place(node="Trainer", producers={}, node_ids=("Trainer",), config=config)
  outputs = {"artifacts": {"model": {"artifacts": [{"uri": uri}]}}}
  assert place.run_of({"outputs": outputs}) == run


def test_what_goes_wrong_with_notes_fails_no_node(container, folder, monkeypatch, caplog):
  def full(*args):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(run_notes, "write", full)
  container("VersionedPusher")
  assert "The record of the run could not be written" in caplog.text


def test_what_no_node_of_a_run_was_given_is_known_from_the_run_that_made_it(
  container, folder, monkeypatch
):
  concluded = []
  conclude = run_record.local.conclude
  monkeypatch.setattr(
    run_record.local,
    "conclude",
    lambda *args, **told: (concluded.append(told["artifacts"]), conclude(*args, **told))[1],
  )
  graph = container("Transform", outputs={"transform_graph": {"vocabulary": ""}})
  trained = container("Trainer", inputs=graph, outputs={"model_run": {}})
  judged = container(
    "Evaluator", inputs=trained, outputs={"predictions": {}, "evaluation": {}, "blessing": {}}
  )
  container("VersionedPusher", inputs={**trained, **judged})
  # The next run takes everything from the cache but the last node, which is given a part of it.
  given = {name: each for name, each in judged.items() if name == "Evaluator/evaluation"}
  container("VersionedPusher", run="run-8", inputs={**trained, **given})
  first, second = concluded
  assert second.keys() - {"VersionedPusher"} == {"Transform", "Trainer", "Evaluator"}
  for node in ("Transform", "Trainer", "Evaluator"):
    assert {k: a.uri for k, a in second[node].items()} == {k: a.uri for k, a in first[node].items()}
  assert "predictions" in second["Evaluator"]
