"""Confident learning on scores whose truth is known."""

import numpy as np

from pipeline.suspects import confident


def test_a_label_that_contradicts_sure_scores_comes_first():
  scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.3, 0.7], [0.2, 0.8]])
  given = np.array([0, 0, 1, 1, 1])
  found = confident.ranked(given, scores)
  assert found.order[0] == 2
  assert found.suggested.tolist() == [1, 1, 0, 0, 0]
  # By hand: class 0 reaches its mean score of 0.85 in rows 0 and 2, class 1 its 0.517 in 3 and 4.
  assert found.count == 1


def test_an_unsure_model_contradicts_nothing():
  scores = np.array([[0.5, 0.5], [0.6, 0.4], [0.4, 0.6], [0.54, 0.46]])
  assert confident.ranked(np.array([0, 0, 1, 1]), scores).count == 0


def test_a_class_that_is_always_unsure_has_a_lower_threshold():
  # Class 2 is never scored above 0.4, so a score of 0.4 is sure for it.
  scores = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.35, 0.25, 0.4], [0.25, 0.35, 0.4]])
  given = np.array([0, 1, 2, 1])
  assert confident.ranked(given, scores).count == 1


def test_no_rows():
  found = confident.ranked(np.zeros(0, int), np.zeros((0, 2)))
  assert (len(found.order), found.count) == (0, 0)
