"""The pushed model: what its signature takes and gives, and rows asked in batches on threads.

A SavedModel directory and the name `serving_default` are the whole contract.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from typing import Any

import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

from dlpipe.errors import DlpipeError
from pipeline.batch.columns import ModelOutput
from pipeline.batch.values import plain_values
from pipeline.sources.tfrecord.op_errors import words_of
from serving.op_libraries import register_ops

SERVING_DEFAULT = "serving_default"

# Each holds a batch, decoded and padded.
_MAX_THREADS = 4

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

# Values by output, and reasons by place in the batch.
_Answer = tuple[dict[str, list[Any]], dict[int, str]]


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
    # Graphs with loops or strings often lose the rank; one value a row is what is usual then.
    rank = 1 if info.tensor_shape.unknown_rank else len(info.tensor_shape.dim)
    if rank not in (1, 2):
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
    register_ops()
    try:
      # Functions hold their variables weakly: the loaded object must live as long as they run.
      self._loaded = tf.saved_model.load(os.fspath(path))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as err:
      raise DlpipeError(f"The model in {os.fspath(path)!r} cannot be loaded: {err}") from err
    self._function = self._loaded.signatures[SERVING_DEFAULT]
    [self._input] = self._function.structured_input_signature[1]
    self._threads = futures.ThreadPoolExecutor(min(os.cpu_count() or 1, _MAX_THREADS))

  def ask(self, values: Sequence[bytes], outputs: Iterable[str], *, batch_size: int) -> Asked:
    """Starts asking about many values, in batches on threads; they share the cores better than one.

    Values of like length go together, so that a model that pads its batches pads little.

    Args:
      values: what each row sends.
      outputs: names of the outputs wanted.
      batch_size: rows asked at once.
    """
    names = tuple(outputs)
    order = sorted(range(len(values)), key=lambda index: len(values[index]))
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    futures = [
      self._threads.submit(self._answer, [values[index] for index in batch], names)
      for batch in batches
    ]
    return Asked(names=names, rows=len(values), batches=batches, futures=futures)

  def _answer(self, values: Sequence[bytes], names: Sequence[str]) -> _Answer:
    """The outputs for some values, found by halves where the graph fails."""
    try:
      found = self._function(**{self._input: tf.constant(values)})
    except (*_ROW_ERRORS, UnicodeDecodeError) as err:  # TensorFlow's for a message with such bytes
      if len(values) == 1:
        return {name: [None] for name in names}, {0: words_of(err)}
      middle = len(values) // 2
      return _joined(
        self._answer(values[:middle], names), self._answer(values[middle:], names), middle
      )
    columns = {name: plain_values(found[name].numpy()) for name in names}
    for name, column in columns.items():
      if len(column) != len(values):
        raise DlpipeError(
          f"Expected a value of the output {name!r} for each of {len(values)} rows. The model "
          f"gives {len(column)}."
        )
    return columns, {}


class Asked:
  """Answers that may still be on their way."""

  def __init__(
    self,
    *,
    names: Sequence[str],
    rows: int,
    batches: Sequence[Sequence[int]],
    futures: Sequence[futures.Future[_Answer]],
  ):
    """Args: what `Model.ask` knows: `batches` hold the rows' indices."""
    self._names = names
    self._rows = rows
    self._batches = batches
    self._futures = futures

  def result(
    self, on_batch: Callable[[int, int], None] = lambda rows, errors: None
  ) -> tuple[dict[str, list[Any]], dict[int, str]]:
    """Waits for the answers; a value that makes the graph fail costs no other its answer.

    Args:
      on_batch: told the rows of a batch and the errors among them.

    Returns:
      Each output's values in the order of the rows, None where there is an error; and the errors by
      row.

    Raises:
      DlpipeError: the model does not answer row by row.
      tf.errors.OpError: it fails in a way that is not the rows' fault.
    """
    answers: dict[str, list[Any]] = {name: [None] * self._rows for name in self._names}
    errors: dict[int, str] = {}
    for batch, future in zip(self._batches, self._futures, strict=True):
      columns, failed = future.result()
      for name, values in columns.items():
        column = answers[name]
        for index, value in zip(batch, values, strict=True):
          column[index] = value
      errors.update({batch[place]: reason for place, reason in failed.items()})
      on_batch(len(batch), len(failed))
    return answers, errors

  def cancel(self) -> None:
    """Gives up what has not begun."""
    for future in self._futures:
      future.cancel()


def _joined(first: _Answer, second: _Answer, middle: int) -> _Answer:
  columns = {name: column + second[0][name] for name, column in first[0].items()}
  return columns, {**first[1], **{middle + place: why for place, why in second[1].items()}}
