"""The images task computes what its gates and its report need."""

import json

from pipeline.tasks.images.metrics import metrics


def test_names_of_what_is_computed():
  assert [json.loads(m.config)["name"] for m in metrics()] == [
    "example_count",
    "loss",
    "accuracy",
    "confusion_matrix",
    "skill",
    "calibration_error",
  ]


def test_each_call_gives_new_protos_because_gates_are_written_into_them():
  first, second = metrics(), metrics()
  first[0].per_slice_thresholds.add()
  assert not second[0].per_slice_thresholds
