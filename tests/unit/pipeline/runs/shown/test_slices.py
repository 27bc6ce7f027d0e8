"""Slices by need: many wrong answers that chance does not explain come first."""

import dataclasses

import pytest

from pipeline.evaluation import Evaluation
from pipeline.problems import intervals
from pipeline.runs.shown import slices

_EMPTY = Evaluation(metrics={}, baseline={}, slices=[], confusion={}, calibration=[])


def _slice(value, **metrics):
  return {"feature": "size", "value": value, "metrics": metrics}


def test_a_slice_of_a_few_rows_never_comes_first():
  found = dataclasses.replace(
    _EMPTY,
    metrics={"accuracy": 0.9},
    slices=[
      _slice("fine", accuracy=0.95, example_count=500),
      _slice("three", accuracy=0.33, example_count=3),
      _slice("worse", accuracy=0.7, example_count=200),
      _slice("worst", accuracy=0.7, example_count=800),
    ],
  )
  shown = slices.by_need(found)
  assert [each["value"] for each in shown[:2]] == ["worst", "worse"]
  assert {each["value"] for each in shown[2:]} == {"fine", "three"}
  assert shown[0]["interval"] == pytest.approx(intervals.share(560, 800))


def test_slices_without_an_accuracy_keep_their_order():
  found = dataclasses.replace(_EMPTY, slices=[_slice("b", bleu=3.0), _slice("a", bleu=2.0)])
  assert [(each["value"], each["interval"]) for each in slices.by_need(found)] == [
    ("b", None),
    ("a", None),
  ]
