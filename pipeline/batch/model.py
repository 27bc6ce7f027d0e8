"""Loads the pushed model, reads its signature, and predicts rows in batches on threads.

A SavedModel directory and the name `serving_default` are the whole contract.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from typing import Any

import numpy as np

from dlpipe.errors import DlpipeError
from pipeline.batch.columns import ModelOutput
from pipeline.batch.values import plain_columns
from pipeline.sources.tfrecord.op_errors import words_of
from serving.errors import (
  DataLoss,
  Internal,
  InvalidArgument,
  OutOfRange,
  ResourceExhausted,
  ServingError,
  Unknown,
)
from serving.models.local_model import LocalModel
from serving.models.signatures import read_signatures

SERVING_DEFAULT = "serving_default"

# Bounds memory: each thread holds a batch, decoded and padded.
_MAX_THREADS = 4

# Errors that a row's value, or too many rows at once, may cause. Any other error is the fault of
# the model or the machine, so trying other rows is pointless.
_ROW_ERRORS = (DataLoss, Internal, InvalidArgument, OutOfRange, ResourceExhausted, Unknown)

# Values by output name, and errors by place in the batch.
_Answer = tuple[dict[str, list[Any]], dict[int, str]]


def read_outputs(path: str | os.PathLike[str]) -> tuple[ModelOutput, ...]:
  """Reads the outputs of a SavedModel's `serving_default`, strings first; loads no variable.

  Raises:
    DlpipeError: the model cannot be read, or lacks a signature `serving_default` with one input and
      at least one output with a value per row.
  """
  try:
    signature = read_signatures(path).get(SERVING_DEFAULT)
  except ServingError as err:
    raise DlpipeError(f"The model in {os.fspath(path)!r} cannot be read: {err}") from err
  if signature is None or len(signature.inputs) != 1:
    raise DlpipeError(
      f"Expected a model whose signature {SERVING_DEFAULT!r} takes one input. {os.fspath(path)!r} "
      f"{'has no such signature' if signature is None else f'takes {sorted(signature.inputs)}'}."
    )
  found = []
  for name, spec in signature.outputs.items():
    # Graphs with loops or strings often lose the rank; they usually have one value per row.
    rank = 1 if spec.shape is None else len(spec.shape)
    if rank in (1, 2):  # a column cannot hold other ranks
      found.append(ModelOutput(name=name, dtype=spec.dtype, is_vector=rank == 2))
  if not found:
    raise DlpipeError(f"The model in {os.fspath(path)!r} gives no values for each row.")
  return tuple(sorted(found, key=lambda output: (output.dtype != "string", output.name)))


class Model:
  """A SavedModel in memory."""

  def __init__(self, path: str | os.PathLike[str]):
    """Loads the SavedModel in the directory `path`.

    Raises:
      DlpipeError: it cannot be loaded.
    """
    try:
      self._model = LocalModel(path)
    except ServingError as err:
      raise DlpipeError(f"The model in {os.fspath(path)!r} cannot be loaded: {err}") from err
    [self._input] = self._model.signatures[SERVING_DEFAULT].inputs
    self._threads = futures.ThreadPoolExecutor(min(os.cpu_count() or 1, _MAX_THREADS))

  def ask(self, values: Sequence[bytes], outputs: Iterable[str], *, batch_size: int) -> Asked:
    """Starts predicting many values in batches on threads, which use the cores better than one.

    Values of similar length share a batch, so that a model pads little.

    Args:
      values: the value of each row.
      outputs: names of the outputs to return.
      batch_size: number of rows in a batch.

    Returns:
      The pending predictions.
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
    """Predicts some values; if the graph fails, splits them in halves to find the bad ones."""
    rows = np.empty(len(values), object)
    rows[:] = values
    try:
      found = self._model.predict(SERVING_DEFAULT, {self._input: rows}, names)
    except _ROW_ERRORS as err:
      if len(values) == 1:
        return {name: [None] for name in names}, {0: words_of(err)}
      middle = len(values) // 2
      return _joined(
        self._answer(values[:middle], names), self._answer(values[middle:], names), middle
      )
    except ServingError as err:
      raise DlpipeError(f"The model could not answer: {err}") from err
    columns = plain_columns(found, names)
    for name, column in columns.items():
      if len(column) != len(values):
        raise DlpipeError(
          f"Expected a value of the output {name!r} for each of {len(values)} rows. The model "
          f"gives {len(column)}."
        )
    return columns, {}


class Asked:
  """Predictions that may still be running."""

  def __init__(
    self,
    *,
    names: Sequence[str],
    rows: int,
    batches: Sequence[Sequence[int]],
    futures: Sequence[futures.Future[_Answer]],
  ):
    """Takes the running batches.

    Args:
      names: names of the outputs.
      rows: number of rows in all batches.
      batches: the indices of the rows in each batch.
      futures: the prediction of each batch.
    """
    self._names = names
    self._rows = rows
    self._batches = batches
    self._futures = futures

  def result(
    self, on_batch: Callable[[int, int], None] = lambda rows, errors: None
  ) -> tuple[dict[str, list[Any]], dict[int, str]]:
    """Waits for the predictions; a value that makes the graph fail does not affect the others.

    Args:
      on_batch: called after each batch with its number of rows and of errors.

    Returns:
      The values of each output in the order of the rows, None for a row with an error; and the
      errors by row.

    Raises:
      DlpipeError: the model does not return one value per row, or fails for a reason other than the
        values.
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
    """Cancels batches that have not started."""
    for future in self._futures:
      future.cancel()


def _joined(first: _Answer, second: _Answer, middle: int) -> _Answer:
  columns = {name: column + second[0][name] for name, column in first[0].items()}
  return columns, {**first[1], **{middle + place: why for place, why in second[1].items()}}
