"""The Beam function: one element a shard, whose worker reads, asks and writes its own parts.

Rows never travel through Beam: a bundle costs what reading, predicting and writing cost.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.utils.shared import Shared

from components import progress
from components.errors import DlpipeError
from pipeline.batch.columns import Layout
from pipeline.batch.inputs import InputPlan, InputRow, read_rows
from pipeline.batch.model import Model
from pipeline.batch.outputs import OutputPlan
from pipeline.tasks import get_task

# Enough rows to sort by length and to write at once; few enough to hold.
CHUNK_ROWS = 5000
CHUNK_BYTES = 64 << 20

_REPORT_S = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
  """What every worker must know.

  Attributes:
    task: the task's name.
    model_dir: the SavedModel.
    inputs: what is read.
    layout: the columns to write.
    outputs: how they are written.
    parts_dir: where parts go.
    batch_size: rows asked at once.
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
  """What became of one shard.

  Attributes:
    parts: file name and rows of each part, in order.
    errors: rows without a prediction.
    first_error: why the first of them has none.
  """

  parts: list[tuple[str, int]]
  errors: int
  first_error: str | None

  def save(self, parts_dir: str, shard: int) -> None:
    """Leaves the report beside the parts."""
    _replace(_report_path(parts_dir, shard), json.dumps(dataclasses.asdict(self)))

  @classmethod
  def load(cls, parts_dir: str, shard: int) -> ShardReport:
    """Reads the report that a worker left.

    Raises:
      DlpipeError: there is none, though the worker ended well.
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


class PredictShard(beam.DoFn):
  """Predicts one shard, writes its parts and its report; emits nothing."""

  def __init__(self, work: Work):
    self._work = work
    self._shared = Shared()
    self._model: Model | None = None
    self._done = _Done()

  def process(self, element: str) -> Iterator[None]:
    work = self._work
    number, shard = json.loads(element)
    write = work.outputs.writer()
    report = ShardReport(parts=[], errors=0, first_error=None)
    rows = read_rows(work.inputs, shard, get_task(work.task).request_value)
    for part, chunk in enumerate(_chunks(rows)):
      columns, errors = self._predict(chunk)
      name = f"{number:06d}-{part:06d}"
      # A second attempt at the same shard may be at work elsewhere.
      partial = os.path.join(work.parts_dir, f"{name}.{secrets.token_hex(4)}")
      write(partial, work.layout, columns)
      os.replace(partial, os.path.join(work.parts_dir, name))
      report.parts.append((name, len(chunk)))
      report = dataclasses.replace(
        report,
        errors=report.errors + len(errors),
        first_error=report.first_error or next((errors[i] for i in sorted(errors)), None),
      )
    self._done.report(last=True)
    report.save(work.parts_dir, number)
    yield from ()

  def _predict(self, chunk: list[InputRow]) -> tuple[list[list[Any]], dict[int, str]]:
    """The values of the layout's columns, and the errors by index."""
    layout = self._work.layout
    errors = {i: row.error for i, row in enumerate(chunk) if row.error is not None}
    asked = [i for i in range(len(chunk)) if i not in errors]
    self._done.add(len(errors), len(errors))
    answers, refused = self._load().predict(
      [chunk[i].value or b"" for i in asked],
      layout.outputs,
      batch_size=self._work.batch_size,
      on_batch=self._done.add,
    )
    errors.update({asked[i]: reason for i, reason in refused.items()})
    columns = [list(cells) for cells in zip(*(row.cells for row in chunk), strict=True)]
    columns += [_spread(answers[name], asked, len(chunk)) for name in layout.outputs]
    columns.append([errors.get(i) for i in range(len(chunk))])
    return columns, errors

  def _load(self) -> Model:
    """The model, loaded once in each worker process."""
    if self._model is None:
      path = self._work.model_dir
      self._model = self._shared.acquire(lambda: Model(path), tag=path)
    return self._model


class _Done:
  """Counts rows, and says so now and then."""

  def __init__(self) -> None:
    self._rows = self._errors = 0
    self._said = 0.0

  def add(self, rows: int, errors: int) -> None:
    self._rows += rows
    self._errors += errors
    if time.monotonic() - self._said >= _REPORT_S:
      self.report()

  def report(self, *, last: bool = False) -> None:
    """Says what came since the last time, and whether a shard ends with it."""
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


def _replace(path: str, text: str) -> None:
  partial = f"{path}.{secrets.token_hex(4)}"
  with open(partial, "w", encoding="utf-8") as f:
    f.write(text)
  os.replace(partial, path)


def shard_elements(shards: Iterable[Mapping[str, Any]]) -> list[str]:
  """What `PredictShard` takes: the number of each shard, and the shard."""
  return [json.dumps([number, dict(shard)]) for number, shard in enumerate(shards)]
