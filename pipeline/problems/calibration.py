"""Fits a temperature, by which a model's logits are divided so that its scores can be believed.

A network trained for long is surer than it is right, and a strongly shrunk one less sure. One
number, fitted on val after training, mends both and changes no answer: dividing all logits of a row
by it keeps their order.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks",
https://arxiv.org/abs/1706.04599
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from dlpipe.artifact_files import ArtifactFile

BINS = 10
LEAST_ROWS = 20  # of val; fewer say too little about a score
LOGITS, SOFTMAX, SIGMOID = "logits", "softmax", "sigmoid"

# Bounds of probabilities that are turned into logits. The small ones of a softmax are exact in
# float32; a sigmoid near 1 is not.
LEAST_OF_SOFTMAX, LEAST_OF_SIGMOID = 1e-30, 1e-7

LEAST_SCORE = 1e-7  # Keras' bound for a probability, so that a loss is finite
# Bounds of the temperature; a fit outside of them says that the outputs are no logits.
_LOWEST, _HIGHEST = 1e-3, 1e3
_HALVINGS = 40
_SUM_SLACK = 1e-3

_Numbers = np.ndarray
# From the factor of the logits, and the doubt in the labels, to the slope of the loss.
_Slope = Callable[[float, float], float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration(ArtifactFile):
  """How the outputs of a model become scores.

  Attributes:
    temperature: the logits are divided by it; 1 leaves them.
    form: what the model ends in: `logits`, or probabilities by `softmax` or `sigmoid`.
    rows: the rows of val that it was fitted on.
    loss_before: the mean loss on them, in nats, at a temperature of 1.
    loss_after: the same at this temperature.
    error_before: the expected calibration error on them at a temperature of 1.
    error_after: the same at this temperature.
    reason: why the temperature stays 1; None if it was fitted.
  """

  temperature: float = 1.0
  form: Literal["logits", "softmax", "sigmoid"] = "logits"
  rows: int = 0
  loss_before: float | None = None
  loss_after: float | None = None
  error_before: float | None = None
  error_after: float | None = None
  reason: str | None = None

  @property
  def sentence(self) -> str:
    """The calibration, for a person.

    >>> Calibration(reason="train.calibrate is false").sentence
    'not calibrated: train.calibrate is false'
    """
    if self.reason is not None:
      return f"not calibrated: {self.reason}"
    return (
      f"calibrated by temperature {self.temperature:.3g}, from {self.rows:,} val rows: loss "
      f"{self.loss_before:.4g} -> {self.loss_after:.4g}, calibration error "
      f"{self.error_before:.3g} -> {self.error_after:.3g}"
    )


def of_classes(outputs: _Numbers, labels: _Numbers, *, wanted: bool = True) -> Calibration:
  """Fits the temperature of a softmax over classes.

  Args:
    outputs: the model's outputs, `[rows, classes]`: logits, or probabilities that sum to 1.
    labels: ids, `[rows]`; rows with an id outside of the classes do not count.
    wanted: False only looks at what the outputs are.
  """
  known = (labels >= 0) & (labels < outputs.shape[1])
  outputs, labels = np.asarray(outputs, np.float64)[known], np.asarray(labels, np.int64)[known]
  sums = outputs.sum(axis=1)
  is_softmax = len(outputs) and outputs.min() >= 0 and np.abs(sums - 1).max() < _SUM_SLACK
  form: Any = SOFTMAX if is_softmax else LOGITS
  if outputs.shape[1] < 2:
    return Calibration(rows=len(outputs), reason="there is only one class")
  if reason := _against(outputs, wanted):
    return Calibration(form=form, rows=len(outputs), reason=reason)
  logits = np.log(np.maximum(outputs, LEAST_OF_SOFTMAX)) if is_softmax else outputs
  logits = logits - logits.max(axis=1, keepdims=True)
  rows = np.arange(len(logits))
  others = logits.copy()
  others[rows, labels] = -np.inf
  right, second = logits[rows, labels].mean(), others.max(axis=1).mean()

  def slope(factor: float, doubt: float) -> float:
    said = (_softmax(factor * logits) * logits).sum(axis=1).mean()
    return float(said - (1 - doubt) * right - doubt * second)

  def judged(temperature: float) -> tuple[float, float]:
    scores = _softmax(logits / temperature)
    loss = -np.log(np.maximum(scores[rows, labels], LEAST_SCORE)).mean()
    is_right = scores.argmax(axis=1) == labels
    return float(loss), _expected_error(scores.max(axis=1), is_right)

  return _fitted(slope, judged, form=form, rows=len(rows))


def of_labels(outputs: _Numbers, ids: _Numbers, *, wanted: bool = True) -> Calibration:
  """Fits the one temperature of the sigmoids over several labels.

  Args:
    outputs: the model's outputs, `[rows, labels]`: logits, or probabilities.
    ids: ids of each row's labels, `[rows, most]`; negative ones are no labels.
    wanted: as in `of_classes`.
  """
  outputs = np.asarray(outputs, np.float64)
  truth = np.zeros(outputs.shape)
  rows, places = np.nonzero((ids >= 0) & (ids < outputs.shape[1]))
  truth[rows, ids[rows, places]] = 1
  form: Any = SIGMOID if _are_sigmoids(outputs) else LOGITS
  if reason := _against(outputs, wanted):
    return Calibration(form=form, rows=len(outputs), reason=reason)
  within = np.clip(outputs, LEAST_OF_SIGMOID, 1 - LEAST_OF_SIGMOID)
  logits = np.log(within / (1 - within)) if form == SIGMOID else outputs

  def slope(factor: float, doubt: float) -> float:
    target = (1 - doubt) * truth + doubt * (1 - truth)
    return float(np.mean((_sigmoid(factor * logits) - target) * logits))

  def judged(temperature: float) -> tuple[float, float]:
    scores = _sigmoid(logits / temperature)
    return _binary_loss(scores, truth), _expected_error(scores.ravel(), truth.ravel())

  return _fitted(slope, judged, form=form, rows=len(outputs))


def binned_errors(bins: _Numbers) -> _Numbers:
  """Computes expected calibration errors from `[..., bins, 3]`: `[...]`; nan without rows.

  A bin holds its number of rows, their summed score, and how many of them are right.
  """
  counts = bins[..., 0].sum(-1)
  gaps = np.abs(bins[..., 1] - bins[..., 2]).sum(-1)
  return np.divide(gaps, counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def _expected_error(scores: _Numbers, is_right: _Numbers) -> float:
  bins = np.zeros((BINS, 3))
  places = np.minimum((scores * BINS).astype(int), BINS - 1)
  np.add.at(bins, places, np.stack([np.ones(len(scores)), scores, is_right], axis=1))
  return float(binned_errors(bins))


def _against(outputs: _Numbers, wanted: bool) -> str | None:
  """Returns why outputs are not calibrated; None if they can be."""
  if not wanted:
    return "train.calibrate is false"
  if len(outputs) < LEAST_ROWS:
    return f"val has {len(outputs)} usable rows, and fewer than {LEAST_ROWS} say too little"
  if not np.isfinite(outputs).all():
    return "the model's outputs are no finite numbers"
  return None


def _fitted(
  slope: _Slope,
  judged: Callable[[float], tuple[float, float]],
  *,
  form: Any,
  rows: int,
) -> Calibration:
  """Finds the temperature of the least loss, no further from 1 than val asks for.

  Rows of val that are all right would ask for scores of 1. So a second temperature is that of the
  least loss if one more row were wrong, with its second answer right (Platt 1999, "Probabilistic
  Outputs for Support Vector Machines", section 2.2, for two classes). What lies between the two
  cannot be told apart: of that, the nearest to 1 is taken.
  """
  sure, doubting = (_least(slope, doubt) for doubt in (0.0, 1 / (rows + 2)))
  if sure >= _HIGHEST or doubting <= _LOWEST:
    reason = "no temperature makes them agree with val, so the model's outputs are hardly logits"
    return Calibration(form=form, rows=rows, reason=reason)
  temperature = min(max(1.0, sure), doubting)
  (loss_before, error_before), (loss_after, error_after) = judged(1.0), judged(temperature)
  return Calibration(
    temperature=temperature,
    form=form,
    rows=rows,
    loss_before=loss_before,
    loss_after=loss_after,
    error_before=error_before,
    error_after=error_after,
  )


def _least(slope: _Slope, doubt: float) -> float:
  """Returns the temperature of the least loss, or a bound.

  The loss is convex in the factor of the logits, so its slope rises and is 0 once.
  """
  low, high = math.log(1 / _HIGHEST), math.log(1 / _LOWEST)
  if slope(math.exp(low), doubt) >= 0:
    return _HIGHEST
  if slope(math.exp(high), doubt) <= 0:
    return _LOWEST
  for _ in range(_HALVINGS):
    middle = (low + high) / 2
    if slope(math.exp(middle), doubt) < 0:
      low = middle
    else:
      high = middle
  return math.exp(-(low + high) / 2)


def _are_sigmoids(outputs: _Numbers) -> bool:
  """Returns whether outputs are probabilities; such logits would give each row every label."""
  return bool(len(outputs)) and 0 <= outputs.min() < outputs.max() <= 1


def _binary_loss(scores: _Numbers, truth: _Numbers) -> float:
  right = np.where(truth > 0, scores, 1 - scores)
  return float(-np.log(np.maximum(right, LEAST_SCORE)).mean())


def _softmax(logits: _Numbers) -> _Numbers:
  powers = np.exp(logits - logits.max(axis=1, keepdims=True))
  return powers / powers.sum(axis=1, keepdims=True)


def _sigmoid(logits: _Numbers) -> _Numbers:
  return 0.5 * (1 + np.tanh(logits / 2))
