"""How far an input is from those of train, as a chance: how rarely a familiar one is further away.

What a model makes of an input, its evidence, is compared with the mean evidence of each class, in
units of how inputs of one class differ (Mahalanobis distance). The distances of val, which the
model has not learned from, turn that into a p-value: of inputs like those of val, a part of p is at
least so far away.

Before that, evidence is scaled to one length and signed roots are taken of it, as for Fisher
vectors: a few large numbers would decide alone. The logarithm of the length is one more number.

Sources: Lee et al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples",
https://arxiv.org/abs/1807.03888; Perronnin, Sanchez and Mensink 2010, "Improving the Fisher Kernel
for Large-Scale Image Classification".
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

LEAST_VAL = 20  # rows; fewer say too little about what is far
MOST_UNITS = 1_024  # of evidence that is compared as it is; of more, so many random sums are

_PER_CLASS = 2  # the fewest rows of train by which a class has a mean of its own
# A server rounds otherwise, so few knots, and no direction that hardly varies counts fully.
_KNOTS, _TAIL = 64, 16
_LEAST_SHRINKAGE = 1e-2
_LEAST_ROOT = 1e-3  # is added before a root is taken, which is steep at 0
_LEAST_LENGTH = 1e-6
_LEAST_STEP = 2e-3  # between two knots, as a part of the distance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distances:
  """The constants of the graph.

  Attributes:
    center: `[units + 1]` float32, the mean of train's evidence, as it is shaped.
    whitening: `[units + 1, whitened]` float32; whitened evidence differs alike in all directions.
    means: `[classes, whitened]` float32, of each class.
    knots: `[knots]` float32, distances of val, rising.
    chances: `[knots]` float32, the p-value at each knot, falling.
    decay: how quickly it falls beyond the last knot, by distance.
  """

  center: np.ndarray
  whitening: np.ndarray
  means: np.ndarray
  knots: np.ndarray
  chances: np.ndarray
  decay: float


def fit(train: np.ndarray, groups: np.ndarray, val: np.ndarray, *, seed: int) -> Distances | str:
  """Fits the constants.

  Args:
    train: `[rows, units]`, evidence of rows of train.
    groups: `[rows]` int, the class of each.
    val: `[rows, units]`, evidence of rows of val.
    seed: of the random sums of very long evidence.

  Returns:
    The constants; or why there are none.
  """
  if len(val) < LEAST_VAL:
    return f"val has {len(val)} rows, and fewer than {LEAST_VAL} say too little about what is far"
  if not (np.isfinite(train).all() and np.isfinite(val).all()):
    return "what the model makes of its inputs are no finite numbers"
  train, val = (shaped(each).numpy().astype(np.float64) for each in (train, val))
  center = train.mean(axis=0)
  summed = np.eye(train.shape[1])
  if train.shape[1] > MOST_UNITS:
    random = np.random.default_rng(seed)
    summed = random.standard_normal((train.shape[1], MOST_UNITS)) / np.sqrt(train.shape[1])
  centered = (train - center) @ summed
  means, of_row = _means(centered, groups)
  if np.abs(centered - means[of_row]).max() < 1e-6:
    return "what the model makes of its inputs is the same for all of a class"
  root = _inverse_root(centered - means[of_row])
  whitening = (summed @ root).astype(np.float32)
  means = (means @ root).astype(np.float32)
  center = center.astype(np.float32)
  distances = _distances((val - center) @ whitening, means)
  knots, chances, decay = _p_values(distances)
  return Distances(
    center=center,
    whitening=whitening,
    means=means,
    knots=knots,
    chances=chances,
    decay=decay,
  )


def shaped(evidence: Any) -> tf.Tensor:
  """Maps evidence `[batch, units]` to `[batch, units + 1]` float32: roots, and the log length."""
  values = tf.cast(evidence, tf.float32)
  length = tf.sqrt(tf.reduce_mean(tf.square(values), axis=1, keepdims=True)) + _LEAST_LENGTH
  scaled = values / length
  roots = tf.sqrt(tf.abs(scaled) + _LEAST_ROOT) - _LEAST_ROOT**0.5
  return tf.concat([tf.sign(scaled) * roots, tf.math.log(length)], axis=1)


def _means(centered: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the mean of each group, and the place of each row's mean.

  A group of hardly any rows has the mean of all: alone, a row would be at no distance from itself.
  """
  names, of_row, counts = np.unique(groups, return_inverse=True, return_counts=True)
  sums = np.zeros((len(names), centered.shape[1]))
  np.add.at(sums, of_row, centered)
  means = np.where(counts[:, np.newaxis] >= _PER_CLASS, sums / counts[:, np.newaxis], 0.0)
  return means, of_row


def _inverse_root(differences: np.ndarray) -> np.ndarray:
  """Returns the matrix that whitens: the root of the inverse of the shrunk covariance."""
  from sklearn.covariance import ledoit_wolf_shrinkage

  covariance = differences.T @ differences / len(differences)
  shrinkage = ledoit_wolf_shrinkage(differences, assume_centered=True)
  shrinkage = max(float(shrinkage), _LEAST_SHRINKAGE)
  usual = np.trace(covariance) / len(covariance)
  variances, directions = np.linalg.eigh((1 - shrinkage) * covariance)
  return directions / np.sqrt(np.maximum(variances, 0) + shrinkage * usual)


def _distances(whitened: np.ndarray, means: np.ndarray) -> np.ndarray:
  squares = (
    np.square(whitened).sum(axis=1, keepdims=True)
    - 2 * whitened @ means.T
    + np.square(means).sum(axis=1)
  )
  return np.sqrt(np.maximum(squares.min(axis=1), 0)).astype(np.float64)


def _p_values(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
  """Returns knots and p-values of the distances of val, and the decay beyond the last.

  Of n familiar rows and a new one, the new one is among the k furthest with a chance of
  k / (n + 1). Between knots the p-value is interpolated, so that a difference in rounding changes
  it by no more.
  """
  count = len(distances)
  ordered = np.sort(distances)
  chances = (count + 1 - np.arange(count)) / (count + 1)  # how many are at least so far, and itself
  places = np.unique(
    np.concatenate(
      [
        np.linspace(0, count - 1, min(count, _KNOTS)).astype(int),
        np.arange(max(0, count - _TAIL), count),
      ]
    )
  )
  kept: list[int] = []
  for place in places[::-1]:
    if not kept or ordered[kept[-1]] - ordered[place] > _LEAST_STEP * ordered[kept[-1]]:
      kept.append(int(place))
  kept.reverse()
  # The furthest tenth of val says how quickly familiar inputs become rare.
  far = ordered[-max(count // 10, 2) :]
  decay = float(far.mean() - far[0]) or float(ordered.mean() or 1.0)
  return (
    ordered[kept].astype(np.float32),
    chances[kept].astype(np.float32),
    max(decay, _LEAST_STEP * float(ordered[-1]), 1e-6),
  )


class FamiliarityGraph:
  """Computes p-values in graph.

  Attributes:
    variables: the constants, for the exported module to hold.
  """

  def __init__(self, constants: Distances):
    self._decay = constants.decay
    center, whitening, means = (
      tf.Variable(value, trainable=False, dtype=tf.float32)
      for value in (constants.center, constants.whitening, constants.means)
    )
    self._center, self._whitening, self._means = center, whitening, means
    self._knots, self._chances = (
      tf.Variable(value, trainable=False, dtype=tf.float32)
      for value in (constants.knots, constants.chances)
    )
    self.variables = [center, whitening, means, self._knots, self._chances]

  def __call__(self, evidence: tf.Tensor) -> tf.Tensor:
    """Maps evidence `[batch, units]` to p-values `[batch]` float32 in [0, 1]."""
    exact = tf.float64  # differences of large squares
    whitened = tf.matmul(
      tf.cast(shaped(evidence), exact) - tf.cast(self._center, exact),
      tf.cast(self._whitening, exact),
    )
    means = tf.cast(self._means, exact)
    squares = (
      tf.reduce_sum(tf.square(whitened), axis=1, keepdims=True)
      - 2 * tf.matmul(whitened, means, transpose_b=True)
      + tf.reduce_sum(tf.square(means), axis=1)
    )
    distance = tf.cast(tf.sqrt(tf.maximum(tf.reduce_min(squares, axis=1), 0)), tf.float32)
    last = tf.size(self._knots) - 1
    above = tf.searchsorted(self._knots, distance, side="right")
    low, high = tf.maximum(above - 1, 0), tf.minimum(above, last)
    knots, chances = tf.convert_to_tensor(self._knots), tf.convert_to_tensor(self._chances)
    width = tf.gather(knots, high) - tf.gather(knots, low)
    part = tf.math.divide_no_nan(distance - tf.gather(knots, low), width)
    between = tf.gather(chances, low) + part * (tf.gather(chances, high) - tf.gather(chances, low))
    beyond = chances[-1] * tf.exp(-(distance - knots[-1]) / self._decay)
    found = tf.where(distance > knots[-1], beyond, between)
    # An input that is no number is as strange as can be.
    is_number = tf.reduce_all(tf.math.is_finite(evidence), axis=1)
    return tf.where(is_number, tf.minimum(found, 1), tf.zeros_like(found))
