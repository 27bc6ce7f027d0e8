"""Scores of rows that a cheap model has not seen."""

import numpy as np
import scipy.sparse

from pipeline.suspects import out_of_fold


def test_most_rows_may_be_equal():
  random = np.random.default_rng(0)
  given = np.array([0] * 400 + [1] * 50 + [2] * 50)
  centres = random.random((3, 64), np.float32)
  features = centres[given]
  features[400:] += random.normal(0, 0.1, (100, 64)).astype(np.float32)
  scores = out_of_fold.of_dense(features, given, np.arange(500) % out_of_fold.FOLDS, 3)
  assert (scores.argmax(1) == given).all()


def test_rows_of_no_fold_are_learnt_from_and_not_scored():
  random = np.random.default_rng(1)
  given = np.arange(90) % 3
  features = (3 * np.eye(3)[given] + random.normal(size=(90, 3))).astype(np.float32)
  fold = np.where(np.arange(90) < 60, -1, 0)
  scores = out_of_fold.of_dense(features, given, fold, 3)
  assert (scores[60:].argmax(1) == given[60:]).mean() > 0.8
  np.testing.assert_allclose(scores[:60], 1 / 3)


def test_what_is_asked_about_nothing_costs_no_model(monkeypatch):
  features, given = scipy.sparse.csr_matrix(np.eye(8)), np.array([0, 1] * 4)
  learnt = []
  model = out_of_fold._logistic
  monkeypatch.setattr(out_of_fold, "_logistic", lambda *seen: learnt.append(1) or model(*seen))
  scores = out_of_fold.of_sparse(features, given, np.array([-1] * 6 + [0] * 2), 2)
  assert (len(learnt), scores.shape) == (1, (8, 2))
