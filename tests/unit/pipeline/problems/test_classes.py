"""The kind `classes` computes what its gates and its report need."""

import json
import types

import pytest
import tensorflow as tf

from dlpipe.dotted_paths import load_function
from pipeline.problems import classes
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


def test_scores_are_float32_of_a_network_in_half_precision():
  graph = types.SimpleNamespace(vocabulary_by_name=lambda name: [b"low", b"high"])
  found = classes.answer(graph, "labels", {})(tf.constant([[1.0, 3.0]], tf.float16), {})
  assert (found["scores"].dtype, found["score"].dtype) == (tf.float32, tf.float32)
  assert found["score"].numpy()[0] == pytest.approx(0.8808, abs=1e-4)


def test_a_network_has_a_logit_for_each_label():
  graph = types.SimpleNamespace(vocabulary_size_by_name=lambda name: {"kinds": 4}[name])
  assert classes.units(graph, "kinds") == 4
