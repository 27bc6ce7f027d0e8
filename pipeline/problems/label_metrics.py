"""TFMA metrics for multi-label answers: F1, average precision, and `skill`.

A row's label is `[most]` int64: the ids of its labels, then `NONE`; `UNKNOWN` is a label that the
model does not know and so misses. A prediction is `[labels]` float32, a probability for each label.
Metrics emit their confidence intervals if these are known, as in `paired_metrics`. TFMA imports the
classes by name, so this module must be importable on Beam workers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from pipeline.problems import intervals
from pipeline.problems.calibration import LEAST_SCORE
from pipeline.problems.certainty import metrics as certainty
from pipeline.problems.classification_metrics import GUESSING_LOSS
from pipeline.problems.labels import COUNTS_NAME, NONE, THRESHOLD, UNKNOWN
from pipeline.problems.paired_metrics import (
  PairedCombiner,
  RightCombiner,
  Scored,
  named_metrics,
  paired_metric,
)

_RANKS = 512


def label_metrics() -> list[config_pb2.MetricConfig]:
  """Returns the metrics over ids of labels and `[labels]` scores."""
  named = {
    "Loss": "loss",
    "Skill": "skill",
    "MicroF1": "micro_f1",
    "MacroF1": "macro_f1",
    "AveragePrecision": "average_precision",
    "ExactLabels": "exact_match",
  }
  return [*named_metrics(__name__, named), *certainty.of_labels()]


class Loss(metric_types.Metric):
  """The mean binary cross-entropy over rows and labels, in nats; also emits `guessing_loss`.

  `guessing_loss` is the loss of always answering with each label's share of the rows.
  """

  def __init__(self, name: str = "loss", code: str = ""):
    """`code` is this module's fingerprint: an edited metric is computed again."""
    super().__init__(paired_metric(_LossCombiner, GUESSING_LOSS), name=name)


class Skill(metric_types.Metric):
  """The part of the base rates' squared error that the model avoids: the Brier skill score.

  1 is perfect; 0 equals always answering each label with its share of these rows, the best
  constant; less than 0 is worse. If all rows have the same labels, the value is nan.

  Source: Brier 1950, "Verification of Forecasts Expressed in Terms of Probability".
  """

  def __init__(self, name: str = "skill", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_SkillCombiner), name=name)


class MicroF1(metric_types.Metric):
  """F1 over all pairs of row and label."""

  def __init__(self, name: str = "micro_f1", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_MicroCombiner), name=name)


class MacroF1(metric_types.Metric):
  """The mean of each label's F1: a rare label counts as much as a common one.

  Labels that no row has and no answer contains do not count. Also emits `label_counts`,
  `[labels, 3]` float64: each label's true positives, false positives and false negatives.
  """

  def __init__(self, name: str = "macro_f1", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_MacroCombiner, COUNTS_NAME), name=name)


class AveragePrecision(metric_types.Metric):
  """The area under the precision-recall curve, averaged over the labels.

  Labels that no row has do not count. Guessing gets each label's share of the rows.
  """

  def __init__(self, name: str = "average_precision", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_PrecisionCombiner), name=name)


class ExactLabels(metric_types.Metric):
  """The share of rows whose answer is exactly the set of their labels."""

  def __init__(self, name: str = "exact_match", code: str = ""):
    """`code` as for `Loss`."""
    super().__init__(paired_metric(_ExactCombiner), name=name)


class _Labelled(tuple):
  """The true labels of a row: `(truth [labels] float64 of 0 and 1, number of unknown labels)`."""


class _LabelCombiner(PairedCombiner):
  """Reads ids of labels and scores."""

  def read(self, label: Any, prediction: Any) -> Scored:
    scores = np.ravel(prediction).astype(float)
    ids = np.ravel(label).astype(int)
    truth = np.zeros(len(scores))
    truth[ids[(ids >= 0) & (ids < len(scores))]] = 1
    content = np.concatenate([ids[ids != NONE], scores.astype(np.float32)])
    return Scored(
      _Labelled((truth, int((ids == UNKNOWN).sum()))), scores, content.astype(np.float32).tobytes()
    )


class _MeanCombiner(_LabelCombiner):
  """Accumulates rows, sums of values and squares, the same of differences, and label counts."""

  def create_accumulator(self) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(6), np.zeros(1)

  def add_input(self, accumulator, element):
    sums, counts = accumulator
    row, old = self.rows(element)
    value = self.value(row)
    sums[:3] += (1, value, value * value)
    if old is not None:
      change = value - self.value(old)
      sums[3:] += (1, change, change * change)
    truth, unknown = row.label
    return sums, _added(counts, np.append(truth, unknown))

  def merge_accumulators(self, accumulators: Iterable):
    sums, counts = zip(*accumulators, strict=True)
    merged = counts[0]
    for each in counts[1:]:
      merged = _added(merged, each)
    return np.sum(sums, axis=0), merged

  def value(self, row: Scored) -> float:
    """Returns the row's value."""
    raise NotImplementedError


def _added(first: np.ndarray, second: np.ndarray) -> np.ndarray:
  """Adds two accumulators; one without rows holds a single 0."""
  return first + second if len(first) > 1 or len(second) == 1 else second


class _LossCombiner(_MeanCombiner):
  def value(self, row: Scored) -> float:
    truth, unknown = row.label
    right = np.where(truth > 0, row.prediction, 1 - row.prediction)
    # nan stays nan: a training that diverged has no loss.
    losses = -np.log(np.maximum(right, LEAST_SCORE))
    return float((losses.sum() - unknown * math.log(LEAST_SCORE)) / max(len(truth), 1))

  def extract_output(self, accumulator):
    sums, counts = accumulator
    if not (n := sums[0]):
      return self.output(math.nan, intervals.NONE, intervals.NONE, math.nan)
    shares = counts[:-1] / n
    inner = shares[(shares > 0) & (shares < 1)]
    entropy = -(inner * np.log(inner) + (1 - inner) * np.log(1 - inner)).sum()
    guessing = (entropy - counts[-1] / n * math.log(LEAST_SCORE)) / max(len(shares), 1)
    return self.averaged(sums, float(guessing))


class _SkillCombiner(_MeanCombiner):
  def value(self, row: Scored) -> float:
    truth, unknown = row.label
    return float(((row.prediction - truth) ** 2).sum() + unknown)

  def extract_output(self, accumulator):
    (n, total, squares, pairs, change, change_squares), counts = accumulator
    # A constant answer misses unknown labels, too.
    known = counts[:-1]
    guessing = float((known * (1 - known / n)).sum() + counts[-1]) if n else 0.0
    if guessing <= 0:
      return self.output(math.nan, intervals.NONE, intervals.NONE)
    # The interval treats the base rates as known.
    scale = n / guessing
    low, high = intervals.mean_from_zero(total, squares, n)
    worse, better = intervals.mean(change, change_squares, pairs)
    return self.output(
      1 - total / guessing, (1 - scale * high, 1 - scale * low), (-scale * better, -scale * worse)
    )


class _ExactCombiner(RightCombiner, _LabelCombiner):
  """A row is right if it is answered with exactly its labels."""

  def is_right(self, row: Scored) -> int:
    truth, unknown = row.label
    return int(not unknown and ((row.prediction >= THRESHOLD) == (truth > 0)).all())


def _hits(row: Scored) -> np.ndarray:
  """Returns `[labels, 3]`: whether a label is a true positive, false positive, false negative."""
  truth, said = row.label[0] > 0, row.prediction >= THRESHOLD
  return np.stack([truth & said, ~truth & said, truth & ~said], axis=1).astype(float)


class _MicroCombiner(_LabelCombiner):
  """Accumulates `[both models, 1 + replicates, 3]`: true positives, false ones, false negatives."""

  def create_accumulator(self) -> np.ndarray:
    return np.zeros((2, 1 + intervals.REPLICATES, 3))

  def add_input(self, accumulator, element):
    row, old = self.rows(element)
    weights = np.concatenate([[1], intervals.bootstrap_weights(row.content)])[:, np.newaxis]
    for sums, each in zip(accumulator, (row, old), strict=True):
      if each is not None:
        sums += weights * (_hits(each).sum(axis=0) + np.array([0, 0, each.label[1]]))
    return accumulator

  def extract_output(self, accumulator):
    return self.resampled(_f1(accumulator))


def _f1(counts: np.ndarray) -> np.ndarray:
  """Computes F1 from `[..., 3]` counts: `[...]`; nan if all counts are 0."""
  right = 2 * counts[..., 0]
  total = right + counts[..., 1] + counts[..., 2]
  return np.divide(right, total, out=np.full(total.shape, np.nan), where=total > 0)


class _MacroCombiner(_LabelCombiner):
  """Accumulates the counts of `_hits`, `[labels, 3]`, and the number of unknown labels."""

  def create_accumulator(self) -> np.ndarray | None:
    return None

  def add_input(self, accumulator, element):
    row, _ = self.rows(element)
    hits = _hits(row)
    return hits if accumulator is None else accumulator + hits

  def extract_output(self, accumulator):
    counts = np.zeros((0, 3)) if accumulator is None else accumulator
    scores = _f1(counts)
    there = scores[~np.isnan(scores)]
    value = float(there.mean()) if len(there) else math.nan
    return self.output(value, intervals.NONE, intervals.NONE, counts)


class _PrecisionCombiner(_LabelCombiner):
  """Accumulates a histogram of each label's scores: `[labels, rows of others or own, ranks]`."""

  def create_accumulator(self) -> np.ndarray | None:
    return None

  def add_input(self, accumulator, element):
    row, _ = self.rows(element)
    if accumulator is None:
      accumulator = np.zeros((len(row.prediction), 2, _RANKS), np.int64)
    ranks = np.clip((np.nan_to_num(row.prediction) * _RANKS).astype(int), 0, _RANKS - 1)
    accumulator[np.arange(len(ranks)), row.label[0].astype(int), ranks] += 1
    return accumulator

  def extract_output(self, accumulator):
    value = math.nan
    if accumulator is not None:
      # From the highest score; rows of equal rank count together.
      others, own = (np.cumsum(accumulator[:, i, ::-1], axis=1) for i in (0, 1))
      there = own[:, -1] > 0
      if there.any():
        own, others = own[there], others[there]
        precision = own / np.maximum(own + others, 1)
        gained = np.diff(own, axis=1, prepend=0) / own[:, -1:]
        value = float((precision * gained).sum(axis=1).mean())
    return self.output(value, intervals.NONE, intervals.NONE)
