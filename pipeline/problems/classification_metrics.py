"""TFMA metrics for classification: the usual ones, and those that gates need.

A label that a model does not know has the id -1, because another model may have been trained with
more classes. The model is wrong on such a row. Each metric that a gate may name also emits its
confidence interval and, if two models are compared, the interval of their difference; see
`pipeline.problems.paired_metrics`.

`skill` compares the model with always answering the most frequent class. `calibration_error` tells
whether a score of 0.9 is right nine times in ten, and `auc` whether scores rank well at every
threshold. TFMA imports the classes by name, so this module must be importable on Beam workers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from dlpipe.fingerprint import code_fingerprint
from pipeline.problems import intervals
from pipeline.problems.calibration import BINS, LEAST_SCORE, binned_errors
from pipeline.problems.certainty import metrics as certainty
from pipeline.problems.classes import WORST_NAME, WORST_RECALL, WORST_ROWS
from pipeline.problems.paired_metrics import PairedCombiner, RightCombiner, Scored, paired_metric

BINS_NAME = "calibration_bins"
CONFUSION_NAME = "confusion_matrix"
GUESSING_LOSS = "guessing_loss"
COMMON_NAME = "accuracy_where_both_know"
# Scores are rounded to 1 / _RANKS, which changes an AUC by less than that.
_RANKS = 4096


def classification_metrics(*, auc: bool = False) -> list[config_pb2.MetricConfig]:
  """Returns the metrics over integer labels and `[classes]` scores.

  Args:
    auc: whether to add the AUC, which takes memory for each class and slice.
  """
  code = code_fingerprint(__name__)
  # With a threshold of 0 every prediction counts; TFMA's default of 0.5 drops lower scores.
  return [
    _metric("ExampleCount", "example_count"),
    _metric("Loss", "loss", module=__name__, code=code),
    _metric("Accuracy", "accuracy", module=__name__, code=code),
    _metric("MultiClassConfusionMatrixPlot", CONFUSION_NAME, thresholds=[0.0]),
    _metric("Skill", "skill", module=__name__, code=code),
    _metric("CalibrationError", "calibration_error", module=__name__, code=code),
    _metric("WorstRecall", WORST_RECALL, module=__name__, code=code),
    *certainty.of_classes(),
    *([_metric("Auc", "auc", module=__name__, code=code)] if auc else []),
  ]


def ranked_metrics() -> list[config_pb2.MetricConfig]:
  """Returns `classification_metrics` with the AUC."""
  return classification_metrics(auc=True)


def _metric(class_name: str, name: str, module: str = "", **config: Any):
  return config_pb2.MetricConfig(
    class_name=class_name, module=module, config=json.dumps({"name": name, **config})
  )


class Loss(metric_types.Metric):
  """The mean cross-entropy, in nats; also emits `guessing_loss`.

  `guessing_loss` is the loss of always answering with each class's share of the rows. A model with
  a larger loss is worse than one that ignores the input.
  """

  def __init__(self, name: str = "loss", code: str = ""):
    """`code` is this module's fingerprint: an edited metric is computed again."""
    super().__init__(paired_metric(_LossCombiner, GUESSING_LOSS), name=name)


class Accuracy(metric_types.Metric):
  """The share of rows whose label has the highest score.

  If two models are compared, also emits `accuracy_where_both_know`, `[3]` float64: the number of
  rows whose label both models know, this model's accuracy on them, and the other model's.
  """

  def __init__(self, name: str = "accuracy", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_AccuracyCombiner, COMMON_NAME), name=name)


class Skill(metric_types.Metric):
  """The part of the majority guess's errors that the model avoids: (accuracy - m) / (1 - m).

  m is the share of the most frequent label. 1 is perfect, 0 equals always guessing that label, and
  less than 0 is worse. A slice with one label has no majority error, so its value is nan.
  """

  def __init__(self, name: str = "skill", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_SkillCombiner), name=name)


class CalibrationError(metric_types.Metric):
  """Expected calibration error over ten equal bins of the winning score.

  Also emits `calibration_bins`, `[10, 3]` float64: count, summed score and right answers per bin.

  Source: Guo et al. 2017, "On Calibration of Modern Neural Networks",
  https://arxiv.org/abs/1706.04599
  """

  def __init__(self, name: str = "calibration_error", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_CalibrationCombiner, BINS_NAME), name=name)


class WorstRecall(metric_types.Metric):
  """The least recall of a class: the share of its rows that the model answers with it.

  A class counts if it has at least 20 rows and the model knows it; if none has, the value is nan.
  Also emits `worst_class`, `[3]` float64: its id, its right rows and its rows.
  """

  def __init__(self, name: str = WORST_RECALL, code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_WorstCombiner, WORST_NAME), name=name)


class Auc(metric_types.Metric):
  """The area under the ROC curve, averaged over the classes.

  Each class is compared with the rest; two classes have equal values. 1 is perfect, 0.5 is chance.
  A class that all examples of a slice have, or none, does not count; if no class counts, the value
  is nan.

  Its interval is that of the least certain class (`intervals.area`).

  Source: Hanley and McNeil 1982, "The Meaning and Use of the Area under a Receiver Operating
  Characteristic (ROC) Curve", https://doi.org/10.1148/radiology.143.1.7063747
  """

  def __init__(self, name: str = "auc", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_AucCombiner), name=name)


def _is_right(row: Scored) -> int:
  return int(np.argmax(row.prediction) == row.label)


class _LossCombiner(PairedCombiner):
  """Accumulates rows, sums of losses and squared losses, the same of differences, and labels."""

  def create_accumulator(self) -> tuple[np.ndarray, dict[int, int]]:
    return np.zeros(6), {}

  def add_input(self, accumulator, element):
    sums, counts = accumulator
    row, old = self.rows(element)
    loss = _loss(row)
    sums[:3] += (1, loss, loss * loss)
    counts[row.label] = counts.get(row.label, 0) + 1
    if old is not None:
      change = loss - _loss(old)
      sums[3:] += (1, change, change * change)
    return sums, counts

  def merge_accumulators(self, accumulators: Iterable):
    pairs = list(accumulators)
    return np.sum([sums for sums, _ in pairs], axis=0), _merged(counts for _, counts in pairs)

  def extract_output(self, accumulator):
    (n, total, squares, pairs, change, change_squares), counts = accumulator[0], accumulator[1]
    shares = [count / n for count in counts.values()]
    return self.output(
      total / n if n else math.nan,
      intervals.mean_from_zero(total, squares, n),
      intervals.mean(change, change_squares, pairs),
      -sum(share * math.log(share) for share in shares) if shares else math.nan,
    )


def _loss(row: Scored) -> float:
  known = 0 <= row.label < len(row.prediction)
  score = float(row.prediction[row.label]) if known else 0.0
  return -math.log(max(score, LEAST_SCORE)) if score == score else math.nan


class _RightCombiner(RightCombiner):
  """A row is right if its label has the largest score."""

  def is_right(self, row: Scored) -> int:
    return _is_right(row)


class _AccuracyCombiner(_RightCombiner):
  """Adds `[3]` of rows whose label both models know: rows, right now, right before."""

  def create_accumulator(self) -> np.ndarray:
    return np.zeros(8, np.int64)

  def add_input(self, accumulator, element):
    super().add_input(accumulator[:5], element)
    row, old = self.rows(element)
    if old is not None and row.label >= 0 and old.label >= 0:
      accumulator[5:] += (1, _is_right(row), _is_right(old))
    return accumulator

  def extract_output(self, accumulator):
    count, right, pairs, gained, lost, known, now, before = accumulator.tolist()
    return self.output(
      right / count if count else math.nan,
      intervals.share(right, count),
      intervals.paired_shares(gained, lost, pairs),
      np.array([known, now / known, before / known] if known else [math.nan] * 3),
    )


class _SkillCombiner(_RightCombiner):
  """Adds the count of each label."""

  def create_accumulator(self):
    return super().create_accumulator(), {}

  def add_input(self, accumulator, element):
    sums, counts = accumulator
    label = self.rows(element)[0].label
    counts[label] = counts.get(label, 0) + 1
    return super().add_input(sums, element), counts

  def merge_accumulators(self, accumulators: Iterable):
    pairs = list(accumulators)
    sums = super().merge_accumulators(sums for sums, _ in pairs)
    return sums, _merged(counts for _, counts in pairs)

  def extract_output(self, accumulator):
    (n, right, pairs, gained, lost), counts = accumulator[0].tolist(), accumulator[1]
    majority = max(counts.values(), default=0)
    if n <= majority:
      return self.output(math.nan, intervals.NONE, intervals.NONE)
    # The interval treats the majority's share as known.
    low, high = ((n * bound - majority) / (n - majority) for bound in intervals.share(right, n))
    worse, better = (n * c / (n - majority) for c in intervals.paired_shares(gained, lost, pairs))
    return self.output((right - majority) / (n - majority), (low, high), (worse, better))


def _merged(several: Iterable[dict[int, int]]) -> dict[int, int]:
  merged: dict[int, int] = {}
  for counts in several:
    for label, count in counts.items():
      merged[label] = merged.get(label, 0) + count
  return merged


class _WorstCombiner(PairedCombiner):
  """Accumulates, by id, the rows of each class and how many of them are right."""

  def create_accumulator(self) -> dict[int, np.ndarray]:
    return {}

  def add_input(self, accumulator, element):
    row, _ = self.rows(element)
    if row.label >= 0:
      counted = np.array([_is_right(row), 1])
      accumulator[row.label] = accumulator.get(row.label, 0) + counted
    return accumulator

  def merge_accumulators(self, accumulators: Iterable):
    merged: dict[int, np.ndarray] = {}
    for counts in accumulators:
      for label, counted in counts.items():
        merged[label] = merged.get(label, 0) + counted
    return merged

  def extract_output(self, accumulator):
    found = [
      (right / rows, label, right, rows)
      for label, (right, rows) in sorted(accumulator.items())
      if rows >= WORST_ROWS
    ]
    if not found:
      return self.output(math.nan, intervals.NONE, intervals.NONE, np.full(3, math.nan))
    recall, label, right, rows = min(found)
    interval = intervals.share(right, rows)
    return self.output(recall, interval, intervals.NONE, np.array([label, right, rows], float))


class _CalibrationCombiner(PairedCombiner):
  """Accumulates the bins, `[both models, 1 + replicates, 10, 3]`; replicate 0 is the data."""

  def create_accumulator(self) -> np.ndarray:
    return np.zeros((2, 1 + intervals.REPLICATES, BINS, 3))

  def add_input(self, accumulator, element):
    row, old = self.rows(element)
    weights = np.concatenate([[1], intervals.bootstrap_weights(row.content)])
    for bins, each in zip(accumulator, (row, old), strict=True):
      if each is not None:
        winner = int(np.argmax(each.prediction))
        score = float(each.prediction[winner])
        counted = np.array([1, score, winner == each.label])
        bins[:, min(int(score * BINS), BINS - 1)] += weights[:, np.newaxis] * counted
    return accumulator

  def merge_accumulators(self, accumulators: Iterable):
    return np.sum(list(accumulators), axis=0)

  def extract_output(self, accumulator):
    errors = binned_errors(accumulator)
    return self.output(
      float(errors[0, 0]),
      intervals.percentiles(errors[0, 1:]),
      intervals.percentiles(errors[0, 1:] - errors[1, 1:]),
      accumulator[0, 0],
    )


class _AucCombiner(PairedCombiner):
  """Accumulates a histogram of each class's scores: `[classes, rows of others or own, ranks]`."""

  def create_accumulator(self) -> np.ndarray | None:
    return None

  def add_input(self, accumulator, element):
    row, _ = self.rows(element)
    if accumulator is None:
      accumulator = np.zeros((len(row.prediction), 2, _RANKS), np.int64)
    ranks = np.clip((row.prediction * _RANKS).astype(int), 0, _RANKS - 1)
    for index, rank in enumerate(ranks):
      accumulator[index, int(index == row.label), rank] += 1
    return accumulator

  def merge_accumulators(self, accumulators: Iterable):
    filled = [a for a in accumulators if a is not None]
    return np.sum(filled, axis=0) if filled else None

  def extract_output(self, accumulator):
    if accumulator is None:
      return self.output(math.nan, intervals.NONE, intervals.NONE)
    others, own = accumulator[:, 0].astype(float), accumulator[:, 1].astype(float)
    # A pair with equal ranks counts half.
    below = np.cumsum(others, axis=1) - others / 2
    pairs = others.sum(axis=1) * own.sum(axis=1)
    ranked = pairs > 0
    if not ranked.any():
      return self.output(math.nan, intervals.NONE, intervals.NONE)
    value = float(((own * below).sum(axis=1)[ranked] / pairs[ranked]).mean())
    least = np.argmin(np.where(ranked, np.minimum(others.sum(axis=1), own.sum(axis=1)), np.inf))
    interval = intervals.area(value, own[least].sum(), others[least].sum())
    return self.output(value, interval, intervals.NONE)
