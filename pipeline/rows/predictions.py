"""Writes what a model says of each val and eval example: `predictions.parquet`, and why.

The Evaluator calls `write` by its dotted path, after the metrics. The signature `serving_examples`
of the exported model answers, as it does for the metrics and for a server.

Columns of `predictions.parquet`, a row an example, in the order of the `Examples` artifact, val
before eval:

- `origin` string: where the example came from, as in messages and in the quarantine; empty if the
  examples have no origins.
- `file` string, `row` int64, `id` string: the parts of the origin; null where it has none.
- `split` string: `val` or `eval`; `number` int64: the example's place in its split, from 0.
- `input` string: the text, cut to 1,000 characters; null if the input is a file.
- the columns of the problem's `rows`; those of every kind are in `pipeline.problems.rows`.
"""

from __future__ import annotations

import base64
import itertools
import json
import pathlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dlpipe import progress
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.records import EVAL, VAL
from pipeline.rows import chosen, previews, reasons
from pipeline.rows.examples import (
  RawExample,
  batches,
  first_bytes,
  most_of_file,
  read_examples,
)
from pipeline.rows.files import FILE, SHOWN_FILE
from pipeline.sources import origins
from pipeline.task import Task

_SPLITS = (VAL, EVAL)
_BATCH = 64
SAMPLED = 1_000  # rows of eval, on which a cheap model is compared with the network
_GROUP = 2_048  # rows that Parquet compresses together
_TEXT_CHARACTERS = 1_000
# A report with so many bytes of pictures still opens quickly.
_MAX_SHOWN_BYTES = 1_500_000


def parameters(task: Task) -> dict[str, Any]:
  """Returns the argument `told` of `write`, as JSON."""
  return {
    "rows": task.problem.rows,
    "input_key": task.input.key,
    "label_key": task.label_key,
    "is_text": task.input.kind == "text",
    "baseline": task.problem.baseline,
  }


def write(directory: str, examples: str, model_dir: str, told: Mapping[str, Any]) -> None:
  """Writes the predictions, the inputs of some rows for a report, and what a cheap model is worth.

  `SHOWN_FILE` maps the number of a row in the table to its input, encoded in base64: of rows that
  `chosen.for_report` picks, while there is room, large pictures made smaller. `REASONS_FILE` says
  why the model answers as it does, of rows that `chosen.to_explain` picks.

  Args:
    directory: directory of the `Predictions` artifact.
    examples: directory of the `Examples` artifact.
    model_dir: directory of the SavedModel.
    told: the result of `parameters`.
  """
  from components.judged_evaluator.loaded import saved_model

  signatures = saved_model(model_dir).signatures
  ask = signatures["serving_examples"]
  target, source = pathlib.Path(directory), pathlib.Path(examples)
  target.mkdir(parents=True, exist_ok=True)
  sampled: list[int] = []
  rows = _noting_sample(
    read_examples(source, _SPLITS), most_of_file(source, EVAL, SAMPLED), sampled
  )
  table = _written(target / FILE, _tables(rows, ask, told))
  # A report takes a text from the table.
  wanted = [] if told["is_text"] else chosen.for_report(table)
  asker = reasons.Asker(reasons.asking(signatures, told["input_key"]), chosen.to_explain(table))
  values = _values(read_examples(source, _SPLITS), {*wanted, *asker.wanted}, told["input_key"])
  shown = _inputs(asker.noting(values), wanted)
  (target / SHOWN_FILE).write_text(json.dumps(shown), encoding="utf-8")
  asker.found.write(target)
  if told["baseline"] is not None and sampled:
    said = table.take(sampled[:SAMPLED])
    baseline = load_function(told["baseline"])(source, told, said)
    if baseline is not None:
      (target / baseline.FILE).write_text(baseline.to_text(), encoding="utf-8")
  progress.report(f"{table.num_rows:,} examples with their predictions", rows=table.num_rows)


def _noting_sample(
  examples: Iterable[RawExample], most: int, numbers: list[int]
) -> Iterator[RawExample]:
  """Yields examples, and notes the numbers of those that `read_some` yields of eval."""
  for number, each in enumerate(examples):
    if each.split == EVAL and each.row_of_file < most:
      numbers.append(number)
    yield each


class _Outputs(dict[str, Any]):
  """The outputs of a model by name; a name that is missing is bad input."""

  def __missing__(self, name: str) -> Any:
    raise BadInputError(
      f"The rows of predictions need the output {name!r}, and the model answers with "
      f"{', '.join(sorted(self))}. Name a function that makes rows of these as `rows` of the "
      "task's problem."
    )


def _tables(
  examples: Iterable[RawExample], ask: Any, told: Mapping[str, Any]
) -> Iterator[pa.Table]:
  """Yields the table of each batch."""
  import tensorflow as tf

  rows_of = load_function(told["rows"])
  numbers = {split: itertools.count() for split in _SPLITS}
  for batch in batches(examples, _BATCH):
    answers = ask(examples=tf.constant([each.serialized for each in batch]))
    outputs = _Outputs({name: np.asarray(value) for name, value in answers.items()})
    values = [each.values(told["input_key"], told["label_key"]) for each in batch]
    found = rows_of([label for _, label in values], outputs)
    texts = [_text(value) if told["is_text"] else None for value, _ in values]
    named = _named(batch, [next(numbers[each.split]) for each in batch], texts)
    columns = dict(zip(found.column_names, found.columns, strict=True))
    yield pa.table({**named, **columns}).replace_schema_metadata(found.schema.metadata)


def _named(
  batch: Sequence[RawExample], numbers: Sequence[int], texts: Sequence[str | None]
) -> dict[str, pa.Array]:
  """Returns the columns that name a row."""
  names = [each.origin.origin for each in batch]
  places = [origins.place(name) if name else None for name in names]
  return {
    "origin": pa.array(names, pa.string()),
    "file": pa.array([place and place.file for place in places], pa.string()),
    "row": pa.array([place and place.row for place in places], pa.int64()),
    "id": pa.array([each.origin.id for each in batch], pa.string()),
    "split": pa.array([each.split for each in batch], pa.string()),
    "number": pa.array(numbers, pa.int64()),
    "input": pa.array(texts, pa.string()),
  }


def _written(path: pathlib.Path, tables: Iterable[pa.Table]) -> pa.Table:
  """Writes the tables; returns the columns from which a report's rows are chosen."""
  kept: list[pa.Table] = []
  waiting: list[pa.Table] = []
  writer: parquet.ParquetWriter | None = None
  for table in itertools.chain(tables, [None]):
    if table is not None:
      waiting.append(table)
      kept.append(chosen.columns(table))
    if waiting and (table is None or sum(each.num_rows for each in waiting) >= _GROUP):
      group = pa.concat_tables(waiting)
      writer = writer or parquet.ParquetWriter(path, group.schema)
      writer.write_table(group)
      waiting.clear()
  if writer is None:  # no example in val and eval
    parquet.write_table(pa.table({}), path)
    return pa.table({})
  writer.close()
  return pa.concat_tables(kept)


def _values(
  examples: Iterable[RawExample], wanted: Collection[int], input_key: str
) -> Iterator[tuple[int, bytes]]:
  """Yields the wanted rows: their numbers and inputs. Reads no further than the last one."""
  last = max(wanted, default=-1)
  for number, each in enumerate(itertools.islice(examples, last + 1)):
    if number in wanted:
      yield number, first_bytes(each.values(input_key)[0])


def _inputs(rows: Iterable[tuple[int, bytes]], wanted: Sequence[int]) -> dict[int, str]:
  """Returns inputs by the number of their row, encoded in base64; the first wanted come first."""
  values: dict[int, bytes] = {}
  numbers = frozenset(wanted)
  for number, given in rows:
    value = previews.fitting(given) if number in numbers else None
    if value:
      values[number] = value
  shown: dict[int, str] = {}
  room = _MAX_SHOWN_BYTES
  for number in wanted:
    if number in values and len(values[number]) <= room:
      shown[number] = base64.b64encode(values[number]).decode()
      room -= len(values[number])
  return shown


def _text(values: Sequence[Any]) -> str | None:
  if not len(values) or not isinstance(values[0], bytes):
    return None
  return values[0].decode("utf-8", "replace")[:_TEXT_CHARACTERS]
