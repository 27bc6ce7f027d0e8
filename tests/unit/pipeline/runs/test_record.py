"""What a run came to, collected from artifacts as the components write them."""

import json
import re
import shlex

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2
from pyarrow import parquet

from components.serving_gate.compare import PathResult
from components.serving_gate.parity import Parity
from components.versioned_pusher.publish import publish
from components.versioned_pusher.version_folders import is_whole
from dlpipe import nodes
from dlpipe.errors import BadInputError, BusyError, DataRefusedError
from dlpipe.verdicts import Ruling, Verdict
from pipeline.cli.main import cli
from pipeline.evaluation import eval_config
from pipeline.gates import judge, parameters
from pipeline.problems import rows as of_problems
from pipeline.rows.files import FILE, SHOWN_FILE
from pipeline.runs import record
from pipeline.runs.result import ComponentResult
from pipeline.settings.reading import make_config
from pipeline.tasks.images.task import TASK

_LABELS = [0, 0, 1, 1]
_GOOD = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]]
_BAD = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.2, 0.8]]
_SLICES = {"label": ["cat", "cat", "dog", "dog"], "size_bucket": ["<=32"] * 4}


def _artifact(uri, **properties):
  artifact = metadata_store_pb2.Artifact(uri=str(uri))
  for name, value in properties.items():
    field = "int_value" if isinstance(value, int) else "string_value"
    setattr(artifact.custom_properties[name], field, value)
  return artifact


@pytest.fixture(scope="module")
def evaluations(evaluate, tmp_path_factory):
  """What the Evaluator leaves of a good model, and of one that is worse than it."""
  told = parameters(TASK, TASK.gates, min_examples=None)

  def run(scores, old=None):
    found = evaluate(
      eval_config(TASK), label_id=_LABELS, scores=scores, old_scores=old, slices=_SLICES
    )
    verdict = judge(found, told, "/none", None, "/none")
    folder = tmp_path_factory.mktemp("verdict")
    (folder / "verdict.json").write_text(verdict.to_text())
    return {
      "evaluation": _artifact(found),
      "verdict": _artifact(folder),
      "blessing": _artifact("b", blessed=int(verdict.passed)),
    }

  return {"good": run(_GOOD), "bad": run(_BAD, _GOOD)}


@pytest.fixture
def source(tmp_path):
  """A quarantine of 250 rejected records."""
  path = tmp_path / "quarantine"
  path.mkdir()
  summary = {"examples": {"train": 80, "eval": 10}, "quarantined": 250, "labels": {}}
  summary["recognized"] = {"layout": "folder", "sentences": ["Read as folder."]}
  (path / "summary.json").write_text(json.dumps(summary))
  lines = [json.dumps({"origin": f"{i}.png", "reason": "r"}) for i in range(250)]
  (path / "rejected.jsonl").write_text("\n".join(lines) + "\n")
  return {"SourceExampleGen": {"quarantine": _artifact(path)}}


@pytest.fixture
def parity(tmp_path):
  """Returns a function that makes a ServingGate's blessing."""

  def make(*differences, passed):
    path = tmp_path / "parity"
    path.mkdir()
    paths = [
      PathResult(
        loader="TF2",
        signature="s",
        output="o",
        batch=1,
        max_difference=difference,
        passed=(difference or 0) <= 1e-5,
        reason="" if (difference or 0) <= 1e-5 else "score differs by 0.5",
      )
      for difference in differences
    ]
    proof = Parity(
      rows=1,
      tolerance=1e-5,
      max_latency_ms=None,
      serving_release="TensorFlow Serving 2.16",
      paths=tuple(paths),
    )
    assert proof.passed is passed
    (path / "parity.json").write_text(proof.to_text())
    return {"blessing": _artifact(path, blessed=int(passed))}

  return make


def _component(name, state="COMPLETE"):
  return ComponentResult(id=name, state=state, seconds=1.0, peak_rss_mb=2.0)


def _collect(artifacts, *components, error=None, gates=(), workspace="/w", data="/d"):
  config = make_config(TASK, data_path=data, workspace=str(workspace), settings=gates)
  return record.collect(
    TASK,
    config,
    artifacts=artifacts,
    components=list(components) or [_component("A")],
    error=error,
    run_id="r1",
  )


def test_a_pushed_run(evaluations, source, parity, graph):
  artifacts = {
    **source,
    "Transform": {"transform_graph": _artifact(graph.path)},
    "Evaluator": evaluations["good"],
    "ServingGate": parity(2e-7, None, 1e-8, passed=True),
    "VersionedPusher": {"pushed_model": _artifact("p", pushed=1, pushed_version="12")},
  }
  found = _collect(artifacts, _component("A", "CACHED"), _component("VersionedPusher"))
  result = found.result
  assert (result.state, result.exit_code, result.pushed_version) == ("pushed", 0, 12)
  assert result.error is None
  assert result.metrics["accuracy"] == 1.0
  assert result.examples == {"train": 80, "eval": 10, "quarantined": 250}
  assert result.recognized["sentences"] == ["Read as folder."]
  assert [(g.metric, g.bound, g.value, g.passed) for g in result.gates] == [
    ("skill", ">= 0.3", 1.0, True),
    ("worst_recall", ">= 0.1", None, True),
    ("serving_difference", "<= 1e-05", 2e-7, True),
  ]
  shown = found.report["evaluation"]
  assert shown["labels"] == ["cat", "dog"]
  assert shown["confusion"] == [[2.0, 0.0], [0.0, 2.0]]
  assert [row["recall"] for row in shown["per_class"]] == [1.0, 1.0]
  assert len(found.report["quarantine"]) == 200
  assert found.report["quarantine"][0] == {"origin": "0.png", "reason": "r"}
  assert found.report["versions"]["tensorflow"]
  data = found.report_data(report="/w/r.html", started="now")
  assert (data.result.report, data.started, data.data_path) == ("/w/r.html", "now", "/d")


@pytest.mark.parametrize(
  ("versions", "served", "hint"),
  [
    ([], None, "dlpipe predict images FILE"),
    ([1, 2], None, "dlpipe predict images FILE"),
    ([1, 2, 3], 3, "dlpipe rollback images --to 2"),
  ],
)
def test_what_is_served_is_told_from_what_was_pushed(tmp_path, versions, served, hint):
  for version in versions:
    (tmp_path / "images" / "serving" / str(version)).mkdir(parents=True)
  artifacts = {"VersionedPusher": {"pushed_model": _artifact("p", pushed=1, pushed_version="2")}}
  result = _collect(artifacts, _component("VersionedPusher"), workspace=tmp_path).result
  assert (result.state, result.pushed_version, result.served_version) == ("pushed", 2, served)
  assert result.hint == f"{hint} --workspace {tmp_path}"
  assert result.to_json().get("served_version") == served


def test_the_sample_is_offered_only_to_a_model_of_the_sample_data(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  artifacts = {"VersionedPusher": {"pushed_model": _artifact("p", pushed=1, pushed_version="2")}}
  config = make_config(TASK, data_path=TASK.shipped_data(), workspace=str(tmp_path))
  found = record.collect(
    TASK,
    config,
    artifacts=artifacts,
    components=[_component("VersionedPusher")],
    error=None,
    run_id="r1",
  )
  assert found.result.hint == f"dlpipe predict images --sample --workspace {tmp_path}"


def test_a_model_that_is_refused_says_every_bound_it_missed(evaluations, parity, graph):
  artifacts = {
    "Transform": {"transform_graph": _artifact(graph.path)},
    "Evaluator": evaluations["bad"],
    "ServingGate": parity(0.5, passed=False),
    "VersionedPusher": {"pushed_model": _artifact("p", pushed=0)},
  }
  result = _collect(artifacts).result
  assert (result.state, result.exit_code, result.pushed_version) == ("refused_model", 4, None)
  assert [(g.metric, g.bound, g.value, g.passed) for g in result.gates] == [
    ("skill", ">= 0.3", 0.0, False),
    ("accuracy", ">= 0.99 (the model before, within 0.01)", 0.5, False),
    ("worst_recall", ">= 0.1", None, True),
    ("serving_difference", "<= 1e-05", 0.5, False),
  ]
  for part in ("skill is 0, must be >= 0.3: ", "accuracy is 0.5, must be >= 0.99", "is 0.5, must"):
    assert part in result.error


def test_refused_data_is_told_from_a_failure(source):
  components = (_component("SourceExampleGen"), _component("DataGate", "FAILED"))
  try:
    raise RuntimeError("wrapped") from DataRefusedError("12 of 90 rejected")
  except RuntimeError as err:
    refused = _collect(source, *components, error=err).result
  assert (refused.state, refused.exit_code) == ("refused_data", 3)
  assert refused.error == "12 of 90 rejected"
  assert refused.examples["quarantined"] == 250


@pytest.mark.parametrize(
  ("error", "code", "message"),
  [
    (ZeroDivisionError("by zero"), 1, "Trainer failed: ZeroDivisionError: by zero"),
    (BadInputError("no such file"), 2, "Trainer failed: no such file"),
    (BusyError("somebody else runs it"), 75, "Trainer failed: somebody else runs it"),
    (None, 1, "Trainer failed: see the log"),
  ],
)
def test_a_failed_run_names_the_node_and_the_error(error, code, message):
  components = (_component("A"), _component("Trainer", "FAILED"), _component("B", "SKIPPED"))
  result = _collect({}, *components, error=error).result
  assert (result.state, result.exit_code, result.error) == ("failed", code, message)
  assert (result.gates, result.metrics, result.examples) == ([], {}, {})


def test_a_failure_after_a_refusal_is_a_failure(evaluations):
  artifacts = {"Evaluator": {"blessing": _artifact("b", blessed=0)}}
  assert _collect(artifacts, _component("X", "FAILED")).result.state == "failed"


@pytest.mark.parametrize(("served", "version"), [(("2", "3", "10"), 10), ((), None)])
def test_nothing_new_is_cached_and_names_what_is_served(tmp_path, served, version):
  for name in served:
    (tmp_path / "images" / "serving" / name).mkdir(parents=True)
    (tmp_path / "images" / "serving" / name / "saved_model.pb").touch()
  artifacts = {
    "Evaluator": {"blessing": _artifact("b", blessed=1)},
    "VersionedPusher": {"pushed_model": _artifact("p", pushed=1, pushed_version="3")},
  }
  components = (_component("Evaluator"), _component("VersionedPusher", "CACHED"))
  result = _collect(artifacts, *components, workspace=tmp_path).result
  assert (result.state, result.pushed_version, result.exit_code) == ("cached", version, 0)


def test_a_damaged_version_is_not_called_current_without_a_word(tmp_path):
  serving = tmp_path / "images" / "serving"
  model = tmp_path / "model"
  model.mkdir()
  for text in ("one", "two"):
    (model / "saved_model.pb").write_text(text)
    publish(model, serving)
  pushed = tmp_path / "pushed"
  pushed.mkdir()
  (pushed / "pushed.json").write_text(json.dumps({"pushed": True, "version": 2}))
  artifacts = {"VersionedPusher": {"pushed_model": _artifact(pushed, pushed=1, pushed_version="2")}}
  arguments = (artifacts, _component("VersionedPusher", "CACHED"))
  assert _collect(*arguments, workspace=tmp_path).result.model_warnings == []
  (serving / "2" / "saved_model.pb").write_text("")
  [said] = _collect(*arguments, workspace=tmp_path).result.model_warnings
  assert said.startswith("Version 2, which servers take for the newest, is damaged")
  command = re.search("`dlpipe (rollback images --to 1 .*)` serves a whole one", said)
  assert CliRunner().invoke(cli, shlex.split(command[1])).exit_code == 0
  assert is_whole(serving, 3)
  assert _collect(*arguments, workspace=tmp_path).result.model_warnings == []


def test_the_version_that_a_push_repairs_is_named(tmp_path):
  serving = tmp_path / "images" / "serving"
  model = tmp_path / "model"
  model.mkdir()
  (model / "saved_model.pb").write_text("one")
  publish(model, serving)
  (serving / "1" / "saved_model.pb").write_text("")
  assert publish(model, serving) == 2
  pushed = tmp_path / "pushed"
  pushed.mkdir()
  values = {"pushed": True, "version": 2, "repairs": 1}
  (pushed / "pushed.json").write_text(json.dumps(values))
  artifacts = {"VersionedPusher": {"pushed_model": _artifact(pushed, pushed=1, pushed_version="2")}}
  found = _collect(artifacts, _component("VersionedPusher"), workspace=tmp_path)
  [said] = found.result.model_warnings
  assert said.startswith(f"Version 1 in {serving} is damaged")


def test_a_damaged_version_is_left_for_the_newest_whole_one(tmp_path):
  serving, model = tmp_path / "images" / "serving", tmp_path / "model"
  model.mkdir()
  for number in range(1, 5):
    (model / "saved_model.pb").write_text(str(number))
    publish(model, serving)
  for number in (3, 4):
    (serving / str(number) / "saved_model.pb").write_text("")
  artifacts = {"VersionedPusher": {"pushed_model": _artifact("p", pushed=1, pushed_version="4")}}
  found = _collect(artifacts, _component("VersionedPusher", "CACHED"), workspace=tmp_path)
  [said] = found.result.model_warnings
  assert f"`dlpipe rollback images --to 2 --workspace {tmp_path}`" in said


@pytest.mark.parametrize("refuses", ["Evaluator", "BehaviourGate", "ServingGate"])
def test_one_gate_that_refuses_is_enough(refuses):
  artifacts = {
    node: {"blessing": _artifact("b", blessed=int(node != refuses))}
    for node in ("Evaluator", "BehaviourGate", "ServingGate")
  }
  result = _collect(artifacts).result
  assert (result.state, result.exit_code) == ("refused_model", 4)


def test_a_gate_refuses_and_gives_its_reason_because_it_is_among_the_nodes(tmp_path, monkeypatch):
  gate = nodes.Node(id="SizeGate", gate=nodes.ModelGate(pusher_input="size_blessing"))
  ruling = Ruling(metric="export_mb", bound="<= 50", value=51.0, passed=False, reason="no room")
  (tmp_path / "verdict.json").write_text(Verdict(rulings=(ruling,)).to_text())
  artifacts = {"SizeGate": {"blessing": _artifact(tmp_path, blessed=0)}}
  assert _collect(artifacts).result.state == "cached"
  monkeypatch.setattr(nodes, "NODES", (*nodes.NODES, gate))
  result = _collect(artifacts).result
  assert (result.state, result.gates) == ("refused_model", [ruling])
  assert result.error == "The model was refused. export_mb is 51, must be <= 50: no room"


def test_a_cached_refusal_is_a_refusal():
  artifacts = {"Evaluator": {"blessing": _artifact("b", blessed=0)}}
  assert _collect(artifacts, _component("A", "CACHED")).result.state == "refused_model"


def test_a_check_without_training_has_nothing_to_push(source):
  result = _collect(source, _component("DataGate")).result
  assert (result.state, result.pushed_version, result.error) == ("cached", None, None)


def test_files_that_a_killed_node_left_out_are_empty(tmp_path):
  artifacts = {
    "SourceExampleGen": {"quarantine": _artifact(tmp_path / "absent")},
    "Trainer": {"model_run": _artifact(tmp_path)},
    "DataGate": {"verdict": _artifact(tmp_path)},
  }
  found = _collect(artifacts)
  assert found.report["history"] == found.report["quarantine"] == []
  assert found.report["data_checks"] == ()


def test_the_trials_stand_in_the_report_the_best_first(tmp_path):
  trials = [
    {"trial": 1, "score": 0.5, "hyperparameters": {"dropout": 0.3}},
    {"trial": 2, "score": None, "hyperparameters": {"dropout": 0.9}},
    {"trial": 3, "score": 0.7, "hyperparameters": {"dropout": 0.1}},
  ]
  record_of = {"monitor": "val_accuracy", "mode": "max", "asked": 3, "best": 3, "trials": trials}
  (tmp_path / "trials.json").write_text(json.dumps(record_of))
  (tmp_path / "history.json").write_text(json.dumps({"tuned": {"dropout": 0.1}}))
  tuner = {"tuner_results": _artifact(tmp_path)}
  trainer = {"model_run": _artifact(tmp_path)}
  report = _collect({"Tuner": tuner, "Trainer": trainer}).report
  assert [trial.trial for trial in report["tuning"].trials] == [3, 1, 2]
  assert (report["tuning"].best, report["tuned"]) == (3, {"dropout": 0.1})
  assert _collect({"Tuner": tuner}).report["tuned"] == {}
  assert _collect({}).report["tuning"] is None


def test_a_day_whose_labels_the_model_contradicts_is_a_warning(tmp_path):
  outputs = {
    "label": np.array([b"cat"] * 60, object),
    "score": np.full(60, 0.9, np.float32),
    "scores": np.array([[0.9, 0.1]] * 60, np.float32),
    "labels": np.array([[b"cat", b"dog"]] * 60, object),
  }
  found = of_problems.of_classes([[b"cat"]] * 40 + [[b"dog"]] * 20, outputs)
  table = found.append_column(
    "origin", [[f"2026-11-0{1 + n // 20}/cat/{n}.png" for n in range(60)]]
  ).append_column("split", [["eval"] * 60])
  parquet.write_table(table.append_column("input", pa.nulls(60, pa.string())), tmp_path / FILE)
  (tmp_path / SHOWN_FILE).write_text("{}")
  artifacts = {"Evaluator": {"predictions": _artifact(tmp_path)}}
  [said] = _collect(artifacts, data="/inbox/{date}/").result.model_warnings
  assert said.startswith(
    "Of span 2026-11-03 the model has 0 of 20 held-out rows right (0%), of the"
  )
  assert _collect(artifacts).result.model_warnings == [], "data without spans"
