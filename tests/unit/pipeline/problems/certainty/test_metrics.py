"""Coverage and what is accepted, counted by TFMA's combiners from all outputs of a model."""

import numpy as np
import pytest
from tensorflow_model_analysis.metrics import metric_types

from pipeline.problems.certainty import metrics
from pipeline.problems.labels import NONE, UNKNOWN

_LABELS = [b"a", b"b", b"c"]


def _combined(combiner, rows, *more, model=""):
  names = ("value", "interval", "change", *more)
  keys = [metric_types.MetricKey(name=name, model_name=model) for name in names]
  made = combiner(None, *keys)
  parts = []
  for some in (rows[::2], rows[1::2]):
    accumulator = made.create_accumulator()
    for label, outputs in some:
      element = metric_types.StandardMetricInputs(
        label=np.asarray(label), prediction=outputs, example_weight=np.array([1.0])
      )
      accumulator = made.add_input(accumulator, element)
    parts.append(accumulator)
  return {k.name: v for k, v in made.extract_output(made.merge_accumulators(parts)).items()}


def _row(held, scores=(0.6, 0.3, 0.1), decision=b"accepted"):
  padded = [*held, *[b""] * (3 - len(held))]
  return {
    "scores": np.array(scores),
    "labels": np.array(_LABELS, object),
    "set": np.array(padded, object),
    "decision": np.array([decision], object),
  }


def test_a_label_is_covered_if_the_set_holds_it():
  rows = [
    ([0], _row([b"a"])),
    ([1], _row([b"a", b"b"])),
    ([2], _row([b"a", b"b"])),
    ([-1], _row([b"a"])),  # a label that the model does not know
  ]
  found = _combined(metrics._ClassCoverage, rows, "set_size")
  assert found["value"] == 2 / 4
  assert found["set_size"] == 6 / 4
  assert found["interval"][0] < 0.5 < found["interval"][1]


def test_of_several_labels_the_part_that_is_held_counts():
  rows = [
    ([0, 1, NONE], _row([b"a"])),
    ([0, UNKNOWN, NONE], _row([b"a", b"b"])),
    ([2, NONE, NONE], _row([b"c"])),
    ([NONE, NONE, NONE], _row([])),  # has no label that could be missed
  ]
  found = _combined(metrics._LabelCoverage, rows, "set_size")
  assert found["value"] == pytest.approx((0.5 + 0.5 + 1) / 3)
  low, high = found["interval"]
  assert 0 < low < found["value"] < high < 1


def test_a_number_is_covered_between_its_bounds():
  rows = [([label], {"value": 1.0, "low": 0.0, "high": 2.0}) for label in (-0.1, 0.0, 2.0, 1.0)]
  assert _combined(metrics._IntervalCoverage, rows)["value"] == 3 / 4


def test_the_accuracy_of_accepted_answers_and_their_part():
  rows = [
    ([0], _row([b"a"])),
    ([1], _row([b"a"])),
    ([0], _row([b"a"])),
    ([1], _row([b"a", b"b"], decision=b"unsure")),
  ]
  found = _combined(metrics._AcceptedClasses, rows, "accepted")
  assert (found["value"], found["accepted"]) == (2 / 3, 3 / 4)


def test_of_several_labels_all_must_be_right():
  rows = [
    ([0, NONE], _row([b"a"])),
    ([0, 1], _row([b"a"])),
    ([1, 0], _row([b"a", b"b"], scores=(0.6, 0.5, 0.1))),
  ]
  assert _combined(metrics._AcceptedSets, rows, "accepted")["value"] == 2 / 3


@pytest.mark.parametrize("outputs", [np.array([0.6, 0.4]), {"scores": np.array([0.6, 0.4])}])
def test_a_model_that_says_nothing_of_it_has_no_value(outputs):
  for combiner, more in (
    (metrics._ClassCoverage, "set_size"),
    (metrics._AcceptedClasses, "accepted"),
  ):
    assert np.isnan(_combined(combiner, [([0], outputs)], more)["value"])


def test_the_outputs_of_one_model_of_two_are_read():
  outputs = {"candidate": _row([b"a"]), "baseline": {"scores": np.array([0.6, 0.4])}}
  rows = [([0], outputs)]
  assert _combined(metrics._ClassCoverage, rows, "set_size", model="candidate")["value"] == 1
  assert np.isnan(_combined(metrics._ClassCoverage, rows, "set_size", model="baseline")["value"])
