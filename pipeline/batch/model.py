"""The pushed model: what its signature takes and gives, and rows asked in batches.

A SavedModel directory and the name `serving_default` are the whole contract.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

from components.errors import DlpipeError
from pipeline.batch.columns import ModelOutput
from pipeline.batch.values import plain_values

SERVING_DEFAULT = "serving_default"

# What the values of a row, or too many of them at once, may be the cause of. Anything else is wrong
# with the model or the machine, and asking about other rows is in vain.
_ROW_ERRORS = (
  tf.errors.DataLossError,
  tf.errors.InternalError,
  tf.errors.InvalidArgumentError,
  tf.errors.OutOfRangeError,
  tf.errors.ResourceExhaustedError,
  tf.errors.UnknownError,
)
# What TensorFlow says around the cause: where in the graph, never why.
_GRAPH_NOISE = ("Graph execution error", "Detected at node", "<stack traces", "[[{{", "(0)", "(1)")


def read_outputs(path: str | os.PathLike[str]) -> tuple[ModelOutput, ...]:
  """The outputs of a SavedModel's `serving_default`, words before numbers; loads no variable.

  Raises:
    DlpipeError: it cannot be read, or has no such signature that takes one input and gives at least
      one value for each row.
  """
  saved = saved_model_pb2.SavedModel()
  try:
    saved.ParseFromString((pathlib.Path(path) / "saved_model.pb").read_bytes())
  except (OSError, message.DecodeError) as err:
    raise DlpipeError(f"The model in {os.fspath(path)!r} cannot be read: {err}") from err
  signatures = [
    graph.signature_def[SERVING_DEFAULT]
    for graph in saved.meta_graphs
    if "serve" in graph.meta_info_def.tags and SERVING_DEFAULT in graph.signature_def
  ]
  if not signatures or len(signatures[0].inputs) != 1:
    raise DlpipeError(
      f"Expected a model whose signature {SERVING_DEFAULT!r} takes one input. {os.fspath(path)!r} "
      f"{'takes ' + str(sorted(signatures[0].inputs)) if signatures else 'has no such signature'}."
    )
  found = []
  for name, info in signatures[0].outputs.items():
    rank = len(info.tensor_shape.dim)
    if info.tensor_shape.unknown_rank or rank not in (1, 2):
      continue  # nothing that a column could hold
    dtype = tf.dtypes.as_dtype(info.dtype).name
    found.append(ModelOutput(name=name, dtype=dtype, is_vector=rank == 2))
  if not found:
    raise DlpipeError(f"The model in {os.fspath(path)!r} gives no values for each row.")
  return tuple(sorted(found, key=lambda output: (output.dtype != "string", output.name)))


class Model:
  """A SavedModel in memory."""

  def __init__(self, path: str | os.PathLike[str]):
    """Loads it.

    Raises:
      DlpipeError: it cannot be loaded.
    """
    try:
      # Functions hold their variables weakly: the loaded object must live as long as they run.
      self._loaded = tf.saved_model.load(os.fspath(path))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as err:
      raise DlpipeError(f"The model in {os.fspath(path)!r} cannot be loaded: {err}") from err
    self._function = self._loaded.signatures[SERVING_DEFAULT]
    [self._input] = self._function.structured_input_signature[1]

  def predict(
    self,
    values: Sequence[bytes],
    outputs: Iterable[str],
    *,
    batch_size: int,
    on_batch: Callable[[int, int], None] = lambda rows, errors: None,
  ) -> tuple[dict[str, list[Any]], dict[int, str]]:
    """Asks about many values; one that makes the graph fail costs no other its answer.

    Values of like length go together, so that a model that pads its batches pads little.

    Args:
      values: what each row sends.
      outputs: names of the outputs wanted.
      batch_size: rows asked at once.
      on_batch: told rows done and errors among them, after each batch.

    Returns:
      Each output's values in the order of `values`, None where there is an error; and the errors by
      index.

    Raises:
      DlpipeError: the model does not answer row by row.
      tf.errors.OpError: it fails in a way that is not the rows' fault.
    """
    answers: dict[str, list[Any]] = {name: [None] * len(values) for name in outputs}
    errors: dict[int, str] = {}
    order = sorted(range(len(values)), key=lambda index: len(values[index]))
    for start in range(0, len(order), batch_size):
      batch = order[start : start + batch_size]
      before = len(errors)
      self._ask(batch, values, answers, errors)
      on_batch(len(batch), len(errors) - before)
    return answers, errors

  def _ask(
    self,
    batch: Sequence[int],
    values: Sequence[bytes],
    answers: dict[str, list[Any]],
    errors: dict[int, str],
  ) -> None:
    """Asks about the values at some indices, by halves where that fails."""
    try:
      found = self._function(**{self._input: tf.constant([values[index] for index in batch])})
    except _ROW_ERRORS as err:
      if len(batch) == 1:
        errors[batch[0]] = explain(err)
        return
      middle = len(batch) // 2
      self._ask(batch[:middle], values, answers, errors)
      self._ask(batch[middle:], values, answers, errors)
      return
    for name, column in answers.items():
      plain = plain_values(found[name].numpy())
      if len(plain) != len(batch):
        raise DlpipeError(
          f"Expected a value of the output {name!r} for each of {len(batch)} rows. The model gives "
          f"{len(plain)}."
        )
      for index, value in zip(batch, plain, strict=True):
        column[index] = value


def explain(error: Any) -> str:
  """Why TensorFlow failed, without its account of graph nodes."""
  lines = [line.strip() for line in str(error.message).splitlines()]
  told = [line for line in lines if line and not line.startswith(_GRAPH_NOISE)]
  return " ".join(told) or str(error.message)
