"""Scores rows by cheap models, each of which has not seen the row: five models, a fold each."""

from __future__ import annotations

from typing import Any

import numpy as np

FOLDS = 5
_LANDMARKS = 2_000  # rows from which a kernel is approximated
_RIDGE = 0.5
_TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)


def folds(contents: list[bytes]) -> np.ndarray:
  """Returns `[rows]` int64, the fold of each row; equal contents share a fold."""
  import zlib

  return np.array([zlib.crc32(content) % FOLDS for content in contents], np.int64)


def of_sparse(features: Any, given: np.ndarray, fold: np.ndarray, classes: int) -> np.ndarray:
  """Scores rows of words by logistic regression on words weighted by naive Bayes.

  Source: Wang, Manning: Baselines and Bigrams: Simple, Good Sentiment and Topic Classification, ACL
  2012; one class against the others.

  Args:
    features: `[rows, words]` sparse, 0 or 1.
    given: `[rows]` int, the class of each row's label.
    fold: `[rows]` int, the fold of each row.
    classes: the number of classes.

  Returns:
    `[rows, classes]` float64 probabilities.
  """
  from sklearn.linear_model import LogisticRegression

  found = np.full((len(given), classes), -20.0)
  for number in range(FOLDS):
    seen, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
    if not len(held) or not len(seen):
      continue
    known = features[seen]
    for label in range(classes):
      is_label = given[seen] == label
      if not is_label.any() or is_label.all():
        continue
      weights = _naive_bayes(known, is_label)
      model = LogisticRegression(C=0.1, solver="liblinear", random_state=0)
      model.fit(known.multiply(weights).tocsr(), is_label)
      found[held, label] = model.decision_function(features[held].multiply(weights).tocsr())
      if classes == 2:
        found[held, 1 - label] = -found[held, label]
        break
  return _probabilities(found / 2 if classes == 2 else found, given)


def _naive_bayes(features: Any, is_label: np.ndarray) -> np.ndarray:
  """Returns `[1, words]`: the logarithm of how much likelier a word is with the label."""
  inside = 1 + np.asarray(features[is_label].sum(0), np.float64)
  outside = 1 + np.asarray(features[~is_label].sum(0), np.float64)
  return np.log((inside / inside.sum()) / (outside / outside.sum())).astype(np.float32)


def of_dense(features: np.ndarray, given: np.ndarray, fold: np.ndarray, classes: int) -> np.ndarray:
  """Scores rows of numbers by ridge regression with a Gaussian kernel.

  The kernel is approximated from some of the rows, as in Williams, Seeger: Using the Nyström Method
  to Speed Up Kernel Machines, NIPS 2000. One matrix of products serves all folds: a fold's model is
  solved from the sum without its rows.

  Args:
    features: `[rows, features]` float32.
    given: `[rows]` int, the class of each row's label.
    fold: `[rows]` int, the fold of each row.
    classes: the number of classes.

  Returns:
    `[rows, classes]` float64 probabilities.
  """
  import scipy.linalg

  mapped = _mapped(features)
  targets = np.eye(classes, dtype=np.float32)[given] - 1 / classes
  held = [fold == number for number in range(FOLDS)]
  products = [mapped[rows].T @ mapped[rows] for rows in held]
  answers = [mapped[rows].T @ targets[rows] for rows in held]
  found = np.zeros((len(given), classes))
  for rows, product, answer in zip(held, products, answers, strict=True):
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
  width = max(float(np.median(between)), 1e-6)
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
