"""TFMA metrics for regression: errors in the label's unit, and `skill`.

`skill` is the share of the variance that a model explains, so it compares the model with always
answering the mean. Each metric emits its confidence interval, as in `paired_metrics`. TFMA imports
the classes by name, so this module must be importable on Beam workers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from pipeline.problems import intervals
from pipeline.problems.certainty import metrics as certainty
from pipeline.problems.number import POINTS_NAME
from pipeline.problems.paired_metrics import PairedCombiner, Scored, named_metrics, paired_metric

_MOST_POINTS = 500


def number_metrics() -> list[config_pb2.MetricConfig]:
  """Returns the metrics over a label and a prediction of one number each."""
  named = {
    "AbsoluteError": "mae",
    "RootOfSquares": "rmse",
    "Skill": "skill",
  }
  return [*named_metrics(__name__, named), *certainty.of_number()]


class AbsoluteError(metric_types.Metric):
  """The mean absolute error, in the label's unit.

  Also emits `answers`, `[rows, 2]` float64: label and prediction of up to 500 rows, which are the
  same in every run.
  """

  def __init__(self, name: str = "mae", code: str = ""):
    """`code` is this module's fingerprint: an edited metric is computed again."""
    super().__init__(paired_metric(_DistanceCombiner, POINTS_NAME), name=name)


class RootOfSquares(metric_types.Metric):
  """The root mean squared error, in the label's unit: large errors count more."""

  def __init__(self, name: str = "rmse", code: str = ""):
    """`code` as for `AbsoluteError`."""
    super().__init__(paired_metric(_RootCombiner), name=name)


class Skill(metric_types.Metric):
  """1 - mse / variance, the coefficient of determination.

  1 is perfect, 0 equals always answering the mean of these rows, the best constant, and less than 0
  is worse. If all labels are equal, there is no variance, and the value is nan.
  """

  def __init__(self, name: str = "skill", code: str = ""):
    """`code` as for `AbsoluteError`."""
    super().__init__(paired_metric(_SkillCombiner), name=name)


class _NumberCombiner(PairedCombiner):
  """Reads a label and a prediction of one number each."""

  def read(self, label: Any, prediction: Any) -> Scored:
    right, said = (float(np.ravel(value)[0]) for value in (label, prediction))
    return Scored(right, said, np.array([right, said], np.float32).tobytes())


class _DistanceCombiner(_NumberCombiner):
  """Accumulates rows, sums of errors and squares, the same of differences, and some rows."""

  def create_accumulator(self) -> tuple[np.ndarray, dict[bytes, tuple[float, float]]]:
    return np.zeros(6), {}

  def add_input(self, accumulator, element):
    sums, points = accumulator
    row, old = self.rows(element)
    distance = abs(row.prediction - row.label)
    sums[:3] += (1, distance, distance * distance)
    if old is not None:
      change = distance - abs(old.prediction - old.label)
      sums[3:] += (1, change, change * change)
    points[hashlib.blake2b(row.content, digest_size=8).digest()] = (row.label, row.prediction)
    return sums, _fewest(points, 2 * _MOST_POINTS)

  def merge_accumulators(self, accumulators: Iterable):
    pairs = list(accumulators)
    merged: dict[bytes, tuple[float, float]] = {}
    for _, points in pairs:
      merged.update(points)
    return np.sum([sums for sums, _ in pairs], axis=0), _fewest(merged, _MOST_POINTS)

  def extract_output(self, accumulator):
    (n, total, squares, pairs, change, change_squares), points = accumulator
    shown = sorted(_fewest(points, _MOST_POINTS).values())
    return self.output(
      total / n if n else math.nan,
      intervals.mean_from_zero(total, squares, n),
      intervals.mean(change, change_squares, pairs),
      np.array(shown, float).reshape(-1, 2),
    )


def _fewest(
  points: dict[bytes, tuple[float, float]], most: int
) -> dict[bytes, tuple[float, float]]:
  """Returns at most `most` of the points, those with the smallest hashes, in any order."""
  if len(points) <= most:
    return points
  return {key: points[key] for key in sorted(points)[: min(most, _MOST_POINTS)]}


class _SumsCombiner(_NumberCombiner):
  """Accumulates `[both models, 1 + replicates, 4]`: rows, labels, their squares, squared errors."""

  def create_accumulator(self) -> np.ndarray:
    return np.zeros((2, 1 + intervals.REPLICATES, 4))

  def add_input(self, accumulator, element):
    row, old = self.rows(element)
    weights = np.concatenate([[1], intervals.bootstrap_weights(row.content)])[:, np.newaxis]
    for sums, each in zip(accumulator, (row, old), strict=True):
      if each is not None:
        error = each.prediction - each.label
        sums += weights * np.array([1, each.label, each.label * each.label, error * error])
    return accumulator

  def merge_accumulators(self, accumulators: Iterable):
    return np.sum(list(accumulators), axis=0)

  def extract_output(self, accumulator):
    values = self.value(accumulator)
    return self.output(
      float(values[0, 0]),
      intervals.percentiles(values[0, 1:]),
      intervals.percentiles(values[0, 1:] - values[1, 1:]),
    )

  def value(self, sums: np.ndarray) -> np.ndarray:
    """Computes the metric from `[..., 4]` sums: `[...]`; nan without rows."""
    raise NotImplementedError


class _RootCombiner(_SumsCombiner):
  def value(self, sums: np.ndarray) -> np.ndarray:
    return np.sqrt(_ratio(sums[..., 3], sums[..., 0]))


class _SkillCombiner(_SumsCombiner):
  def value(self, sums: np.ndarray) -> np.ndarray:
    count, total, squares, errors = np.moveaxis(sums, -1, 0)
    spread = squares - _ratio(total * total, count)
    # Rounding errors of equal numbers do not count as variance.
    is_constant = ~(spread > 1e-12 * squares)
    return 1 - _ratio(errors, np.where(is_constant, 0.0, spread))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
  return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
