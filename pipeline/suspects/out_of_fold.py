"""Scores rows by cheap models, each of which has not seen the row: five models, a fold each."""

from __future__ import annotations

from typing import Any

import numpy as np

FOLDS = 5
_LANDMARKS = 2_000  # rows from which a kernel is approximated
_RIDGE = 0.5
_TEMPERATURES = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)


def folds(contents: list[bytes]) -> np.ndarray:
  """Returns `[rows]` int64, the fold of each row; equal contents share a fold."""
  import zlib

  return np.array([zlib.crc32(content) % FOLDS for content in contents], np.int64)


def of_sparse(features: Any, given: np.ndarray, fold: np.ndarray, classes: int) -> np.ndarray:
  """Scores rows of words by naive Bayes and by logistic regression on TF-IDF, half and half.

  Each class is scored against the others. Two simple models that err differently rank wrong labels
  better than either, as with all ensembles; measured in benchmarks/README.md.

  Args:
    features: `[rows, words]` sparse, 0 or 1.
    given: `[rows]` int, the class of each row's label.
    fold: `[rows]` int, the fold of each row; rows of a negative one are learnt from, not scored.
    classes: the number of classes.

  Returns:
    `[rows, classes]` float64 probabilities.
  """
  found = np.zeros((2, len(given), classes))
  for number in np.unique(fold[fold >= 0]):
    seen, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
    if not len(seen):
      continue
    known, asked = features[seen], features[held]
    weighted, weighted_asked = tf_idf(known, asked)
    # Of two classes, one is what the other is not.
    for label in range(1 if classes == 2 else classes):
      is_label = given[seen] == label
      if is_label.any() and not is_label.all():
        found[0, held, label] = asked @ _naive_bayes(known, is_label)
        found[1, held, label] = _logistic(weighted, is_label, weighted_asked)
  if classes == 2:
    found[:, :, 1] = -found[:, :, 0]
  spread = np.maximum(found.std((1, 2), keepdims=True), 1e-9)
  return _probabilities((found / spread).sum(0) / 2, given)


def tf_idf(known: Any, asked: Any) -> tuple[Any, Any]:
  """Returns both with each word weighted by TF-IDF, whose counts are those of `known`."""
  from sklearn.feature_extraction.text import TfidfTransformer

  transformer = TfidfTransformer().fit(known)
  return transformer.transform(known), transformer.transform(asked)


def _naive_bayes(features: Any, is_label: np.ndarray) -> np.ndarray:
  """Returns `[words]`: the logarithm of how much likelier a word is with the label."""
  inside = 1 + np.asarray(features[is_label].sum(0), np.float64)[0]
  outside = 1 + np.asarray(features[~is_label].sum(0), np.float64)[0]
  return np.log((inside / inside.sum()) / (outside / outside.sum()))


def _logistic(features: Any, is_label: np.ndarray, asked: Any) -> np.ndarray:
  from sklearn.linear_model import LogisticRegression

  model = LogisticRegression(C=2.0, solver="liblinear", random_state=0)
  return model.fit(features, is_label).decision_function(asked)


def of_dense(features: np.ndarray, given: np.ndarray, fold: np.ndarray, classes: int) -> np.ndarray:
  """Scores rows of numbers by ridge regression with a Gaussian kernel.

  The kernel is approximated from some of the rows, as in Williams, Seeger: Using the Nyström Method
  to Speed Up Kernel Machines, NIPS 2000. One matrix of products serves all folds: a fold's model is
  solved from the sum without its rows.

  Args:
    features: `[rows, features]` float32.
    given: `[rows]` int, the class of each row's label.
    fold: `[rows]` int, the fold of each row; rows of a negative one are learnt from, not scored.
    classes: the number of classes.

  Returns:
    `[rows, classes]` float64 probabilities.
  """
  import scipy.linalg

  mapped = _mapped(features)
  targets = np.eye(classes, dtype=np.float32)[given] - 1 / classes
  numbers = np.unique(fold)
  held = [fold == number for number in numbers]
  products = [mapped[rows].T @ mapped[rows] for rows in held]
  answers = [mapped[rows].T @ targets[rows] for rows in held]
  found = np.zeros((len(given), classes))
  for number, rows, product, answer in zip(numbers, held, products, answers, strict=True):
    if number < 0:
      continue
    matrix = (sum(products) - product).astype(np.float64)
    matrix[np.diag_indices_from(matrix)] += _RIDGE
    solved = scipy.linalg.solve(matrix, (sum(answers) - answer).astype(np.float64), assume_a="pos")
    found[rows] = mapped[rows] @ solved
  return _probabilities(found, given)


def _mapped(features: np.ndarray) -> np.ndarray:
  """Returns `[rows, landmarks]` float32, whose products approximate the kernel."""
  import scipy.linalg

  centred = features - features.mean(0)
  chosen = np.random.default_rng(0).permutation(len(centred))[:_LANDMARKS]
  landmarks = centred[chosen]
  between = _distances(landmarks, landmarks)
  # Where most rows are alike, the median is a rounding error.
  width = max(float(np.median(between)), float(between.mean()) / 10, 1e-6)
  kernel = np.exp(-between / width).astype(np.float64)
  kernel[np.diag_indices_from(kernel)] += 1e-3
  root = scipy.linalg.cholesky(kernel, lower=True)
  of_rows = np.exp(-_distances(landmarks, centred) / width)
  return scipy.linalg.solve_triangular(root, of_rows, lower=True).T.astype(np.float32)


def _distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
  """Returns `[some, others]` float32, squared Euclidean distances."""
  squares = np.square(some).sum(1)[:, np.newaxis] + np.square(others).sum(1)
  return np.maximum(squares - 2 * some @ others.T, 0)


def _probabilities(scores: np.ndarray, given: np.ndarray) -> np.ndarray:
  """Returns the softmax of scores, at the temperature that fits the given labels best."""
  rows = np.arange(len(given))
  tried = [_softmax(scores * factor) for factor in _TEMPERATURES]
  losses = [-np.log(np.maximum(each[rows, given], 1e-12)).mean() for each in tried]
  return tried[int(np.argmin(losses))]


def _softmax(scores: np.ndarray) -> np.ndarray:
  powers = np.exp(scores - scores.max(1, keepdims=True))
  return powers / powers.sum(1, keepdims=True)
