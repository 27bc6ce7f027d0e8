"""Traces a model as it is exported, and tells what its graph would do on a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.serving_gate.serving_ops import ops_of, refused_by_all
from pipeline.training import datasets

_SHOWN = 5
# Beginnings of the names of ops that change a variable.
_CHANGES = ("Assign", "ResourceScatter", "ResourceApply", "ResourceStridedSliceAssign")


@dataclasses.dataclass(frozen=True)
class Traced:
  """A model in graph, in inference.

  Attributes:
    model: the model.
    ask: from a batch of inputs to the model's outputs.
    function: the same as a concrete function.
  """

  model: keras.Model
  ask: Any
  function: Any

  def stray_variables(self) -> list[str]:
    """Returns names of the variables that the graph reads and the model does not have."""
    known = {id(each) for variable in self.model.variables for each in _parts(variable.value)}
    return [v.name.rpartition(":")[0] for v in self._variables() if id(v) not in known]

  def unservable(self) -> list[str]:
    """Returns why no release of TensorFlow Serving could run the graph, a sentence a reason."""
    return refused_by_all(ops_of(self._graph_def()))

  def changed_variables(self, inputs: Any) -> list[str]:
    """Asks for the inputs; returns names of the variables that this changed.

    Generators of random numbers do not count: they show in the answers.
    """
    graph = self._graph_def()
    if not any(op.name.startswith(_CHANGES) for op in ops_of(graph)):
      return []
    kept = [
      (variable, np.asarray(variable))
      for variable in self.model.variables
      if "seed_generator" not in variable.path
    ]
    self.ask(inputs)
    return [
      variable.path
      for variable, before in kept
      if not np.array_equal(before, np.asarray(variable), equal_nan=_is_float(before))
    ]

  def _variables(self) -> Iterator[tf.Variable]:
    yield from self.function.graph.variables

  def _graph_def(self) -> Any:
    return self.function.graph.as_graph_def()


def trace(model: keras.Model, train: datasets.Split, batch_size: int) -> Traced:
  """Traces a model with `training=False`, without AutoGraph, as the export does.

  Args:
    model: built.
    train: has inputs as the model gets them.
    batch_size: the most rows of a batch.
  """
  ask: Any = datasets.traced(lambda inputs: model(inputs, training=False), train, batch_size)
  return Traced(model, ask, ask.get_concrete_function())


def listed(names: list[str]) -> str:
  """Joins names, the first five of them.

  >>> listed(["a", "b"])
  'a, b'
  """
  more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
  return f"{', '.join(names[:_SHOWN])}{more}"


def _parts(value: Any) -> tuple[Any, ...]:
  """Returns a variable, and its copies on each device."""
  return (value, *getattr(value, "values", ()))


def _is_float(array: np.ndarray) -> bool:
  return bool(np.issubdtype(array.dtype, np.floating))
