"""The kind `classes` computes what its gates and its report need."""

import json

from dlpipe.dotted_paths import load_function
from pipeline.problems.classes import GATES, PROBLEM

metrics = load_function(PROBLEM.metrics)


def test_names_of_what_is_computed():
  assert [json.loads(m.config)["name"] for m in metrics()] == [
    "example_count",
    "loss",
    "accuracy",
    "confusion_matrix",
    "skill",
    "calibration_error",
    "worst_recall",
    "coverage",
    "accepted_accuracy",
  ]


def test_each_call_gives_new_protos_because_gates_are_written_into_them():
  first, second = metrics(), metrics()
  first[0].per_slice_thresholds.add()
  assert not second[0].per_slice_thresholds


def test_gates_hold_what_is_computed():
  assert {gate.metric for gate in GATES} <= {json.loads(m.config)["name"] for m in metrics()}
