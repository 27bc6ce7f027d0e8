"""TFMA metrics for tasks that choose one class: the usual ones, and those that gates need.

`skill` says what accuracy cannot: how much better than always guessing the commonest class.
`calibration_error` says whether a score of 0.9 is right nine times in ten, and `auc` whether scores
rank well, wherever one draws the line. TFMA imports the classes by name, so this module must be
importable on Beam workers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from pipeline.metric_computations import computations
from pipeline.user_functions import code_fingerprint

BINS = 10
BINS_NAME = "calibration_bins"
CONFUSION_NAME = "confusion_matrix"
# Scores are told apart to this part of 1, which moves an AUC by less than as much.
_RANKS = 4096


def classification_metrics(*, auc: bool = False) -> list[config_pb2.MetricConfig]:
  """Metrics over integer labels and `[classes]` scores.

  Args:
    auc: whether to rank, too, which takes memory for each class and slice.
  """
  code = code_fingerprint(__name__)
  # A threshold of 0 makes every prediction count: TFMA's default of 0.5 would drop the unsure.
  return [
    _metric("ExampleCount", "example_count"),
    _metric("SparseCategoricalCrossentropy", "loss"),
    _metric("SparseCategoricalAccuracy", "accuracy"),
    _metric("MultiClassConfusionMatrixPlot", CONFUSION_NAME, thresholds=[0.0]),
    _metric("Skill", "skill", module=__name__, code=code),
    _metric("CalibrationError", "calibration_error", module=__name__, code=code),
    *([_metric("Auc", "auc", module=__name__, code=code)] if auc else []),
  ]


def _metric(class_name: str, name: str, module: str = "", **config: Any):
  return config_pb2.MetricConfig(
    class_name=class_name, module=module, config=json.dumps({"name": name, **config})
  )


class Skill(metric_types.Metric):
  """The part of the majority guess's errors that the model avoids: (accuracy - m) / (1 - m).

  m is the commonest label's share. 1 is perfect, 0 is no better than always guessing that label,
  and less than 0 is worse. A slice of one label has no majority error to avoid: nan.
  """

  def __init__(self, name: str = "skill", code: str = ""):
    """`code` is this module's fingerprint: an edited metric is computed again."""
    super().__init__(computations(_SkillCombiner), name=name)


class CalibrationError(metric_types.Metric):
  """Expected calibration error over ten equal bins of the winning score.

  Also emits `calibration_bins`, `[10, 3]` float64: count, summed score and right answers per bin.

  Source: Guo et al. 2017, "On Calibration of Modern Neural Networks",
  https://arxiv.org/abs/1706.04599
  """

  def __init__(self, name: str = "calibration_error", code: str = ""):
    """`code` as for `Skill`."""
    super().__init__(computations(_CalibrationCombiner, BINS_NAME), name=name)


class Auc(metric_types.Metric):
  """The mean over the classes of how surely a class's examples score higher in it than the others.

  One against the rest; of two classes both have the same value. 1 is perfect, 0.5 is chance. A
  class that all examples of a slice have, or none, ranks nothing; a slice of such classes only has
  nan.

  Source: Hanley and McNeil 1982, "The Meaning and Use of the Area under a Receiver Operating
  Characteristic (ROC) Curve", https://doi.org/10.1148/radiology.143.1.7063747
  """

  def __init__(self, name: str = "auc", code: str = ""):
    """`code` as for `Skill`."""
    super().__init__(computations(_AucCombiner), name=name)


class _Combiner(beam.CombineFn):
  """What both combiners know of the evaluation: where a model's label and scores are."""

  def __init__(self, eval_config: config_pb2.EvalConfig | None, key: metric_types.MetricKey):
    self._eval_config, self._key = eval_config, key

  def _label_and_scores(self, element: metric_types.StandardMetricInputs) -> tuple[int, np.ndarray]:
    [(label, scores, _)] = metric_util.to_label_prediction_example_weight(
      element,
      eval_config=self._eval_config,
      model_name=self._key.model_name,
      output_name=self._key.output_name,
      flatten=False,
      allow_none=False,
    )
    return int(np.ravel(label)[0]), np.ravel(scores)


class _SkillCombiner(_Combiner):
  """Accumulates right answers and how often each label occurs."""

  def create_accumulator(self) -> tuple[int, dict[int, int]]:
    return 0, {}

  def add_input(self, accumulator, element):
    right, counts = accumulator
    label, scores = self._label_and_scores(element)
    counts[label] = counts.get(label, 0) + 1
    return right + int(np.argmax(scores) == label), counts

  def merge_accumulators(self, accumulators: Iterable):
    total = 0
    merged: dict[int, int] = {}
    for right, counts in accumulators:
      total += right
      for label, count in counts.items():
        merged[label] = merged.get(label, 0) + count
    return total, merged

  def extract_output(self, accumulator):
    right, counts = accumulator
    n = sum(counts.values())
    majority = max(counts.values(), default=0)
    return {self._key: (right - majority) / (n - majority) if n > majority else float("nan")}


class _CalibrationCombiner(_Combiner):
  """Accumulates the bins as one small array."""

  def __init__(
    self,
    eval_config: config_pb2.EvalConfig | None,
    error: metric_types.MetricKey,
    bins: metric_types.MetricKey,
  ):
    super().__init__(eval_config, error)
    self._bins = bins

  def create_accumulator(self) -> np.ndarray:
    return np.zeros((BINS, 3))

  def add_input(self, accumulator, element):
    label, scores = self._label_and_scores(element)
    winner = int(np.argmax(scores))
    score = float(scores[winner])
    accumulator[min(int(score * BINS), BINS - 1)] += (1, score, winner == label)
    return accumulator

  def merge_accumulators(self, accumulators: Iterable):
    return np.sum(list(accumulators), axis=0)

  def extract_output(self, accumulator):
    count = accumulator[:, 0].sum()
    gaps = np.abs(accumulator[:, 1] - accumulator[:, 2]).sum()
    return {self._key: gaps / count if count else float("nan"), self._bins: accumulator}


class _AucCombiner(_Combiner):
  """Accumulates a histogram of each class's scores: `[classes, others or its own, ranks]`."""

  def create_accumulator(self) -> np.ndarray | None:
    return None

  def add_input(self, accumulator, element):
    label, scores = self._label_and_scores(element)
    if accumulator is None:
      accumulator = np.zeros((len(scores), 2, _RANKS), np.int64)
    ranks = np.clip((scores * _RANKS).astype(int), 0, _RANKS - 1)
    for index, rank in enumerate(ranks):
      accumulator[index, int(index == label), rank] += 1
    return accumulator

  def merge_accumulators(self, accumulators: Iterable):
    filled = [a for a in accumulators if a is not None]
    return np.sum(filled, axis=0) if filled else None

  def extract_output(self, accumulator):
    if accumulator is None:
      return {self._key: float("nan")}
    others, own = accumulator[:, 0].astype(float), accumulator[:, 1].astype(float)
    # Of pairs in one rank, half count.
    below = np.cumsum(others, axis=1) - others / 2
    pairs = others.sum(axis=1) * own.sum(axis=1)
    ranked = pairs > 0
    won = (own * below).sum(axis=1)[ranked] / pairs[ranked]
    return {self._key: float(won.mean()) if ranked.any() else float("nan")}
