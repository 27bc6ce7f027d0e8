"""The curves over scores: their numbers are those that the predictions give."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from pipeline.problems import rows as of_problems
from pipeline.rows import curves

_RANDOM = np.random.default_rng(7)


def _classes(rows, classes=3):
  """Returns scores that tie often, and the classes they are about."""
  scores = _RANDOM.dirichlet(np.ones(classes), rows).round(3)
  return scores, np.array([_RANDOM.choice(classes, p=each / each.sum()) for each in scores])


def test_areas_are_those_of_scikit_learn():
  scores, truth = _classes(2_000)
  is_true = np.eye(3, dtype=bool)[truth]
  found = curves.of_labels(["a", "b", "c"], scores, is_true)
  assert len(found) == 3
  assert [each["auc"] for each in found] == sorted(each["auc"] for each in found)
  for each in found:
    place = "abc".index(each["label"])
    known = is_true[:, place], scores[:, place]
    assert each["auc"] == pytest.approx(metrics.roc_auc_score(*known))
    assert each["average_precision"] == pytest.approx(metrics.average_precision_score(*known))
    assert (each["positives"], each["negatives"]) == (known[0].sum(), (~known[0]).sum())


def test_each_point_is_what_its_threshold_does():
  scores, truth = _classes(5_000)
  is_true = np.eye(3, dtype=bool)[truth]
  for each in curves.of_labels(["a", "b", "c"], scores, is_true):
    said, right = scores[:, "abc".index(each["label"])], is_true[:, "abc".index(each["label"])]
    assert 100 <= len(each["pr"]) <= 122
    for recall, precision, least in each["pr"]:
      kept = said >= least
      assert recall == pytest.approx((kept & right).sum() / right.sum())
      assert precision == pytest.approx(right[kept].mean())
    for alarms, hits, least in each["roc"][1:]:
      kept = said >= least
      assert alarms == pytest.approx((kept & ~right).sum() / (~right).sum())
      assert hits == pytest.approx((kept & right).sum() / right.sum())
    assert each["roc"][0][:2] == [0, 0]
    assert each["roc"][-1][:2] == [1, 1]


def test_of_two_classes_the_rarer_one_has_the_curve():
  scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
  is_true = np.array([[True, False], [True, False], [False, True]])
  assert [each["label"] for each in curves.of_labels(["no", "yes"], scores, is_true)] == ["yes"]
  assert [each["label"] for each in curves.of_labels(["no", "yes"], scores, ~is_true)] == ["no"]


def test_a_label_that_none_or_all_have_has_no_curve():
  is_true = np.array([[True, False, True], [True, False, False]])
  found = curves.of_labels(["all", "none", "some"], np.full((2, 3), 0.5), is_true)
  assert [(each["label"], each["auc"]) for each in found] == [("some", 0.5)]


def _answers(scores, right):
  table = pa.table({"score": pa.array(scores, pa.float32()), "right": right})
  return table.replace_schema_metadata({of_problems.MEASURE: b"score"})


def test_risk_by_coverage_counts_the_surest_first():
  found = curves.of_answers(_answers([0.5, 0.875, 0.75, 0.875], [False, True, False, True]))
  assert found["coverage"] == [[0.5, 0, 0.875], [0.75, 1 / 3, 0.75], [1, 0.5, 0.5]]
  assert found["area"] == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
  rows = {row["threshold"]: row for row in found["thresholds"]}
  assert rows[0.75] == {"threshold": 0.75, "count": 3, "share": 0.75, "risk": 1 / 3}
  assert rows[0.99] == {"threshold": 0.99, "count": 0, "share": 0, "risk": None}


def test_risk_of_texts_is_what_chrf_lacks():
  table = pa.table({"score": pa.array([-0.5, -2.0], pa.float32()), "chrf": [80.0, 20.0]})
  metadata = {of_problems.MEASURE: b"chrf", of_problems.SHOWN_AS: of_problems.SAMPLES}
  found = curves.of_answers(table.replace_schema_metadata(metadata))
  assert found["coverage"] == [[0.5, pytest.approx(0.2), -0.5], [1, pytest.approx(0.5), -2]]
  assert found["thresholds"] == []


def test_numbers_have_no_scores_and_no_curve():
  table = pa.table({"off": [1.0]}).replace_schema_metadata({of_problems.MEASURE: b"off"})
  assert curves.of_answers(table) is None


def test_a_label_that_the_model_does_not_know_is_none_of_its_labels():
  assert curves.truth(["a", "b"], [["b"], ["new"], ["a", "b"]]).tolist() == [
    [False, True],
    [False, False],
    [True, True],
  ]
