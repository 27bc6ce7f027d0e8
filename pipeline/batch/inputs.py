"""Reads the inputs of a batch: the rows of a table, the lines of a text file, a folder's files.

`plan_input` checks names and columns before TensorFlow is loaded. `read_rows` runs on Beam workers
and yields one row for each row of the input, including rows that the model cannot be sent.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from dlpipe.errors import BadInputError
from pipeline.batch import input_columns
from pipeline.batch.input_columns import PATH
from pipeline.sources import encoding, input_paths, tables
from pipeline.sources.tables.parquet_files import open_parquet
from pipeline.sources.text_files import line_files, texts
from pipeline.task import Task, beside

ID = "id"
ALL_COLUMNS = "*"

_SHARD_FILES = 1000
_LINE_SUFFIXES = (".txt", ".txt.gz")


class InputRow(NamedTuple):
  """One row.

  Attributes:
    cells: the values of `InputPlan.columns`.
    value: the value to send to the model, or None.
    error: why there is no value, or None.
  """

  cells: tuple[Any, ...]
  value: bytes | None
  error: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputPlan:
  """The inputs to predict, and the columns to keep in the output.

  Attributes:
    kind: `table`, `lines` or `files`; decides how shards are read.
    folder: the folder that paths in the input are relative to.
    shards: units of work, JSON-serialisable, in the order of the rows.
    columns: names of the columns to keep, the id first.
    input_column: the one of `columns` that holds the model's input.
    generated_id: whether the id is a generated row number or path, and not a column of the table.
    several_files: whether row numbers repeat, because each file counts its own rows.
    input_kind: whether a cell is the input itself or the path of a file that holds it.
    types: Arrow types of columns, if the input has types.
    guess: why `input_column` was chosen, if the user did not name it; else empty.
  """

  kind: Literal["table", "lines", "files"]
  folder: str
  shards: Sequence[Mapping[str, Any]]
  columns: tuple[str, ...]
  input_column: str
  generated_id: bool = True
  several_files: bool = False
  input_kind: Literal["text", "file"]
  types: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  guess: str = ""


def plan_input(
  task: Task,
  path: str,
  *,
  options: Mapping[str, Any] | None = None,
  column: str | None = None,
  id_column: str | None = None,
  keep: Sequence[str] = (),
) -> InputPlan:
  """Inspects the input and cuts it into shards.

  Args:
    task: the task of the model.
    path: a table, a `.txt`, or a folder.
    options: the data options; only `separator`, `header` and the column of inputs are used.
      Defaults to the task's.
    column: the table's column with the inputs; by default the one that the options name, that the
      task's sources find, or that is the only one.
    id_column: the table's column with the ids; by default `id`, or else rows are numbered.
    keep: further columns to keep; `*` keeps all.

  Raises:
    BadInputError: the input or a column does not exist, or the input has no rows.
  """
  options = {**task.data_options.defaults(), **(options or {})}
  plan = _plan(task, path, options, column, id_column, keep)
  if not any(True for shard in plan.shards for _ in _read(plan, shard)):
    raise BadInputError(
      f"Expected at least one row to predict in {os.path.abspath(path)!r}. It has none; check that "
      "it is the right one."
    )
  return plan


def _plan(
  task: Task,
  path: str,
  options: Mapping[str, Any],
  column: str | None,
  id_column: str | None,
  keep: Sequence[str],
) -> InputPlan:
  path = os.path.abspath(path)
  input_paths.require(path, expected=_expected(task))
  is_files = os.path.isdir(path) and task.input.kind == "file"
  is_table = not is_files and (
    tables.matches(path) or (os.path.isfile(path) and options.get("separator") is not None)
  )
  if is_table:
    return _plan_table(task, path, options, column, id_column, keep)
  if is_files:
    plan = _plan_files(path)
  elif path.lower().endswith(_LINE_SUFFIXES) and os.path.isfile(path):
    plan = _plan_lines(task, path)
  else:
    raise BadInputError(f"Expected {_expected(task)}. Received: {path!r}")
  flags = {
    "--column names a column": column,
    "--id-column names a column": id_column,
    "--keep names a column": keep or None,
    "data.separator is said": options.get("separator"),
    "data.header is said": options.get("header"),
  }
  for flag, given in flags.items():
    if given is not None:
      raise BadInputError(f"{flag} of a table, and {path!r} is none.")
  return plan


def read_rows(
  plan: InputPlan,
  shard: Mapping[str, Any],
  request_value: Callable[[Any], bytes | str],
  find_file: Callable[[str, Any], str] = beside,
) -> Iterator[InputRow]:
  """Yields the rows of one shard.

  Args:
    plan: the input.
    shard: one of its shards.
    request_value: the task's function from a cell, a line or a path to the value to send.
    find_file: the task's function from the folder and a cell or a line to the path of a file.
  """
  for cells, argument, error in _read(plan, shard):
    value = None
    if error is None and plan.kind == "files":
      argument = os.path.join(plan.folder, argument)
    elif error is None and plan.input_kind == "file":
      try:
        argument = find_file(plan.folder, argument)
      except ValueError as err:
        error = str(err)
    if error is None:
      value, error = _value_of(argument, plan.input_column, request_value)
    yield InputRow(cells, value, error)


def _read(
  plan: InputPlan, shard: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], Any, str | None]]:
  readers = {"table": _read_table, "lines": _read_lines, "files": _read_files}
  return readers[plan.kind](plan, shard)


def _value_of(
  argument: Any, column: str, request_value: Callable[[Any], bytes | str]
) -> tuple[bytes | None, str | None]:
  try:
    value = request_value(argument)
    if isinstance(value, bytes):
      return value, None
    if not isinstance(argument, str):  # `request_value` turned another type into text
      found = "nothing" if argument is None else f"{type(argument).__name__} {argument!r:.50}"
      return None, f"expected text in column {column!r}, found {found}"
    data = texts.as_bytes(value, "the input")
    encoding.decode(data)
    return data, None
  except encoding.UndecodableError as err:
    return None, f"the input is {err}"
  except (BadInputError, ValueError) as err:  # such as for an empty text, or a NUL in a path
    return None, str(err)


def _expected(task: Task) -> str:
  if task.input.kind == "file":
    return f"a folder of files, {tables.DESCRIPTION}, or a .txt, with the path of a file a row"
  return f"{tables.DESCRIPTION}, or a .txt with one input a line"


def _plan_files(path: str) -> InputPlan:
  names = [os.path.relpath(file, path) for file in input_paths.files_below(path)]
  if not names:
    raise BadInputError(f"Expected files in the folder {path!r}. Found none.")
  return InputPlan(
    kind="files",
    folder=path,
    shards=[
      {"names": names[start : start + _SHARD_FILES]} for start in range(0, len(names), _SHARD_FILES)
    ],
    columns=(ID, PATH),
    input_column=PATH,
    input_kind="file",
  )


def _read_files(
  plan: InputPlan, shard: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], Any, str | None]]:
  del plan
  for name in shard["names"]:
    shown = input_paths.printable(name)
    yield (shown, shown), name, None


def _plan_lines(task: Task, path: str) -> InputPlan:
  column = PATH if task.input.kind == "file" else task.input.key
  return InputPlan(
    kind="lines",
    folder=os.path.dirname(path),
    shards=[{"file": path, **part} for part in line_files.cut(path)],
    columns=(ID, column),
    input_column=column,
    input_kind=task.input.kind,
  )


def _read_lines(
  plan: InputPlan, shard: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], Any, str | None]]:
  for line in line_files.read_lines(**shard):
    shown = encoding.escaped(line.data)
    # Bytes that are not UTF-8 are passed on unchanged: the model refuses a text, not the reader.
    argument = line.data.decode("utf-8", "surrogateescape")
    error = line.fault
    if error is None and plan.input_kind == "file":
      try:
        encoding.decode(line.data)
      except encoding.UndecodableError as err:
        error = str(err)
    yield (line.number, shown), argument, error and f"line {line.number}: {error}"


def _plan_table(
  task: Task,
  path: str,
  options: Mapping[str, Any],
  column: str | None,
  id_column: str | None,
  keep: Sequence[str],
) -> InputPlan:
  chosen = input_columns.choose(task, path, options, column)
  names, files = tables.columns(path, chosen.dialect), tables.files(path, chosen.dialect)
  # Columns that the user names are expected in the header.
  usual = chosen.usual | {name.lower() for name in (ID, id_column or ID, *keep)}
  if id_column is None and ID in names:
    id_column = ID
  kept = names if ALL_COLUMNS in keep else keep
  read = dict.fromkeys([*([id_column] if id_column else []), chosen.name, *kept])
  flags = {**dict.fromkeys(kept, "--keep"), id_column or ID: "--id-column", chosen.name: "--column"}
  shards = tables.plan_shards(
    path,
    list(read),
    flags={name: f"{flag}=..." for name, flag in flags.items()},
    dialect=chosen.dialect,
    set_with="--set data.",
    usual=usual,
  )
  columns = dict.fromkeys([id_column or ID, *read])
  return InputPlan(
    kind="table",
    folder=path if os.path.isdir(path) else os.path.dirname(path),
    shards=shards,
    columns=tuple(columns),
    input_column=chosen.name,
    generated_id=id_column is None,
    several_files=len(files) > 1,
    input_kind=task.input.kind,
    types=_arrow_types(files[0], read),
    guess=chosen.guess,
  )


def _arrow_types(file: str, columns: Mapping[str, None]) -> dict[str, Any]:
  if tables.kind_of(file) != tables.PARQUET:
    return {}
  with open_parquet(file) as table:
    schema = table.schema_arrow
  return {name: schema.field(name).type for name in columns}


def _read_table(
  plan: InputPlan, shard: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], Any, str | None]]:
  names = plan.columns[1:] if plan.generated_id else plan.columns
  for row in tables.rows(shard):
    cells = [row.values.get(name) for name in names]
    if plan.generated_id:
      cells.insert(0, _made_id(plan, shard, row.number))
    if not isinstance(row, tables.BadRow):
      yield tuple(cells), row.values.get(plan.input_column), None
      continue
    if not plan.generated_id and names[0] not in row.values and names[0] not in plan.types:
      cells[0] = row.origin  # a bare row number might be another row's id
    yield tuple(cells), "", f"{row.origin}: {row.reason}"


def _made_id(plan: InputPlan, shard: Mapping[str, Any], number: int) -> int | str:
  name = input_paths.printable(os.path.basename(shard["file"]))
  return f"{name}:{number}" if plan.several_files else number
