"""Chooses the column of a table that holds the inputs: the named one, or one the sources find."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError
from pipeline.sources import class_counts, input_paths, tables
from pipeline.sources.text_files import text_tables
from pipeline.task import Task

PATH = "path"

_LONGEST_NAME = 60  # characters
_SENTENCE_WORDS = 6
_SENTENCE_END = re.compile("[.!?\u2026\u3002\uff01\uff1f]\\W*$")


class InputColumn(NamedTuple):
  """The column, and how to read its table.

  Attributes:
    name: the column.
    dialect: separator and header of the files, as far as the user gave them.
    usual: column names in lower case; a first row with one of them is a header.
    guess: why this column was chosen, if the user did not name it; else empty.
  """

  name: str
  dialect: tables.Dialect
  usual: frozenset[str]
  guess: str = ""


def role(task: Task) -> str:
  """Returns the sources' name for the input: the option `<role>_column` names its column."""
  if task.input.column is not None:
    return task.input.column
  return PATH if task.input.kind == "file" else task.input.key


def choose(task: Task, path: str, options: Mapping[str, Any], column: str | None) -> InputColumn:
  """Chooses the column that the user named, that has a usual name, or that is the only one.

  Args:
    task: the task of the model.
    path: the table.
    options: the data options.
    column: the column that the user named for this table; overrides the options.

  Raises:
    BadInputError: there is no table, or several columns may be meant.
  """
  wanted = role(task)
  option = f"{wanted}_column"
  usual = [
    name for source in task.sources.values() for name in source.usual_columns.get(wanted, ())
  ]
  said = options if column is None else {**options, option: column}
  found = text_tables.find_columns(path, said, {wanted: usual})
  names = tables.columns(path, found.dialect)
  name = found.names[wanted]
  if column is not None:
    # The user may also name the column that has the task's own name.
    name = column if column in names or not column.isdecimal() else name
    return InputColumn(name, found.dialect, found.usual | {name.lower()})
  if options.get(option) not in (None, wanted):
    return InputColumn(name, found.dialect, found.usual | {name.lower()})
  if name in names:
    guess = "" if name == wanted else "its name is one that inputs have"
    return InputColumn(name, found.dialect, found.usual, guess)
  others = [
    value or option.removesuffix("_column")
    for option, value in task.data_options.defaults().items()
    if option.endswith("_column") and option not in (f"{task.label_key}_column", "split_column")
  ]
  for other in others:
    if other in names:
      return InputColumn(other, found.dialect, found.usual)
  likely = [n for n in names if n.strip().lower() in (wanted, *usual)]
  if len(likely) > 1:
    raise BadInputError(
      f"Several columns of {os.path.abspath(path)!r} may hold the inputs: "
      f"{class_counts.names(likely)}. Name the right one with --column."
    )
  first = tables.files(path, found.dialect)[0]
  is_one = len(names) == 1
  if not is_one or (not found.dialect.separator and tables.separator_advice(first, names)):
    return InputColumn(name, found.dialect, found.usual)
  _require_name(names[0], first, found.dialect)
  return InputColumn(names[0], found.dialect, found.usual, "it is the only one")


def _require_name(name: str, file: str, dialect: tables.Dialect) -> None:
  """Raises `BadInputError` if the only column's name is a sentence: it may be the first input."""
  if dialect.header is not None or tables.says_its_columns(file):
    return
  is_sentence = _SENTENCE_END.search(name) or len(name.split()) >= _SENTENCE_WORDS
  if is_sentence or len(name) > _LONGEST_NAME:
    raise BadInputError(
      f"The first row of {input_paths.printable(file)!r} looks like an input and no header: "
      f"{class_counts.names([name])}. Say what it is: --set data.header=true, or --set "
      "data.header=false"
    )
