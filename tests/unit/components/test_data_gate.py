"""`DataGate`: what passes, what stops a run, and what a person reads when it does."""

import json

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.example_validator.executor import Executor as ExampleValidatorExecutor
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import GateVerdict, Quarantine
from components.data_gate import DataGate, judge, refusal
from components.source_example_gen.summary import Summary
from dlpipe.errors import BadInputError, DataRefusedError

_COUNTS = {"train": 80, "val": 10, "eval": 10}
_LABELS = {"train": {"cat": 40, "dog": 40}, "val": {"cat": 5, "dog": 5}, "eval": {"cat": 10}}


def _judge(*, examples=None, quarantined=0, labels=None, anomalies=None, bound=0.05, **options):
  """Judges sound data but for the given parts; returns check name to check."""
  clean = {split: anomalies_pb2.Anomalies() for split in _COUNTS}
  checks = judge(
    anomalies=clean if anomalies is None else clean | anomalies,
    summary=Summary(
      examples=_COUNTS if examples is None else examples,
      quarantined=quarantined,
      labels=_LABELS if labels is None else labels,
    ),
    max_bad_fraction=bound,
    **options,
  )
  return {check.name: check for check in checks}


def _failed(checks):
  return [name for name, check in checks.items() if not check.passed]


def _anomaly(severity, key="image", description="Too few values."):
  found = anomalies_pb2.Anomalies()
  info = found.anomaly_info[key]
  info.severity = anomalies_pb2.AnomalyInfo.Severity.Value(severity)
  info.short_description = "Missing"
  info.description = description
  return found


def test_sound_data_passes_every_check_in_a_readers_order():
  checks = _judge()
  assert list(checks) == [
    "examples in train",
    "examples in val",
    "examples in eval",
    "rejected fraction",
    "labels in train",
    "labels of val unknown to train",
    "labels of eval unknown to train",
    "schema anomalies in train",
    "schema anomalies in val",
    "schema anomalies in eval",
  ]
  assert _failed(checks) == []
  assert checks["examples in train"].value == 80


@pytest.mark.parametrize("examples", [{"train": 90, "val": 10}, _COUNTS | {"eval": 0}])
def test_every_split_needs_examples(examples):
  checks = _judge(examples=examples)
  assert _failed(checks) == ["examples in eval"]
  assert checks["examples in eval"].reason == "The split is empty."


@pytest.mark.parametrize(
  ("quarantined", "bound", "passed"),
  [(0, 0.0, True), (1, 0.0, False), (100, 0.5, True), (101, 0.5, False), (900, 0.9, True)],
)
def test_the_rejected_fraction_counts_all_records_and_its_bound_is_inclusive(
  quarantined, bound, passed
):
  check = _judge(quarantined=quarantined, bound=bound)["rejected fraction"]
  assert check.passed is passed
  assert check.value == pytest.approx(quarantined / (100 + quarantined))
  assert check.reason == f"{quarantined} of {100 + quarantined} records could not be used."


def test_no_records_at_all_is_empty_splits_and_no_division():
  checks = _judge(examples={}, labels={})
  assert checks["rejected fraction"].value == 0.0
  assert _failed(checks) == ["examples in train", "examples in val", "examples in eval"]


@pytest.mark.parametrize("bound", [-0.01, 1.01, float("nan")])
def test_bound_outside_0_to_1_is_bad_input(bound):
  with pytest.raises(BadInputError, match="between 0 and 1. Received: max_bad_fraction="):
    _judge(bound=bound)


def test_unknown_severity_is_bad_input():
  with pytest.raises(BadInputError, match=r"\['ERROR', 'WARNING'\]. Received: .*'FATAL'"):
    _judge(min_severity="FATAL")


@pytest.mark.parametrize("train", [{"cat": 80}, {"cat": 80, "dog": 0}])
def test_one_label_cannot_be_told_apart(train):
  checks = _judge(labels={"train": train, "val": {"cat": 10}, "eval": {"cat": 10}})
  assert _failed(checks) == ["labels in train"]
  assert (checks["labels in train"].value, checks["labels in train"].reason) == (1, "Found 'cat'.")


def test_a_label_that_some_examples_lack_can_be_told_apart():
  checks = _judge(labels={"train": {"spam": 7}, "val": {"spam": 2}, "eval": {"spam": 1}})
  assert _failed(checks) == []


@pytest.mark.parametrize("split", ["val", "eval"])
def test_labels_never_seen_in_training_stop_the_run(split):
  checks = _judge(labels=_LABELS | {split: {"cat": 1, "owl": 2, "emu": 3, "fox": 0}})
  assert _failed(checks) == [f"labels of {split} unknown to train"]
  check = checks[f"labels of {split} unknown to train"]
  assert (check.value, check.reason) == (2, "Never seen in train: 'emu', 'owl'.")


def test_many_labels_are_cut_short():
  many = {f"l{i}": 1 for i in range(8)}
  check = _judge(labels=_LABELS | {"val": many})["labels of val unknown to train"]
  assert check.reason == "Never seen in train: 'l0', 'l1', 'l2', 'l3', 'l4' and 3 more."


@pytest.mark.parametrize("labels", [{}, {"train": {}, "val": {}, "eval": {}}])
def test_task_without_labels_has_no_label_checks(labels):
  checks = _judge(labels=labels)
  assert [name for name in checks if "label" in name] == []
  assert _failed(checks) == []


@pytest.mark.parametrize(
  ("severity", "min_severity", "passed"),
  [
    ("ERROR", "ERROR", False),
    ("ERROR", "WARNING", False),
    ("WARNING", "ERROR", True),
    ("WARNING", "WARNING", False),
    ("UNKNOWN", "ERROR", False),
  ],
)
def test_anomalies_stop_by_severity(severity, min_severity, passed):
  checks = _judge(anomalies={"val": _anomaly(severity)}, min_severity=min_severity)
  check = checks["schema anomalies in val"]
  assert check.passed is passed
  assert check.value == (0 if passed else 1)
  assert "image: Missing: Too few values." in check.reason
  assert check.reason.startswith("Warnings, which do not stop the run:") is passed
  assert _failed(checks) == ([] if passed else ["schema anomalies in val"])


def test_anomalies_of_the_whole_data_set_stop_too():
  found = anomalies_pb2.Anomalies()
  found.dataset_anomaly_info.severity = anomalies_pb2.AnomalyInfo.ERROR
  found.dataset_anomaly_info.description = "Low num examples in dataset."
  check = _judge(anomalies={"train": found})["schema anomalies in train"]
  assert (check.passed, check.value) == (False, 1)
  assert check.reason == "the data set: anomaly: Low num examples in dataset."


def test_anomalies_of_a_split_of_another_name_are_read():
  checks = _judge(anomalies={"test": _anomaly("ERROR")})
  assert _failed(checks) == ["schema anomalies in test"]


def test_split_that_nobody_validated_stops_the_run():
  checks = judge(
    anomalies={"train": anomalies_pb2.Anomalies(), "val": anomalies_pb2.Anomalies()},
    summary=Summary(examples=_COUNTS, labels=_LABELS),
    max_bad_fraction=0.0,
  )
  assert [(c.name, c.reason) for c in checks if not c.passed] == [
    ("schema anomalies in eval", "The split was not validated.")
  ]


def test_statistics_of_no_examples_stop_the_run():
  checks = _judge(anomalies={"eval": anomalies_pb2.Anomalies(data_missing=True)})
  assert _failed(checks) == ["schema anomalies in eval"]
  assert checks["schema anomalies in eval"].reason == "The split has statistics of no examples."


def test_refusal_tells_what_failed_some_records_and_each_remedy_once():
  checks = _judge(
    examples={"train": 80, "val": 0, "eval": 0}, quarantined=20, anomalies={}, bound=0.1
  )
  rejected = iter([{"origin": f"a/{i}.png", "reason": "not a picture"} for i in range(7)])
  lines = refusal(list(checks.values()), rejected).splitlines()
  assert lines == [
    "The data is not fit to train on: 3 of 10 checks failed.",
    "- examples in val: 0, must be >= 1. The split is empty.",
    "- examples in eval: 0, must be >= 1. The split is empty.",
    "- rejected fraction: 0.2, must be <= 0.1. 20 of 100 records could not be used.",
    "The first rejected records:",
    *(f"  a/{i}.png: not a picture" for i in range(5)),
    "What to do:",
    "  Add data, or put some under every split where the input draws its own splits.",
    "  Mend or remove the rejected records, or raise data.max_bad_fraction knowingly.",
  ]


def test_refusal_shows_large_counts_in_full():
  checks = _judge(labels=_LABELS | {"val": {f"l{i}": 1 for i in range(12345)}})
  assert "unknown to train: 12345, must be 0." in refusal(list(checks.values()), iter(()))


def _artifact(artifact_type, path, splits=None):
  path.mkdir(parents=True, exist_ok=True)
  artifact = artifact_type()
  artifact.uri = str(path)
  if splits:
    artifact.split_names = artifact_utils.encode_split_names(splits)
  return artifact


def _validated(root, statistics):
  """ExampleValidator's own output for `statistics`, split to how many rows have a `label`."""
  found = _artifact(standard_artifacts.ExampleStatistics, root / "stats", list(statistics))
  for split, present in statistics.items():
    stats = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = stats.datasets.add(num_examples=10)
    feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    feature.path.step.append("label")
    common = feature.string_stats.common_stats
    common.num_non_missing, common.num_missing = present, 10 - present
    common.min_num_values = common.max_num_values = 1
    (root / "stats" / f"Split-{split}").mkdir()
    path = root / "stats" / f"Split-{split}" / "FeatureStats.pb"
    path.write_bytes(stats.SerializeToString())
  schema = text_format.Parse(
    'feature { name: "label" type: BYTES presence { min_fraction: 1.0 min_count: 1 } }',
    schema_pb2.Schema(),
  )
  schema_artifact = _artifact(standard_artifacts.Schema, root / "schema")
  (root / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(schema))
  anomalies = _artifact(standard_artifacts.ExampleAnomalies, root / "anomalies")
  ExampleValidatorExecutor().Do(
    {"statistics": [found], "schema": [schema_artifact]},
    {"anomalies": [anomalies]},
    {"exclude_splits": "[]"},
  )
  return anomalies


def _quarantine(root, rejected=()):
  made = _artifact(Quarantine, root / "quarantine")
  summary = {"examples": _COUNTS, "quarantined": len(rejected), "labels": _LABELS}
  (root / "quarantine" / "summary.json").write_text(json.dumps(summary))
  if rejected:
    lines = "".join(json.dumps(row) + "\n" for row in rejected)
    (root / "quarantine" / "rejected.jsonl").write_text(lines)
  return made


def test_component_reads_what_example_validator_wrote_and_passes(tmp_path):
  verdict = _artifact(GateVerdict, tmp_path / "verdict")
  DataGate.test_call(
    anomalies=_validated(tmp_path, {"train": 10, "val": 10, "eval": 10}),
    quarantine=_quarantine(tmp_path, [{"origin": "a.png", "reason": "empty file"}]),
    verdict=verdict,
    max_bad_fraction=0.05,
  )
  written = json.loads((tmp_path / "verdict" / "verdict.json").read_text())
  assert written["passed"] is True
  assert len(written["checks"]) == 10
  assert written["checks"][3] == {
    "name": "rejected fraction",
    "passed": True,
    "value": 1 / 101,
    "bound": "<= 0.05",
    "reason": "1 of 101 records could not be used.",
  }


def test_component_stops_on_a_real_anomaly_and_writes_nothing(tmp_path):
  with pytest.raises(DataRefusedError) as refused:
    DataGate.test_call(
      anomalies=_validated(tmp_path, {"train": 10, "val": 10, "eval": 7}),
      quarantine=_quarantine(tmp_path, [{"file": "b.png", "reason": "not a picture"}]),
      verdict=_artifact(GateVerdict, tmp_path / "verdict"),
      max_bad_fraction=0.05,
    )
  message = str(refused.value)
  assert "- schema anomalies in eval: 1, must be 0. label: " in message
  assert "schema anomalies in train" not in message
  assert "Rejected records:\n  b.png: not a picture\nWhat to do:" in message
  assert list((tmp_path / "verdict").iterdir()) == []


def test_component_needs_no_list_of_rejected_records(tmp_path):
  with pytest.raises(DataRefusedError, match="label: ") as refused:
    DataGate.test_call(
      anomalies=_validated(tmp_path, {"train": 9, "val": 10, "eval": 10}),
      quarantine=_quarantine(tmp_path),
      verdict=_artifact(GateVerdict, tmp_path / "verdict"),
      max_bad_fraction=0.0,
    )
  assert "ejected records:" not in str(refused.value)


_LOST = {
  "owl": {"inputs": 4, "named": True, "reasons": {"a WebP picture": 3, "empty": 1}},
  "slip": {"inputs": 1, "named": False, "reasons": {"the text is empty": 1}},
}


def _judge_lost(lost, **options):
  clean = {split: anomalies_pb2.Anomalies() for split in _COUNTS}
  summary = Summary.from_json({"examples": _COUNTS, "labels": _LABELS, "lost": lost})
  checks = judge(anomalies=clean, summary=summary, max_bad_fraction=0.05, **options)
  return {check.name: check for check in checks}


def test_a_class_of_which_nothing_could_be_used_stops_the_run_by_name():
  checks = _judge_lost(_LOST)
  assert _failed(checks) == ["classes without a usable example"]
  lost = checks["classes without a usable example"]
  assert lost.reason == "'owl': 4 inputs: a WebP picture (3); empty (1)."
  assert "--set data.allow_lost_classes=true" in lost.remedy


def test_a_class_may_be_lost_knowingly():
  checks = _judge_lost(_LOST, allow_lost_classes=True)
  assert _failed(checks) == []
  assert checks["classes without a usable example"].bound == "any, by data.allow_lost_classes"


def test_a_label_that_only_a_rejected_row_has_stops_nothing():
  assert "classes without a usable example" not in _judge_lost({"slip": _LOST["slip"]})


def test_component_writes_what_is_worth_knowing_and_says_it_in_a_refusal(tmp_path):
  gates = [{"metric": "skill", "direction": "higher", "bound": 0.3, "max_regression": None}]

  def run(name, sizes):
    DataGate.test_call(
      anomalies=_validated(tmp_path / name, sizes),
      quarantine=_quarantine(tmp_path / name),
      verdict=_artifact(GateVerdict, tmp_path / name / "verdict"),
      max_bad_fraction=0.0,
      findings_fn="pipeline.checks.gate_findings.findings",
      gates=json.dumps(gates),
    )

  run("good", {"train": 10, "val": 10, "eval": 10})
  found = json.loads((tmp_path / "good" / "verdict" / "verdict.json").read_text())["findings"]
  assert [finding["name"] for finding in found] == ["one_class", "missing_labels"]
  assert found[0]["what"] == "All 10 examples of eval are of one class, 'cat'."
  with pytest.raises(DataRefusedError, match="Warning: All 10 examples of eval are of one class"):
    run("bad", {"train": 9, "val": 10, "eval": 10})


def _gate_of_spans(tmp_path, spans, **options):
  quarantine = _quarantine(tmp_path)
  path = tmp_path / "quarantine" / "summary.json"
  summary = json.loads(path.read_text()) | {"spans": spans}
  path.write_text(json.dumps(summary))
  DataGate.test_call(
    anomalies=_validated(tmp_path, {"train": 10, "val": 10, "eval": 10}),
    quarantine=quarantine,
    verdict=_artifact(GateVerdict, tmp_path / "verdict"),
    max_bad_fraction=0.0,
    min_span_size=0.1,
    **options,
  )
  return json.loads((tmp_path / "verdict" / "verdict.json").read_text())


_SPANS = [
  *({"name": f"2026-11-0{day}", "content": str(day), "examples": {"train": 50}} for day in (1, 2)),
  {"name": "2026-11-03", "content": "3", "examples": {"train": 2}},
  {"name": "2026-11-04", "is_missing": True},
]


def test_faulty_spans_are_told_or_refused(tmp_path):
  told = _gate_of_spans(tmp_path / "warn", _SPANS)
  assert [(each["name"], each["level"], each["details"]) for each in told["findings"]] == [
    ("missing_spans", "warning", ["2026-11-04"]),
    ("small_spans", "warning", ["2026-11-03"]),
  ]
  assert told["findings"][1]["what"] == (
    "Spans smaller than usual, which is 50 rows: 2026-11-03 (2 rows)"
  )
  with pytest.raises(DataRefusedError, match=r"- faulty spans: 2, must be 0\. Missing spans: 2026"):
    _gate_of_spans(tmp_path / "refuse", _SPANS, missing_span="refuse")
  passed = _gate_of_spans(tmp_path / "whole", _SPANS[:2], missing_span="refuse")
  assert passed["checks"][-1]["reason"] == "All of 2 are there."
