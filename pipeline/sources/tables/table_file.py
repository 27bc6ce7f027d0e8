"""Checks one file of a table before a run reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.sources import file_formats
from pipeline.sources.column_names import meant
from pipeline.sources.tables import delimited, header_rows, jsonl, parquet, saved_otherwise
from pipeline.sources.tables.dialect import Dialect
from pipeline.sources.tables.kinds import CSV, JSONL, PARQUET, SEPARATORS, kind_of
from pipeline.sources.text_files import line_files


class TableFile:
  """One file of a table: its columns and their faults.

  Args:
    path: the file.
    dialect: separator and header of the file.
    set_with: as in `plan_shards`.
    flags: as in `plan_shards`.
    usual: as in `plan_shards`.

  Raises:
    BadInputError: the file is not a table, or its columns cannot be read.
  """

  def __init__(
    self,
    path: str,
    dialect: Dialect,
    set_with: str | None = None,
    flags: Mapping[str, str] | None = None,
    usual: Collection[str] = (),
  ):
    self.path = path
    self.kind = kind_of(path) or CSV
    self._dialect = dialect
    self._set_with = set_with
    self._flags = flags or {}
    self._usual = usual
    self._separator = dialect.separator or SEPARATORS.get(self.kind, "")
    self._first: list[str] = []
    _require_format(path, self.kind)
    if self._separator:
      self._first = delimited.first_row(path, self._separator, set_with)
      self.names = delimited.names_of(self._first, self._has_header)
    else:
      self.names = (jsonl if self.kind == JSONL else parquet).columns(path)

  @property
  def _has_header(self) -> bool:
    return self._dialect.header is not False

  def plan(self, columns: Sequence[str] | None) -> list[dict[str, Any]]:
    """Returns the file's shards."""
    if self._separator:
      return delimited.plan_file(
        self.path,
        self.names,
        columns,
        separator=self._separator,
        has_header=self._has_header,
      )
    return (jsonl if self.kind == JSONL else parquet).plan_file(self.path, columns)

  def require_column(self, column: str) -> None:
    """Raises `BadInputError` unless the column exists."""
    if column in self.names:
      return
    expected = f"Expected a column {column!r} in {self.path!r}."
    data = self._data_in_header(self.names)
    if data:
      raise BadInputError(
        f"{expected} Its first row looks like data and no header: {data}. Say what it is: "
        f"{self._set_with}header=true, or {self._without_header()}"
      )
    found = ", ".join(self.names) if self._has_header else header_rows.numbered(self._first)
    raise BadInputError(
      f"{expected}{meant(column, self.names)} Its columns are: {found or 'none'}."
      + self._advice(self._flags.get(column))
    )

  def _advice(self, flag: str | None) -> str:
    if self.kind == JSONL and not self.names:
      return " It has no rows, or none that can be read." + jsonl.advice(self.path)
    separators = self._separator_advice()
    if separators:
      return separators + saved_otherwise.encoding_advice(self.path)
    if not flag:
      return ""
    other = ""
    if self._may_be_data(self.names):
      other = f"; or, where the first row is data: {self._without_header()}"
    return f" Name the right one with {flag}{other}"

  def _separator_advice(self) -> str:
    if not self._separator:
      return ""
    return saved_otherwise.separator_advice(self._first, self._separator, self._set_with)

  def _may_be_data(self, names: Collection[str]) -> bool:
    """Returns whether the first row may be data: `header` is not set and no usual name occurs."""
    is_open = self._separator and self._set_with and self._dialect.header is None
    return bool(is_open) and not {name.lower() for name in names} & set(self._usual)

  def _data_in_header(self, names: Collection[str]) -> str:
    """Returns why these names look like data; empty if they do not."""
    if not self._may_be_data(names) or self._separator_advice():
      return ""
    return header_rows.data_in(self.path, self._first, self._separator, names)

  def _without_header(self) -> str:
    commands = header_rows.commands(self._set_with or "", self._flags.values())
    return f"{commands}, where the columns are {header_rows.numbered(self._first)}"

  def require_header(self, columns: Sequence[str]) -> None:
    """Raises `BadInputError` if the first row, which names the columns, looks like data."""
    data = self._data_in_header(columns)
    if data:
      raise BadInputError(
        f"The first row of {self.path!r} looks like data and no header: {data}. Say what it is: "
        f"{self._set_with}header=true, or {self._without_header()}"
      )

  def require_single(self, columns: Sequence[str] | None) -> None:
    """Raises `BadInputError` if a column's name occurs twice."""
    names = self.names
    twice = sorted({n for n in names if names.count(n) > 1 and (columns is None or n in columns)})
    if twice:
      raise BadInputError(
        f"Expected each column once in {self.path!r}. The header has {twice[0]!r} more than once; "
        "rename one."
      )


def _require_format(path: str, kind: str) -> None:
  """Raises `BadInputError` if the first bytes are of another format than the name."""
  try:
    with open(path, "rb") if kind == PARQUET else line_files.open_bytes(path) as f:
      found = file_formats.describe(f.read(file_formats.HEAD_BYTES))
  except line_files.READ_ERRORS as err:
    raise line_files.unreadable(path, err) from err
  if found and not (kind == PARQUET and found.startswith("a Parquet file")):
    raise BadInputError(f"Expected {kind} in {path!r}. It is {found}.")
