"""Reads a task's search space, and checks that training reads every setting in it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import keras_tuner

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from pipeline import kinds
from pipeline.params import Params, Role
from pipeline.task import Task


def declared(task: Task, params: Params) -> keras_tuner.HyperParameters:
  """Returns the task's search space, with the values of this run as defaults.

  Raises:
    BadInputError: the space is empty, tries a value that the setting does not accept, or varies a
      setting that training does not read, so that trials would differ by chance alone.
  """
  space = keras_tuner.HyperParameters()
  load_function(task.search_space)(space, params)
  if not space.space:
    raise BadInputError(
      f"{task.search_space} declares nothing to vary, so that tune.trials would train the same "
      "model again and again. Set tune.trials to 0."
    )
  unread = params.unread()
  faults = [fault for each in space.space if (fault := _fault(task, params, unread, each))]
  if faults:
    raise BadInputError(
      "\n".join(f"{task.search_space} varies {each}" for each in dict.fromkeys(faults))
      + "\nDeclare hyperparameters that the model reads, or set tune.trials to 0."
    )
  return space


def _fault(
  task: Task,
  params: Params,
  unread: Mapping[str, str],
  varied: keras_tuner.engine.hyperparameters.HyperParameter,
) -> str:
  """Returns what is wrong with the name or the values; empty if nothing is."""
  name = varied.name
  if name not in type(params).model_fields:
    near = difflib.get_close_matches(name, type(params).model_fields, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{name!r}, which is no hyperparameter of {task.name}, so that no model reads it.{hint}"
  if name in params.names_with(Role.TRANSFORM):
    return f"{name!r}, which Transform reads, and that has run with one value before all trials."
  if name in params.names_with(Role.DECODE):
    return f"{name!r}, which decoding reads, and no training."
  if name in unread:
    return f"{name!r}, which the chosen model does not read: it {unread[name]}."
  kind = params.kind_of(name)
  for value in _extremes(varied):
    if not kinds.fits(kind, value):
      return f"{name!r} up to {value!r}, and it must be {kinds.in_words(kind)}."
  return ""


def _extremes(varied: keras_tuner.engine.hyperparameters.HyperParameter) -> list[Any]:
  """Returns the ends of a range, or all values of a choice."""
  if hasattr(varied, "min_value"):
    return [varied.min_value, varied.max_value]
  return list(varied.values)
