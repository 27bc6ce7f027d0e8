"""Sets of labels that hold the right one as often as asked, fitted on val and computed in graph.

A set holds the labels whose score reaches a bound, and always the answer. That is LAC with the
answer added: of all sets of one coverage these are the smallest on average, and none is empty.

Source: Sadinle, Lei and Wasserman 2019, "Least Ambiguous Set-Valued Classifiers with Bounded Error
Levels", https://arxiv.org/abs/1609.00451
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from pipeline.problems.certainty import conformal
from pipeline.problems.certainty.record import SET, Certainty
from pipeline.problems.labels import NONE, THRESHOLD

Outputs = Mapping[str, tf.Tensor]
# More outputs of a model, and `[batch]` bool, which answers are accepted; None if that is open.
Added = tuple[dict[str, tf.Tensor], tf.Tensor | None]

_LEAST_SCORE = 1e-30
# How far a bound is from the row of val that gives it, as a part: a server may round otherwise.
_APART = 1e-3


class ClassSets:
  """Sets of classes, if each row has one."""

  reads = "scores"  # the output that is fitted; None for what the model says

  def groups(self, labels: np.ndarray) -> np.ndarray:
    """Returns the group of rows to which each row is compared, `[rows]` int: its class."""
    return np.asarray(labels, np.int64).reshape(len(labels))

  def fit(
    self,
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    coverage: float | None,
    accepted_accuracy: float | None,
  ) -> Certainty:
    """Finds the bounds of scores.

    Args:
      scores: `[rows, classes]`, each in [0, 1].
      labels: `[rows]`, ids; a label outside of the classes is in no set.
      coverage: as the user asks for it; None chooses.
      accepted_accuracy: likewise; None accepts what is alone in its set.
    """
    labels, rows = self.groups(labels), len(scores)
    known = (labels >= 0) & (labels < scores.shape[1])
    of_label = scores[np.arange(rows), np.where(known, labels, 0)]
    # A score that has become 0 is in no order with others, and no bound above 0 holds it.
    has_score = known & (of_label > _LEAST_SCORE)
    distance = np.where(has_score, -np.log(np.maximum(of_label, _LEAST_SCORE)), np.inf)
    is_right = scores.argmax(axis=1) == labels
    wanted = coverage or conformal.chosen_coverage(float((~is_right).sum()), rows)
    found = conformal.bound(distance, wanted)
    bound = None if found is None else math.exp(-_apart(distance, found))
    in_set = scores >= (0 if bound is None else bound)
    in_set[np.arange(rows), scores.argmax(axis=1)] = True
    sizes = in_set.sum(axis=1)
    return _record(
      scores.max(axis=1, initial=0),
      is_right,
      sizes,
      sizes == 1,
      rows=rows,
      coverage=wanted,
      is_asked=coverage is not None,
      bound=bound,
      accepted_accuracy=accepted_accuracy,
    )

  def graph(self, record: Certainty) -> Callable[[Outputs, Outputs], Added]:
    """Returns the function from a model's outputs and features to `set` and what is accepted.

    `set` `[batch, classes]` string holds the labels of the set, the likeliest first, then "".
    """

    def added(found: Outputs, features: Outputs) -> Added:
      del features
      scores = found["scores"]
      of_set, size = _sorted_set(scores, found["labels"], record.bound, is_answer=0)
      surest = tf.reduce_max(scores, axis=1)
      return {SET: of_set}, _is_accepted(record, surest, size == 1)

    return added


class LabelSets:
  """Sets of labels, if a row may have several: they hold the asked part of a row's labels."""

  reads = "scores"

  def groups(self, labels: np.ndarray) -> np.ndarray:
    """Returns one group for all rows, `[rows]` int."""
    return np.zeros(len(labels), np.int64)

  def fit(
    self,
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    coverage: float | None,
    accepted_accuracy: float | None,
  ) -> Certainty:
    """Finds the bounds of scores; `labels` are ids `[rows, most]`, as `label_ids`."""
    known = (labels >= 0) & (labels < scores.shape[1])
    truth = np.zeros(scores.shape, bool)
    row, place = np.nonzero(known)
    truth[row, labels[row, place]] = True
    answer = scores >= THRESHOLD
    # No set can hold a label that the model does not know.
    strange = ((labels != NONE) & ~known).sum(axis=1)
    each = truth.sum(axis=1) + strange
    rows = int((each > 0).sum())  # one without labels has none that a set could miss
    missed = ((truth & ~answer).sum(axis=1) + strange) / np.maximum(each, 1)
    is_right = (truth == answer).all(axis=1) & (strange == 0)
    wanted = coverage or conformal.chosen_coverage(float(missed.sum()), rows)
    row, place = np.nonzero(truth)
    of_strange = np.repeat(np.arange(len(scores)), strange)
    found = conformal.least_score(
      np.concatenate([scores[row, place], np.full(len(of_strange), -np.inf)]),
      1 / each[np.concatenate([row, of_strange])],
      rows,
      wanted,
    )
    bound = None
    if found is not None and found > -math.inf:
      bound = min(found * (1 - _APART), THRESHOLD)
    in_set = scores >= (0 if bound is None else bound)
    surest = np.maximum(scores, 1 - scores).min(axis=1, initial=1)
    return _record(
      surest,
      is_right,
      in_set.sum(axis=1),
      (in_set == answer).all(axis=1),
      rows=rows,
      coverage=wanted,
      is_asked=coverage is not None,
      bound=bound,
      accepted_accuracy=accepted_accuracy,
    )

  def graph(self, record: Certainty) -> Callable[[Outputs, Outputs], Added]:
    """As `ClassSets.graph`; an answer is as sure as its least sure label."""

    def added(found: Outputs, features: Outputs) -> Added:
      del features
      scores = found["scores"]
      of_set, size = _sorted_set(scores, found["labels"], record.bound, is_answer=-1)
      answered = tf.reduce_sum(tf.cast(scores >= THRESHOLD, tf.int32), axis=1)
      surest = tf.reduce_min(tf.maximum(scores, 1 - scores), axis=1)
      return {SET: of_set}, _is_accepted(record, surest, size == answered)

    return added


def _record(
  surest: np.ndarray,
  is_right: np.ndarray,
  sizes: np.ndarray,
  alone: np.ndarray,
  *,
  rows: int,
  coverage: float,
  is_asked: bool,
  bound: float | None,
  accepted_accuracy: float | None,
) -> Certainty:
  """Returns the record; a set that adds nothing to the answer is `alone`."""
  start: float | None = None
  accepted = alone & (bound is not None)
  if accepted_accuracy is not None:
    start = conformal.accepted_from(surest, is_right, accepted_accuracy)
    start = None if start is None else start * (1 - _ROUNDING)
    accepted = surest >= (np.inf if start is None else start)
  return Certainty(
    coverage=coverage,
    is_asked=is_asked,
    rows=rows,
    bound=bound,
    size=float(sizes.mean()) if len(sizes) else 0.0,
    accepted_accuracy=accepted_accuracy,
    accepted_from=start,
    accepted=float(accepted.mean()) if len(accepted) else 0.0,
  )


_ROUNDING = 1e-5


def _apart(numbers: np.ndarray, found: float) -> float:
  """Returns a bound beyond `found`, at most halfway to the next larger number."""
  above = numbers[numbers > found]
  return found + min(_APART, float(above.min() - found) / 2 if len(above) else _APART)


def _sorted_set(
  scores: tf.Tensor, labels: tf.Tensor, bound: float | None, *, is_answer: int
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the labels of each set, the likeliest first, then "", and the number of them.

  Args:
    scores: `[batch, classes]` float32.
    labels: `[batch, classes]` string.
    bound: the least score in a set; None takes all.
    is_answer: the place in the sorted scores that is in every set; -1 for none.
  """
  # Of equal scores the first comes first, as in `argmax`.
  order = tf.argsort(scores, axis=1, direction="DESCENDING", stable=True)
  sorted_scores = tf.gather(scores, order, batch_dims=1)
  place = tf.range(tf.shape(scores)[1])[tf.newaxis]
  in_set = sorted_scores >= (0.0 if bound is None else bound)
  in_set = tf.logical_or(in_set, place == is_answer)
  named = tf.gather(labels, order, batch_dims=1)
  size = tf.reduce_sum(tf.cast(in_set, tf.int32), axis=1)
  return tf.where(in_set, named, tf.zeros_like(named)), size


def _is_accepted(record: Certainty, surest: tf.Tensor, alone: tf.Tensor) -> tf.Tensor:
  if record.accepted_accuracy is None:
    # Without a bound a set says nothing, and neither does an answer that fills it.
    return alone if record.bound is not None else tf.zeros_like(alone)
  return surest >= (math.inf if record.accepted_from is None else record.accepted_from)
