"""What a Tuner varies: a task's declaration, held to what a training reads."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import keras_tuner

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from pipeline.task import Task


def declared(task: Task, hyperparameters: Mapping[str, Any]) -> keras_tuner.HyperParameters:
  """The task's search space, around the values of this run.

  Raises:
    BadInputError: it is empty, or varies what no training of these values reads: trials would
      differ by chance alone.
  """
  space = keras_tuner.HyperParameters()
  load_function(task.search_space)(space, dict(hyperparameters))
  names = list(dict.fromkeys(each.name for each in space.space))
  if not names:
    raise BadInputError(
      f"{task.search_space} declares nothing to vary, so that tune.trials would train the same "
      "model again and again. Set tune.trials to 0."
    )
  unread = dict(task.unread(hyperparameters)) if task.unread else {}
  faults = [fault for name in names if (fault := _fault(task, hyperparameters, unread, name))]
  if faults:
    raise BadInputError(
      "\n".join(f"{task.search_space} varies {each}" for each in faults)
      + "\nDeclare hyperparameters that the model reads, or set tune.trials to 0."
    )
  return space


def _fault(
  task: Task, hyperparameters: Mapping[str, Any], unread: Mapping[str, str], name: str
) -> str:
  """What is wrong with a name; empty if nothing."""
  if name not in hyperparameters:
    near = difflib.get_close_matches(name, hyperparameters, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{name!r}, which is no hyperparameter of {task.name}, so that no model reads it.{hint}"
  if name in task.preprocessing_hyperparameters:
    return f"{name!r}, which Transform reads, and that has run with one value before all trials."
  if name in task.decoding:
    return f"{name!r}, which decoding reads, and no training."
  if name in unread:
    return f"{name!r}, which the chosen model does not read: it {unread[name]}."
  return ""
