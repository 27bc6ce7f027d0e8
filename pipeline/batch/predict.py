"""The Beam DoFn of a batch: an element is a shard; the worker reads, predicts and writes its rows.

Rows never pass through Beam, so a bundle costs no more than reading, predicting and writing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.utils.shared import Shared

from dlpipe import progress
from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import DlpipeError
from pipeline.batch.columns import Layout
from pipeline.batch.inputs import InputPlan, InputRow, read_rows
from pipeline.batch.model import Asked, Model
from pipeline.batch.outputs import OutputPlan
from pipeline.tasks import get_task

# Enough rows to sort by length and to write at once; few enough for memory.
CHUNK_ROWS = 5000
CHUNK_BYTES = 64 << 20

_REPORT_S = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
  """The arguments of every worker.

  Attributes:
    task: the task's name.
    model_dir: the SavedModel's directory.
    inputs: the inputs to read.
    layout: the columns to write.
    outputs: the requested output, which names the format.
    parts_dir: the folder to write parts to.
    batch_size: number of rows that the model gets at once.
  """

  task: str
  model_dir: str
  inputs: InputPlan
  layout: Layout
  outputs: OutputPlan
  parts_dir: str
  batch_size: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardReport:
  """The result of one shard.

  Attributes:
    parts: file name and number of rows of each part, in order.
    errors: number of rows without a prediction.
    first_error: the error of the first of these rows.
  """

  parts: list[tuple[str, int]]
  errors: int
  first_error: str | None

  def save(self, parts_dir: str, shard: int) -> None:
    """Writes the report beside the parts."""
    write_whole(_report_path(parts_dir, shard), json.dumps(dataclasses.asdict(self)))

  @classmethod
  def load(cls, parts_dir: str, shard: int) -> ShardReport:
    """Reads the report that a worker wrote.

    Raises:
      DlpipeError: the report is missing: the worker wrote to another file system.
    """
    path = _report_path(parts_dir, shard)
    try:
      with open(path, encoding="utf-8") as f:
        return cls(**json.load(f))
    except FileNotFoundError as err:
      raise DlpipeError(
        f"A worker wrote its predictions where this process does not find them: {path!r}. The "
        "output's folder must be the same for all workers, as on a shared file system."
      ) from err


@dataclasses.dataclass
class _Shard:
  """The state of a shard in progress; becomes its report."""

  number: int
  parts: list[tuple[str, int]] = dataclasses.field(default_factory=list)
  errors: int = 0
  first_error: str | None = None
  is_read: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Chunk:
  """Rows whose predictions are running."""

  shard: _Shard
  number: int
  rows: list[InputRow]
  sent: list[int]
  asked: Asked


class PredictShard(beam.DoFn):
  """Predicts shards, writes their parts and reports; emits nothing.

  While the model predicts one chunk of rows, the worker reads the next and writes the last, across
  the shards of a bundle.
  """

  def __init__(self, work: Work):
    self._work = work
    self._shared = Shared()
    self._model: Model | None = None
    self._waiting: list[_Chunk] = []
    self._done = _Done()

  def start_bundle(self) -> None:
    self._waiting = []

  def process(self, element: str) -> Iterator[None]:
    work = self._work
    number, source = json.loads(element)
    shard = _Shard(number)
    with self._cancelling():
      task = get_task(work.task)
      rows = read_rows(work.inputs, source, task.input.value, task.input.find_file)
      for place, chunk in enumerate(_chunks(rows)):
        self._waiting.append(self._ask(shard, place, chunk))
        self._finish_all_but(1)
    shard.is_read = True
    if not self._waiting or self._waiting[-1].shard is not shard:
      self._report(shard)
    yield from ()

  def finish_bundle(self) -> None:
    with self._cancelling():
      self._finish_all_but(0)

  def _finish_all_but(self, count: int) -> None:
    while len(self._waiting) > count:
      self._finish(self._waiting[0])
      del self._waiting[0]

  @contextlib.contextmanager
  def _cancelling(self) -> Iterator[None]:
    """Cancels waiting predictions on an error: their threads would keep the process alive."""
    try:
      yield
    except BaseException:
      for chunk in self._waiting:
        chunk.asked.cancel()
      raise

  def _ask(self, shard: _Shard, number: int, rows: list[InputRow]) -> _Chunk:
    sent = [index for index, row in enumerate(rows) if row.error is None]
    asked = self._load().ask(
      [rows[index].value or b"" for index in sent],
      self._work.layout.outputs,
      batch_size=self._work.batch_size,
    )
    return _Chunk(shard=shard, number=number, rows=rows, sent=sent, asked=asked)

  def _finish(self, chunk: _Chunk) -> None:
    """Waits for the predictions and writes the part."""
    rows, shard = chunk.rows, chunk.shard
    errors = {index: row.error for index, row in enumerate(rows) if row.error is not None}
    if errors:
      self._done.add(len(errors), len(errors))
    answers, failed = chunk.asked.result(self._done.add)
    errors.update({chunk.sent[place]: reason for place, reason in failed.items()})
    columns = [list(cells) for cells in zip(*(row.cells for row in rows), strict=True)]
    for column in answers.values():
      columns.append(_spread(column, chunk.sent, len(rows)))
    columns.append([errors.get(index) for index in range(len(rows))])
    name = f"{shard.number:06d}-{chunk.number:06d}"
    # Beam may run a second attempt of the same shard at the same time.
    partial = os.path.join(self._work.parts_dir, f"{name}.{secrets.token_hex(4)}")
    self._work.outputs.writer()(partial, self._work.layout, columns)
    os.replace(partial, os.path.join(self._work.parts_dir, name))
    shard.parts.append((name, len(rows)))
    shard.errors += len(errors)
    if errors and shard.first_error is None:
      shard.first_error = errors[min(errors)]
    if shard.is_read:
      self._report(shard)

  def _report(self, shard: _Shard) -> None:
    self._done.report(last=True)
    ShardReport(parts=shard.parts, errors=shard.errors, first_error=shard.first_error).save(
      self._work.parts_dir, shard.number
    )

  def _load(self) -> Model:
    """Returns the model, which is loaded once per worker process."""
    if self._model is None:
      path = self._work.model_dir
      self._model = self._shared.acquire(lambda: Model(path), tag=path)
    return self._model


class _Done:
  """Counts rows, and reports them every few seconds."""

  def __init__(self) -> None:
    self._rows = self._errors = 0
    self._said = 0.0

  def add(self, rows: int, errors: int) -> None:
    self._rows += rows
    self._errors += errors
    if time.monotonic() - self._said >= _REPORT_S:
      self.report()

  def report(self, *, last: bool = False) -> None:
    """Reports the rows since the last report; `last` says that a shard is complete."""
    progress.report(
      f"{self._rows:,} rows predicted", rows=self._rows, errors=self._errors, shards=int(last)
    )
    self._rows = self._errors = 0
    self._said = time.monotonic()


def _chunks(rows: Iterable[InputRow]) -> Iterator[list[InputRow]]:
  chunk: list[InputRow] = []
  size = 0
  for row in rows:
    chunk.append(row)
    size += len(row.value or b"")
    if len(chunk) >= CHUNK_ROWS or size >= CHUNK_BYTES:
      yield chunk
      chunk, size = [], 0
  if chunk:
    yield chunk


def _spread(values: list[Any], indices: list[int], length: int) -> list[Any]:
  if len(indices) == length:
    return values
  spread: list[Any] = [None] * length
  for index, value in zip(indices, values, strict=True):
    spread[index] = value
  return spread


def _report_path(parts_dir: str, shard: int) -> str:
  return os.path.join(parts_dir, f"report-{shard:06d}.json")


def shard_elements(shards: Iterable[Mapping[str, Any]]) -> list[str]:
  """Returns the elements for `PredictShard`: number and shard, as JSON.

  >>> shard_elements([{"file": "a.txt"}])
  ['[0, {"file": "a.txt"}]']
  """
  return [json.dumps([number, dict(shard)]) for number, shard in enumerate(shards)]
