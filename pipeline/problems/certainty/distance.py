"""How far an input is from those of train, as a chance: how rarely a familiar one is further away.

What a model makes of an input, its evidence, is compared with the mean evidence of each class, in
units of how inputs of one class differ (Mahalanobis distance). Traits, such as the part of a text's
words that train knows, are compared with those of val: in train every word is known. The distances
of val, which the model has not learned from, turn the sum of both into a p-value: of inputs like
those of val, a part of p is at least so far away.

Source: Lee et al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples",
https://arxiv.org/abs/1807.03888
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

LEAST_VAL = 20  # rows; fewer say too little about what is far
MOST_UNITS = 1_024  # of evidence that is compared as it is; of more, so many random sums are

_PER_CLASS = 2  # the fewest rows of train by which a class has a mean of its own
_FOLDS = 5  # of val, if its own rows say what is usual
# A server rounds otherwise, so few knots, and no direction that hardly varies counts fully.
_KNOTS, _TAIL = 64, 16
_LEAST_SHRINKAGE = 1e-2
_LEAST_STEP = 2e-3  # between two knots, as a part of the distance
_NOTHING = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
  """How one kind of numbers is compared.

  Attributes:
    center: `[units]` float64, the mean of all rows.
    whitening: `[units, whitened]` float64; whitened numbers differ alike in all directions.
    means: `[classes, whitened]` float64, of each class.
    usual: the mean distance of a row of val.
  """

  center: np.ndarray
  whitening: np.ndarray
  means: np.ndarray
  usual: float = 1.0

  def distances(self, rows: np.ndarray) -> np.ndarray:
    """Returns the distance of each row `[rows, units]` from the nearest mean, in usual ones."""
    whitened = (rows - self.center) @ self.whitening
    squares = (
      np.square(whitened).sum(axis=1, keepdims=True)
      - 2 * whitened @ self.means.T
      + np.square(self.means).sum(axis=1)
    )
    return np.sqrt(np.maximum(squares.min(axis=1), 0)) / self.usual


@dataclasses.dataclass(frozen=True, kw_only=True)
class Distances:
  """The constants of the graph.

  Attributes:
    evidence: how evidence is compared.
    traits: how traits are; None without traits.
    knots: `[knots]`, distances of val, rising.
    chances: `[knots]`, the p-value at each knot, falling.
    decay: how quickly it falls beyond the last knot, by distance.
  """

  evidence: View
  traits: View | None
  knots: np.ndarray
  chances: np.ndarray
  decay: float


def fit(
  train: np.ndarray,
  groups: np.ndarray,
  val: np.ndarray,
  *,
  traits: np.ndarray | None = None,
  seed: int,
) -> Distances | str:
  """Fits the constants.

  Args:
    train: `[rows, units]`, evidence of rows of train.
    groups: `[rows]` int, the class of each.
    val: `[rows, units]`, evidence of rows of val.
    traits: `[rows, traits]`, of the same rows of val; None without traits.
    seed: of the random sums of very long evidence.

  Returns:
    The constants; or why there are none.
  """
  if len(val) < LEAST_VAL:
    return f"val has {len(val)} rows, and fewer than {LEAST_VAL} say too little about what is far"
  tables = [each.astype(np.float64) for each in (train, val, traits) if each is not None]
  if not all(np.isfinite(each).all() for each in tables):
    return "what the model makes of its inputs are no finite numbers"
  train, val, *rest = tables
  view = _view(train, groups, seed)
  if view is None:
    return "what the model makes of its inputs is the same for all of a class"
  view, total = _scaled(view, view.distances(val))
  of_traits: View | None = None
  if rest:
    own, distances = _cross_fitted(rest[0], seed)
    of_traits, more = _scaled(own, distances)
    total = total + more
  knots, chances, decay = _p_values(total)
  return Distances(evidence=view, traits=of_traits, knots=knots, chances=chances, decay=decay)


def _scaled(view: View, distances: np.ndarray) -> tuple[View, np.ndarray]:
  """Scales a view and distances of val so that the mean distance is 1."""
  usual = float(distances.mean()) or 1.0
  return dataclasses.replace(view, usual=usual), distances / usual


def _cross_fitted(rows: np.ndarray, seed: int) -> tuple[View, np.ndarray]:
  """Compares rows with each other: the distance of each is by a view of the other folds' rows."""
  one = np.zeros(len(rows), np.int64)

  def view(some: np.ndarray) -> View:
    found = _view(some, one[: len(some)], seed)
    if found is not None:
      return found
    units = rows.shape[1]  # all rows are alike
    return View(center=some[0], whitening=np.eye(units), means=np.zeros((1, units)))

  fold = np.random.default_rng(seed).permutation(len(rows)) % _FOLDS
  distances = np.empty(len(rows))
  for number in range(_FOLDS):
    distances[fold == number] = view(rows[fold != number]).distances(rows[fold == number])
  return view(rows), distances


def _view(rows: np.ndarray, groups: np.ndarray, seed: int) -> View | None:
  """Returns how rows are compared with those of their group; None if they do not differ."""
  center = rows.mean(axis=0)
  summed = np.eye(rows.shape[1])
  if rows.shape[1] > MOST_UNITS:
    random = np.random.default_rng(seed)
    summed = random.standard_normal((rows.shape[1], MOST_UNITS)) / np.sqrt(rows.shape[1])
  centered = (rows - center) @ summed
  means, of_row = _means(centered, groups)
  if np.abs(centered - means[of_row]).max() < _NOTHING:
    return None
  root = _inverse_root(centered - means[of_row])
  return View(center=center, whitening=summed @ root, means=means @ root)


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
  decay = max(float(far.mean() - far[0]), _LEAST_STEP * float(ordered[-1]), _NOTHING)
  return ordered[kept], chances[kept], decay


class FamiliarityGraph:
  """Computes p-values in graph.

  Attributes:
    variables: the constants, for the exported module to hold.
  """

  def __init__(self, constants: Distances):
    self._decay = constants.decay
    self.variables: list[tf.Variable] = []
    self._evidence = self._held(constants.evidence)
    self._traits = self._held(constants.traits) if constants.traits is not None else None
    self._knots, self._chances = map(self._variable, (constants.knots, constants.chances))

  def _variable(self, value: np.ndarray, dtype: tf.DType = tf.float64) -> tf.Variable:
    variable = tf.Variable(value, trainable=False, dtype=dtype)
    self.variables.append(variable)
    return variable

  def _held(self, view: View) -> tuple[tf.Variable, tf.Variable, tf.Variable, float]:
    whitening = self._variable(view.whitening, tf.float32)  # the largest
    return self._variable(view.center), whitening, self._variable(view.means), view.usual

  def __call__(self, evidence: tf.Tensor, traits: tf.Tensor | None = None) -> tf.Tensor:
    """Maps evidence `[batch, units]` and traits to p-values `[batch]` float32 in [0, 1]."""
    distance = _distance(evidence, *self._evidence)
    if self._traits is not None:
      distance += _distance(traits, *self._traits)
    knots, chances = tf.convert_to_tensor(self._knots), tf.convert_to_tensor(self._chances)
    last = tf.size(knots) - 1
    above = tf.searchsorted(knots, distance, side="right")
    low, high = tf.maximum(above - 1, 0), tf.minimum(above, last)
    width = tf.gather(knots, high) - tf.gather(knots, low)
    part = tf.math.divide_no_nan(distance - tf.gather(knots, low), width)
    between = tf.gather(chances, low) + part * (tf.gather(chances, high) - tf.gather(chances, low))
    beyond = chances[-1] * tf.exp(-(distance - knots[-1]) / self._decay)
    found = tf.where(distance > knots[-1], beyond, between)
    # An input that is no number is as strange as can be.
    found = tf.where(tf.math.is_finite(distance), tf.minimum(found, 1), tf.zeros_like(found))
    return tf.cast(found, tf.float32)


def _distance(
  rows: tf.Tensor, center: tf.Variable, whitening: tf.Variable, means: tf.Variable, usual: float
) -> tf.Tensor:
  """Returns `View.distances`, in graph; a row that is no number is infinitely far."""
  # Differences of large squares need float64.
  whitened = tf.matmul(tf.cast(rows, tf.float64) - center, tf.cast(whitening, tf.float64))
  squares = (
    tf.reduce_sum(tf.square(whitened), axis=1, keepdims=True)
    - 2 * tf.matmul(whitened, means, transpose_b=True)
    + tf.reduce_sum(tf.square(means), axis=1)
  )
  distance = tf.sqrt(tf.maximum(tf.reduce_min(squares, axis=1), 0)) / usual
  is_number = tf.reduce_all(tf.math.is_finite(rows), axis=1)
  return tf.where(is_number, distance, tf.fill(tf.shape(distance), tf.constant(np.inf, tf.float64)))
