"""Reads JSON Lines: one JSON object a line, in UTF-8, plain or gzipped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.sources import encoding
from pipeline.sources.encoding import UndecodableError, decode, is_encodable
from pipeline.sources.tables.rows import BadRow, Row, origin_prefix
from pipeline.sources.text_files import line_files, texts

_LOOKED_AT = 1000  # lines, to learn the columns

_KINDS = {
  list: "a list",
  str: "a string",
  int: "a number",
  float: "a number",
  bool: "true or false",
}


def columns(file: str) -> list[str]:
  """Returns the keys of the first objects, in the order in which they appear.

  Raises:
    BadInputError: the file cannot be read, or is one array or object over several lines.
  """
  names: dict[str, None] = {}
  for row in itertools.islice(rows({"file": file, "columns": None}), _LOOKED_AT):
    if isinstance(row, Row):
      names.update(dict.fromkeys(row.values))
    elif not names and row.data.strip() in (b"[", b"{", b"[{"):
      raise BadInputError(f"Expected one JSON object a line in {file!r}.{_told(row)}")
  return list(names)


def advice(file: str) -> str:
  """Returns why a file has no columns, with advice, to end a message; empty for an empty file."""
  first = next((row for row in rows({"file": file, "columns": None})), None)
  return _told(first) if isinstance(first, BadRow) else ""


def _told(bad: BadRow) -> str:
  remedy = encoding.remedy(bad.reason)
  if remedy:
    return f" Line {bad.number} is {bad.reason}. {remedy}"
  line = bad.data.strip()
  if line.startswith(b"["):
    remedy = "It is a JSON array: write one object a line, as `jq -c '.[]' old > new.jsonl` does."
  elif line.startswith(b"{'"):
    remedy = "It is a dict of Python, and JSON has double quotes: write it with json.dumps."
  elif line == b"{":
    remedy = "The object has several lines: write it in one, as `jq -c . old > new.jsonl` does."
  else:
    remedy = "Write one JSON object a line."
  return f" Line {bad.number} is no JSON object: {bad.reason}. {remedy}"


def plan_file(file: str, wanted: Sequence[str] | None) -> list[dict[str, Any]]:
  """Cuts a file between lines; a gzipped file is one shard.

  Raises:
    BadInputError: the file cannot be read.
  """
  shard = {"file": file, "columns": None if wanted is None else list(wanted)}
  return [{**shard, **part} for part in line_files.cut(file)]


def rows(shard: Mapping[str, Any]) -> Iterator[Row | BadRow]:
  """Yields the rows of one shard; skips empty lines."""
  file, wanted = shard["file"], shard["columns"]
  prefix = origin_prefix(file)
  lines = line_files.read_lines(
    file,
    start=shard.get("start", 0),
    stop=shard.get("stop"),
    number=shard.get("number", 1),
  )
  decoder = _Decoder()
  for line in lines:
    if not line.fault and not line.data.strip():
      continue
    where = f"{prefix}{line.number}"
    values, reason = ({}, line.fault) if line.fault else _parse(line.data, decoder)
    if wanted is not None:
      unclear = [] if reason else [name for name in wanted if name in decoder.unclear]
      values = {name: values[name] for name in wanted if name in values and name not in unclear}
      if unclear:
        reason = f"the key {unclear[0]!r} stands there twice, with two values"
    if reason:
      yield BadRow(line.number, where, reason, line.data, values)
    else:
      yield Row(line.number, where, values)


class _Decoder(json.JSONDecoder):
  """Notes keys that a line's object has twice; Python alone would keep only the last value.

  Attributes:
    unclear: these keys, after a line was decoded.
  """

  def __init__(self) -> None:
    super().__init__(object_pairs_hook=self._read)
    self.unclear: frozenset[str] = frozenset()

  def _read(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    # The outermost object comes last, and is the one whose keys are columns.
    is_clear = len(values) == len(pairs)
    self.unclear = frozenset() if is_clear else frozenset(k for k, v in pairs if values[k] != v)
    return values


def _parse(data: bytes, decoder: _Decoder) -> tuple[dict[str, Any], str]:
  """Parses the object of one line; returns it and its fault, which is empty for a valid line."""
  try:
    text = decode(data)
    values = decoder.decode(text)
  except UndecodableError as err:
    return _readable(data), str(err)
  except json.JSONDecodeError as err:
    return {}, f"invalid JSON at character {err.colno}: {err.msg}"
  except (ValueError, RecursionError) as err:  # a number with thousands of digits, or deep nesting
    return {}, f"JSON that cannot be read: {err}"
  if not isinstance(values, dict):
    return {}, f"expected a JSON object; the line holds {_KINDS.get(type(values), 'null')}"
  # A lone \ud83d is valid JSON, but not valid text.
  if "\\u" in text and not is_encodable(json.dumps(values, ensure_ascii=False)):
    return _readable(data), "a \\u escape stands for half a character"
  return values, ""


def _readable(data: bytes) -> dict[str, Any]:
  """Returns the object of a line, with invalid bytes and characters escaped; empty if none."""
  try:
    # `strict=False` allows NUL, which JSON strings may not contain.
    values = _without_halves(json.loads(data.decode("utf-8", "surrogateescape"), strict=False))
  except (ValueError, RecursionError):
    return {}
  return values if isinstance(values, dict) else {}


def _without_halves(value: Any) -> Any:
  if isinstance(value, str):
    return texts.shown(value)
  if isinstance(value, list):
    return [_without_halves(item) for item in value]
  if isinstance(value, dict):
    return {_without_halves(key): _without_halves(item) for key, item in value.items()}
  return value
