"""`compare`: numbers within a tolerance, strings equal but for true ties."""

import dataclasses
import math

import numpy as np
import pytest

from components.serving_gate.compare import compare, padded


def _compare(got, expected, tolerance=1e-5, answers=None):
  results = compare(
    {k: np.asarray(v) for k, v in got.items()},
    {k: np.asarray(v) for k, v in expected.items()},
    loader="TF1",
    signature="s",
    batch=2,
    tolerance=tolerance,
    answers=answers,
  )
  return {r.output: (r.passed, r.max_difference, r.reason) for r in results}


def test_equal_outputs_pass_with_no_difference():
  outputs = {"label": [b"a", b"b"], "score": np.float32([0.25, 0.5]), "n": [1, 2]}
  assert _compare(outputs, outputs) == {
    "label": (True, 0.0, ""),
    "score": (True, 0.0, ""),
    "n": (True, 0.0, ""),
  }


def test_result_names_its_path():
  (result,) = compare({}, {"x": np.ones(1)}, loader="TF2", signature="t", batch=3, tolerance=0.0)
  assert dataclasses.asdict(result) == {
    "loader": "TF2",
    "signature": "t",
    "output": "x",
    "batch": 3,
    "max_difference": None,
    "passed": False,
    "reason": "the signature has no such output",
    "slack": 1.0,
  }


@pytest.mark.parametrize(("tolerance", "passed"), [(0.25, True), (0.2499, False)])
def test_the_tolerance_is_inclusive(tolerance, passed):
  found = _compare({"x": [1.0, 0.75]}, {"x": [1.0, 0.5]}, tolerance)["x"]
  assert found[:2] == (passed, 0.25)


@pytest.mark.parametrize(("tolerance", "passed"), [(0.25, True), (0.2499, False)])
def test_of_larger_numbers_it_is_a_part_of_the_largest(tolerance, passed):
  # 100 of 400: a price near 0 may be off by as much as one of 400.
  found = _compare({"x": [400.0, 101.0]}, {"x": [400.0, 1.0]}, tolerance)["x"]
  assert found[:2] == (passed, 0.25)


def test_a_difference_names_the_worst_row():
  got = {"x": [[0.0, 0.0], [0.0, 0.001], [0.5, 0.0]]}
  assert _compare(got, {"x": np.zeros((3, 2))})["x"] == (
    False,
    0.5,
    "differs by 0.5 in row 2; tolerated are 1e-05",
  )


@pytest.mark.parametrize(
  ("got", "expected", "passed"),
  [
    (math.nan, 1.0, False),
    (math.nan, math.nan, False),
    (1.0, math.nan, False),
    (-math.inf, -math.inf, True),
    (math.inf, -math.inf, False),
    (math.inf, 1.0, False),
  ],
)
def test_numbers_that_are_not_finite(got, expected, passed):
  found = _compare({"x": [0.0, got]}, {"x": [0.0, expected]})["x"]
  assert found[0] is passed
  assert found[1] == (0.0 if passed else None)
  assert passed or found[2].endswith("in row 1")


def test_shapes_must_agree():
  found = _compare({"x": np.zeros((2, 1))}, {"x": np.zeros(2)})["x"]
  assert found == (False, None, "has the shape [2, 1], expected [2]")


def test_a_number_is_no_string():
  passed, difference, reason = _compare({"x": [b"1"]}, {"x": [1.0]})["x"]
  assert (passed, difference) == (False, None)
  assert reason == "is of type |S1, expected float64"


def test_an_output_nobody_expects_is_refused():
  found = _compare({"x": [1.0], "y": [1.0]}, {"x": [1.0]})["y"]
  assert found == (False, None, "the training process recorded no expectation of this output")


def test_bytes_objects_and_text_compare_as_utf8():
  got = {"x": np.array(["né".encode(), b""], object)}
  assert _compare(got, {"x": ["né", ""]})["x"] == (True, 0.0, "")


def test_unequal_strings_are_shown():
  found = _compare({"x": [b"a", b"dog"]}, {"x": [b"a", b"cat"]})["x"]
  assert found == (False, None, "is 'dog', expected 'cat' in row 1")


def _classified(label, scores):
  return {"label": [label], "labels": [[b"cat", b"dog", b"owl"]], "scores": [scores]}


@pytest.mark.parametrize(("gap", "passed"), [(0.0, True), (0.9e-5, True), (1.1e-5, False)])
def test_a_label_may_flip_only_where_its_scores_tie(gap, passed):
  scores = [0.4, 0.4 - gap, 0.2]
  found = _compare(_classified(b"dog", scores), _classified(b"cat", scores))["label"]
  assert found[0] is passed
  assert found[1] == (pytest.approx(gap) if passed else None)


def test_a_score_that_is_no_number_ties_with_none():
  scores = [0.4, math.nan, 0.2]
  assert _compare(_classified(b"dog", scores), _classified(b"cat", scores))["label"][0] is False


def test_labels_without_a_score_each_never_tie():
  expected = {**_classified(b"cat", [0.4, 0.4]), "labels": [[b"cat", b"dog", b"owl"]]}
  found = _compare({**expected, "label": [b"dog"]}, expected)["label"]
  assert found == (False, None, "is 'dog', expected 'cat' in row 0")


def test_a_label_outside_the_vocabulary_never_ties():
  scores = [0.4, 0.4, 0.2]
  found = _compare(_classified(b"fox", scores), _classified(b"cat", scores))["label"]
  assert found[0] is False


def test_ties_are_looked_up_in_the_right_row():
  expected = {
    "label": [b"cat", b"cat"],
    "labels": [[b"cat", b"dog"], [b"cat", b"dog"]],
    "scores": [[0.5, 0.5], [0.9, 0.1]],
  }
  found = _compare({**expected, "label": [b"dog", b"dog"]}, expected)["label"]
  assert found == (False, None, "is 'dog', expected 'cat' in row 1")


def test_classes_tie_as_labels_do():
  expected = {"classes": [[b"cat", b"dog"]], "scores": [[0.5, 0.5]]}
  got = {"classes": [[b"dog", b"cat"]], "scores": [[0.5, 0.5]]}
  assert _compare(got, expected)["classes"] == (True, 0.0, "")


def test_arrays_are_padded_to_the_longest():
  short, long = padded([np.array([[b"a"]]), np.array([[b"b", b"c"]])])
  assert short.tolist() == [[b"a", b""]]
  assert long.tolist() == [[b"b", b"c"]]
  one, other = padded([np.ones((1, 2, 1)), np.ones((1, 1, 3))])
  assert (one.shape, other.shape) == ((1, 2, 3), (1, 2, 3))
  assert (one.sum(), other.sum()) == (2, 3)


def test_explanations_may_be_padded_and_nothing_else_may():
  got = {"tokens": [[b"good"], [b"bad"]], "contributions": [[0.5], [0.25]]}
  expected = {
    "tokens": [[b"good", b""], [b"bad", b""]],
    "contributions": [[0.5, 0.0], [0.25, 0.0]],
  }
  assert all(passed for passed, _, _ in _compare(got, expected, answers={}).values())
  found = _compare(got, expected)
  assert found["tokens"][2] == "has the shape [2, 1], expected [2, 2]"
  # The mean difference of a row, as a part of the largest number.
  expected["contributions"][1][1] = 0.5
  assert _compare(got, expected, answers={})["contributions"][:2] == (False, 0.5)


def test_of_two_labels_that_are_both_right_either_may_be_explained():
  answers = {
    "scores": np.array([[0.5, 0.5], [0.9, 0.1]]),
    "labels": np.array([[b"cat", b"dog"]] * 2),
  }
  got = {"label": [b"dog", b"cat"], "map": [[1.0], [2.0]]}
  expected = {"label": [b"cat", b"cat"], "map": [[-1.0], [2.0]]}
  assert all(passed for passed, _, _ in _compare(got, expected, answers=answers).values())
  expected["map"][1] = [3.0]
  assert not _compare(got, expected, answers=answers)["map"][0]
  got["label"] = [b"dog", b"dog"]
  assert not _compare(got, expected, answers=answers)["label"][0]
