"""Fits what a model does not know, and adds it to the outputs of the exported graph.

`set` (or `low` and `high`) and the threshold of `decision` come from val, `familiarity` from train
and val. See `pipeline.problems.certainty`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from dlpipe import progress
from dlpipe.dotted_paths import load_function
from pipeline.problem import Problem
from pipeline.problems.calibration import Calibration
from pipeline.problems.certainty import distance
from pipeline.problems.certainty.record import (
  ACCEPTED,
  DECISION,
  FAMILIARITY,
  STRANGE,
  UNSURE,
  Certainty,
  Familiarity,
)
from pipeline.training.datasets import Split, traced
from pipeline.training.export import calibrating, evidence, signatures

_BATCH = 256
_MOST_VAL, _MOST_TRAIN = 4_096, 2_048  # rows; more cost more than they tell

Features = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certain:
  """What is added to the outputs of a model.

  Attributes:
    record: what was fitted.
    added: `(outputs, features) -> more outputs, which answers are accepted`; None if nothing is.
    ask: the model with its evidence; None without evidence.
    familiarity: evidence to p-values; None without evidence.
  """

  record: Certainty
  added: Callable[[Features, Features], tuple[dict[str, tf.Tensor], tf.Tensor | None]] | None
  ask: evidence.Asked | None = None
  familiarity: distance.FamiliarityGraph | None = None

  @property
  def variables(self) -> list[tf.Variable]:
    """The variables that the exported module must hold."""
    return self.familiarity.variables if self.familiarity else []

  def outputs(self, found: Features, features: Features, seen: evidence.Seen | None) -> Features:
    """Returns the outputs with those that say what the model does not know, in graph.

    Args:
      found: the outputs of the problem's `answer`.
      features: the transformed features.
      seen: what the model makes of the inputs; None without evidence.
    """
    more, accepted = self.added(found, features) if self.added else ({}, None)
    if self.familiarity is not None and seen is not None:
      chance = self.familiarity(*seen)
      more[FAMILIARITY] = chance
      is_familiar = chance >= STRANGE
      accepted = is_familiar if accepted is None else tf.logical_and(accepted, is_familiar)
    if accepted is not None:
      more[DECISION] = tf.where(accepted, ACCEPTED, UNSURE)
    return {**found, **{name: value for name, value in more.items() if name not in found}}


def fitted(
  problem: Problem,
  model: keras.Model,
  tft_output: tft.TFTransformOutput,
  splits: tuple[Split, Split],
  *,
  calibration: Calibration | None,
  options: Mapping[str, Any],
  settings: Mapping[str, Any],
) -> Certain | None:
  """Fits what a trained model does not know, and says so.

  Args:
    problem: the kind of answer.
    model: the trained model.
    tft_output: the transform graph.
    splits: train and val; at most 2,048 and 4,096 rows of them count.
    calibration: how the model's output becomes scores.
    options: the data options that the model was trained with.
    settings: the section `train` of the configuration.

  Returns:
    What to add; None if the kind of answer has nothing of this.
  """
  if problem.certainty is None or problem.serving_outputs is not None:
    return None
  signatures.without_cudnn(model)  # as it is exported
  kind = load_function(problem.certainty)()
  answer = load_function(problem.answer)(tft_output, problem.vocabulary, options)
  train, val = splits
  asked = _tried(evidence.asking(model), train)
  ask = None if isinstance(asked, str) else asked[0]

  def values(inputs: Any) -> tuple[Any, Any]:
    said, seen = ask(inputs) if ask else (model(inputs, training=False), None)
    if kind.reads is None:
      return said, seen
    scaled = calibrating.scaled(said, calibration, problem)
    return answer(scaled, inputs if isinstance(inputs, dict) else {}).get(kind.reads), seen

  seed = settings["seed"]
  run = traced(values, val, _BATCH)
  said, seen, labels = _collected(run, val, _MOST_VAL, seed)
  added = None
  if said is None:
    reason = "the model's answers have no scores" if kind.reads else "the model has several outputs"
    record = Certainty(reason=reason)
  else:
    record = kind.fit(
      said,
      labels,
      coverage=settings["coverage"],
      accepted_accuracy=settings["accepted_accuracy"],
    )
    added = kind.graph(record)
  progress.report(record.sentence, epoch=0)
  if isinstance(asked, str):
    told, familiarity = Familiarity(reason=asked), None
  else:
    _, (of_train, _), names = _collected(run, train, _MOST_TRAIN, seed)
    told, familiarity = _familiarity(asked[1], of_train, kind.groups(names), seen, seed)
  progress.report(told.sentence, epoch=0)
  record = dataclasses.replace(record, familiarity=told)
  if familiarity is None:
    return Certain(record=record, added=added)
  return Certain(record=record, added=added, ask=ask, familiarity=familiarity)


def _familiarity(
  what: str, of_train: np.ndarray, groups: np.ndarray, seen: evidence.Seen, seed: int
) -> tuple[Familiarity, distance.FamiliarityGraph | None]:
  """Returns what is told of the familiarity, and its graph; None if distances say nothing."""
  found = distance.fit(of_train, groups, seen.evidence, traits=seen.traits, seed=seed)
  told = Familiarity(
    evidence=what,
    units=sum(each.shape[1] for each in seen if each is not None),
    train_rows=len(of_train),
    val_rows=len(seen.evidence),
    reason=found if isinstance(found, str) else None,
  )
  return told, None if isinstance(found, str) else distance.FamiliarityGraph(found)


def _tried(asked: tuple[evidence.Asked, str] | str, train: Split) -> Any:
  """Returns what it got; or why the evidence of a user's own model cannot be used."""
  if isinstance(asked, str):
    return asked
  [(inputs, _)] = train.batches(2, None).take(1)
  try:
    _, seen = asked[0](inputs)
    ranks = [each.shape.rank for each in seen if each is not None]
  except Exception as err:  # a user's model can raise anything, and is served without this
    return f"{asked[1]} cannot be computed: {next(iter(str(err).splitlines()), type(err).__name__)}"
  if ranks != [2] * len(ranks):
    return f"{asked[1]} must be [batch, numbers], and has the rank {ranks}"
  return asked


def _collected(
  run: Callable[[Any], tuple[Any, evidence.Seen | None]], split: Split, most: int, seed: int
) -> tuple[np.ndarray | None, Any, np.ndarray]:
  """Returns values, `Seen` and labels of rows of a split; None instead of what is missing."""
  parts: list[tuple[Any, ...]] = []
  for inputs, label in split.batches(_BATCH, seed).take(-(-most // _BATCH)):
    said, seen = run(inputs)
    is_table = isinstance(said, tf.Tensor) and said.shape.rank == 2
    parts.append((said if is_table else None, *(seen or (None, None)), label))
  labels = np.concatenate([part[-1].numpy() for part in parts])
  said, of_model, traits = (
    None if any(part is None for part in column) else np.concatenate([p.numpy() for p in column])
    for column in list(zip(*parts, strict=True))[:-1]
  )
  return said, None if of_model is None else evidence.Seen(of_model, traits), labels
