"""Chooses the requests to log: a random part, and those that a random part would miss.

A service that is right in 99 of 100 cases teaches little by a random sample. Answers below a score,
answers with a label that is rare among the answers so far, and errors can be kept whatever the
sample says; each entry says why it is there, so that the random part can still be told apart.
"""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.models.classification import Classes
from serving.models.tensors import Array, array_from_proto

SAMPLED, UNSURE, RARE, ERROR = "sampled", "unsure", "rare", "error"
# The outputs of every classification that dlpipe exports; other models may have them, too.
SCORE, LABEL, SCORES = "score", "label", "scores"
_HALVED_AT = 10_000
_MOST_LABELS = 1000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
  """Which requests are logged.

  Attributes:
    rate: the part of all requests, at random.
    unsure_below: every answer with a score below this; 0 keeps none for it.
    rare_below: every answer with a label that is a smaller part of the answers; 0 keeps none.
    errors: whether every refused request is logged, without its content.
  """

  rate: float = 0.01
  unsure_below: float = 0.0
  rare_below: float = 0.0
  errors: bool = False

  @property
  def reads_answers(self) -> bool:
    """Whether it needs scores and labels."""
    return self.unsure_below > 0 or self.rare_below > 0


class Sampler:
  """Decides for each request; remembers how common each label is. Any thread may ask."""

  def __init__(self, sampling: Sampling):
    """Has seen nothing yet."""
    self._sampling = sampling
    self._counts: dict[Any, int] = {}
    self._total = 0
    self._counting = threading.Lock()

  def why(self, answer: Answer | None) -> str | None:
    """Returns why a request is logged; None if it is not.

    Args:
      answer: its answer; None if `reads_answers` is false.
    """
    sampling = self._sampling
    is_sampled = random.random() < sampling.rate
    if answer is None:
      return SAMPLED if is_sampled else None
    # Every answer is counted.
    is_rare = sampling.rare_below > 0 and self._has_rare(answer.labels)
    if is_sampled:  # whatever else it is: without the unsure, the random part would look too good
      return SAMPLED
    # A score that is no number is not sure.
    if sampling.unsure_below > 0 and any(not s >= sampling.unsure_below for s in answer.scores):
      return UNSURE
    return RARE if is_rare else None

  def _has_rare(self, labels: Sequence[Any]) -> bool:
    """Counts the labels; returns whether one of them is rare."""
    is_rare = False
    with self._counting:
      for label in labels:
        count = self._counts.get(label, 0) + 1
        if count > 1 or len(self._counts) < _MOST_LABELS:
          self._counts[label] = count
        self._total += 1
        is_rare |= count < self._sampling.rare_below * self._total
      if self._total > _HALVED_AT:  # what was common a year ago may be rare today
        self._counts = {label: count // 2 for label, count in self._counts.items() if count > 1}
        self._total = sum(self._counts.values())
    return is_rare


@dataclasses.dataclass(frozen=True)
class Answer:
  """The best score and label of each row; empty if the model gives none."""

  scores: Sequence[float] = ()
  labels: Sequence[Any] = ()


def of_arrays(outputs: Mapping[str, Array]) -> Answer:
  """Returns the answer in a Predict's arrays; outputs of these names may be something else."""
  scores, labels = outputs.get(SCORE), outputs.get(LABEL)
  if SCORE not in outputs and LABEL in outputs:
    scores = _least_sure(outputs.get(SCORES))
  return Answer(
    scores.ravel().tolist() if scores is not None and scores.dtype.kind in "fiu" else (),
    labels.ravel().tolist() if labels is not None else (),
  )


def _least_sure(scores: Array | None) -> Array | None:
  """Returns the score of the least sure label of each row, if each label has one."""
  if scores is None or scores.dtype.kind != "f" or scores.ndim != 2 or not scores.shape[1]:
    return None
  return np.maximum(scores, 1 - scores).min(axis=1)


def of_message(api: str, response: Any) -> Answer:
  """Returns the answer in a response of gRPC."""
  if api == "Predict":
    named = {SCORE, LABEL, SCORES} & set(response.outputs)
    return of_arrays({name: array_from_proto(response.outputs[name]) for name in named})
  if api == "Classify":
    rows = [row.classes for row in response.result.classifications if row.classes]
    best = [max(classes, key=lambda each: each.score) for classes in rows]
    return Answer([each.score for each in best], [each.label for each in best])
  return Answer()


def of_classes(result: Any) -> Answer:
  """Returns the answer of a REST Classify or Regress."""
  if not isinstance(result, Classes):
    return Answer()
  best = [max(row, key=lambda pair: pair[1]) for row in result.rows() if row]
  return Answer([score for _, score in best], [label for label, _ in best])
