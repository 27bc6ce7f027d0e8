"""Fits a linear classifier of sparse features, each scaled by its log ratio of naive Bayes.

A weight is shrunk to a part of that ratio, in units of the ratio: telling features are cheap, and
the many rare ones that tell nothing are dear. It knows neither Keras nor TensorFlow.

Source: Wang, Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic
Classification", https://aclanthology.org/P12-2018
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

_SMOOTHING = 1.0  # added to each count
_MOST_STEPS = 100
_TOLERANCE = 1e-5  # least relative gain of a step
_NO_RATIO = 0.01  # the square of a log ratio that says little
_MEMORY = 5  # gradients that L-BFGS remembers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Texts:
  """The features of texts.

  Attributes:
    features: rows of the table of weights, text by text, int32; a text has each at most once.
    counts: `[texts]` int, the number of features of each text.
    scales: `[texts]` float32, the factor of each text's features.
    labels: `[texts]` int, class ids.
    weights: `[texts]` float32, how much each text's loss counts.
  """

  features: np.ndarray
  counts: np.ndarray
  scales: np.ndarray
  labels: np.ndarray
  weights: np.ndarray

  @classmethod
  def joined(cls, parts: Sequence[Texts]) -> Texts:
    """Returns the texts of all parts."""
    names = [field.name for field in dataclasses.fields(cls)]
    return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

  def part(self, kept: np.ndarray) -> Texts:
    """Returns the texts for which `kept`, `[texts]` bool, is true."""
    if kept.all():
      return self
    return Texts(
      features=self.features[np.repeat(kept, self.counts)],
      counts=self.counts[kept],
      scales=self.scales[kept],
      labels=self.labels[kept],
      weights=self.weights[kept],
    )

  def renumbered(self, rows: np.ndarray) -> Texts:
    """Returns the texts with other rows, `[features]` int32; without features whose row is -1."""
    kept, text = rows >= 0, np.repeat(np.arange(len(self.counts)), self.counts)
    counts = np.bincount(text[kept], minlength=len(self.counts))
    return dataclasses.replace(self, features=rows[kept], counts=counts)


@dataclasses.dataclass(frozen=True)
class Linear:
  """A family of linear models.

  With one column it is a logistic regression of class 1 against class 0. With more it is one
  softmax; a feature has a weight for the classes that it occurs with only, so that hundreds of
  classes need no more memory than the texts do.

  Attributes:
    rows: number of features.
    columns: 1 for two classes, else the number of classes.
    start: the part of the log ratios that the weights are shrunk to.
  """

  rows: int
  columns: int
  start: float

  def fit(
    self,
    texts: Texts,
    shrinkage: float,
    table: np.ndarray | None = None,
    biases: np.ndarray | None = None,
  ) -> tuple[np.ndarray, np.ndarray]:
    """Minimizes the sum of losses and `shrinkage / 2` times the squared differences to `start`.

    Args:
      texts: what to fit to.
      shrinkage: how strongly the weights are shrunk.
      table: `[rows, columns]`, weights to begin with; 0 where there is none.
      biases: `[columns]`, likewise.

    Returns:
      The weights `[rows, columns]` float32, 0 for features that no text has, and the biases
      `[columns]` float32.
    """
    from scipy import optimize

    used = np.bincount(texts.features, minlength=self.rows) > 0
    numbers = (np.cumsum(used) - 1).astype("int32")
    shape = int(used.sum()), self.columns
    matrix = _matrix(texts, numbers[texts.features], shape[0])
    feature, column, ratios = self._scaled(texts, matrix)
    cell = feature.astype("int64") * self.columns + column
    count = len(ratios)

    def table_of(weights: np.ndarray) -> np.ndarray:
      table = np.zeros(shape[0] * shape[1], "float32")
      table[cell] = ratios * (self.start + weights)
      return table.reshape(shape)

    def value(weights: np.ndarray) -> tuple[float, np.ndarray]:
      own, biases = weights[:count], weights[count:]
      scores = matrix @ table_of(own) + biases.astype("float32")
      losses, slopes = _losses(scores, texts.labels)
      slopes *= texts.weights[:, np.newaxis]
      gradient = np.empty_like(weights)
      gradient[:count] = ratios * (matrix.T @ slopes).ravel()[cell] + shrinkage * own
      gradient[count:] = slopes.sum(axis=0, dtype="float64")
      return float(losses @ texts.weights + shrinkage / 2 * (own @ own)), gradient

    first = np.zeros(count + self.columns)
    if table is not None and biases is not None:
      known = table[used].ravel()[cell]
      # The nearest that is not far from 0: a ratio of nearly 0 says nothing of its weight.
      nearest = ratios * (known - ratios * self.start) / (ratios**2 + _NO_RATIO)
      first[:count] = np.where(known != 0, nearest, 0)
      first[count:] = biases
    found = optimize.minimize(
      value,
      first,
      jac=True,
      method="L-BFGS-B",
      options={"maxiter": _MOST_STEPS, "maxcor": _MEMORY, "ftol": _TOLERANCE, "gtol": 0.0},
    )
    whole = np.zeros((self.rows, self.columns), "float32")
    whole[used] = table_of(found.x[:count])
    return whole, found.x[count:].astype("float32")

  def loss(self, texts: Texts, table: np.ndarray, biases: np.ndarray) -> float:
    """Returns the mean loss of a fitted model."""
    scores = _matrix(texts, texts.features, self.rows) @ table + biases
    losses, _ = _losses(scores, texts.labels)
    return float(np.average(losses, weights=texts.weights))

  def _scaled(self, texts: Texts, matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the features and columns that have a weight, and their log ratios."""
    from scipy import sparse

    size, classes = len(texts.counts), max(self.columns, 2)
    one_hot = sparse.csr_matrix(
      (np.ones(size, "float32"), texts.labels, np.arange(size + 1)), shape=(size, classes)
    )
    ones = np.ones(len(texts.features), "float32")
    presence = sparse.csr_matrix((ones, matrix.indices, matrix.indptr), shape=matrix.shape)
    counts = presence.T @ one_hot
    of_feature = np.asarray(counts.sum(axis=1)).ravel()
    of_class = np.asarray(counts.sum(axis=0)).ravel()
    if self.columns == 1:
      feature, column = np.arange(counts.shape[0]), np.zeros(counts.shape[0], "int64")
      own, own_total = counts[:, [1]].toarray().ravel(), of_class[1]
    else:
      pairs = counts.tocoo()
      feature, column, own, own_total = pairs.row, pairs.col, pairs.data, of_class[pairs.col]
    others = of_feature[feature] - own
    return feature, column, log_ratios(own, others, own_total, of_class.sum() - own_total)


def _matrix(texts: Texts, columns: np.ndarray, width: int) -> Any:
  from scipy import sparse

  values = np.repeat(texts.scales, texts.counts)
  ends = np.concatenate([[0], np.cumsum(texts.counts)])
  return sparse.csr_matrix((values, columns, ends), shape=(len(texts.counts), width))


def log_ratios(own: Any, others: Any, own_total: Any, others_total: Any) -> np.ndarray:
  """Computes how much more often features occur in a class than in the others: `[n]` float32.

  Args:
    own: `[n]`, the number of the class's texts that have the feature.
    others: `[n]`, that of the other classes' texts.
    own_total: the sum of `own` over all features.
    others_total: that of `others`.
  """
  in_class, elsewhere = (
    np.log(np.asarray(count, "float64") + _SMOOTHING) - np.log(np.asarray(total) + _SMOOTHING)
    for count, total in ((own, own_total), (others, others_total))
  )
  return np.asarray(in_class - elsewhere, "float32")


def _losses(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the loss of each text, and its slope by each score, `[texts, columns]`."""
  if scores.shape[1] == 1:
    signs = (2 * labels - 1).astype("float32")
    losses = np.logaddexp(0, -signs * scores[:, 0])
    # The loss is the negative logarithm of the probability of the text's class.
    return losses, (signs * np.expm1(-losses))[:, np.newaxis]
  scores = scores - scores.max(axis=1, keepdims=True)
  chances = np.exp(scores)
  sums = chances.sum(axis=1, keepdims=True)
  chances /= sums
  texts = np.arange(len(labels))
  losses = np.log(sums[:, 0]) - scores[texts, labels]
  chances[texts, labels] -= 1
  return losses, chances
