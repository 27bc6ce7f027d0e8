"""Describes and checks the values that a setting may have.

A kind is a Python type, such as `int | None`, with bounds by `Annotated` and pydantic's `Field`.
The words of `dlpipe settings` and of a refusal come from the same kind.
"""

from __future__ import annotations

import datetime
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

import annotated_types
import pydantic
from pydantic.fields import FieldInfo

_ONE = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_MANY = {int: "whole numbers", float: "numbers", str: "texts", bool: "true or false"}
_OTHER = {datetime.date: "a date, such as 2024-01-31"}


def in_words(kind: Any) -> str:
  """Describes the values of a kind, such as `a whole number of at least 1`.

  >>> in_words(int), in_words(bool)
  ('a whole number', 'true or false')
  """
  kind, bounds = _split(kind)
  origin, parts = typing.get_origin(kind), typing.get_args(kind)
  if origin in (Union, types.UnionType):
    words = ["null"] if types.NoneType in parts else []
    for part in parts:
      if typing.get_origin(part) is Literal:
        words += map(str, typing.get_args(part))
      elif part is not types.NoneType:
        words.append(_word(part, bounds))
    *most, last = words
    return f"{', '.join(most)} or {last}"
  if origin is Literal:
    *most, last = map(str, parts)
    return f"{', '.join(most)} or {last}" if most else last
  if origin in (list, tuple):
    return f"a list of {_many(parts[0])}"
  if is_mapping(kind):
    return "a mapping"
  if kind not in _ONE and kind not in _OTHER:
    return "any value"
  return _word(kind, bounds)


def fits(kind: Any, value: Any) -> bool:
  """Returns whether a value is of a kind; an int fits float, and no other type is converted."""
  adapter = pydantic.TypeAdapter(kind, config=pydantic.ConfigDict(allow_inf_nan=False))
  try:
    if isinstance(value, list) and typing.get_origin(_split(kind)[0]) is tuple:
      value = tuple(value)
    adapter.validate_python(value, strict=True)
  except (pydantic.ValidationError, TypeError):
    return False
  return True


def json_schema(kind: Any) -> dict[str, Any]:
  """Describes the values of a kind as a JSON schema.

  >>> json_schema(int | None)
  {'type': ['integer', 'null']}
  """
  schema = pydantic.TypeAdapter(kind).json_schema()
  found = {k: v for k, v in schema.items() if k not in ("default", "description", "title")}
  others = [each for each in found.get("anyOf", ()) if each != {"type": "null"}]
  if len(others) == 1 and len(found["anyOf"]) == 2 and isinstance(others[0].get("type"), str):
    # A form shows a field for a list of types, and none for alternatives.
    bounds = {k: v for k, v in found.items() if k != "anyOf"}
    found = {**bounds, **others[0], "type": [others[0]["type"], "null"]}
    if "enum" in found:
      found["enum"] = [*found["enum"], None]
  return found


def is_any_number(kind: Any) -> bool:
  """Returns whether a kind's numbers may have a fraction."""
  kind, _ = _split(kind)
  return kind is float or any(_split(part)[0] is float for part in typing.get_args(kind))


def is_text(kind: Any) -> bool:
  """Returns whether a kind's values are texts, or null."""
  kind, _ = _split(kind)
  return kind is str or {_split(part)[0] for part in typing.get_args(kind)} == {str, types.NoneType}


def is_date(kind: Any) -> bool:
  """Returns whether a kind's values are dates."""
  return _split(kind)[0] is datetime.date


def is_mapping(kind: Any) -> bool:
  """Returns whether a kind's values are, or may be, mappings."""
  kind, _ = _split(kind)
  if typing.get_origin(kind) in (Union, types.UnionType):
    return any(is_mapping(part) for part in typing.get_args(kind))
  return bool({kind, typing.get_origin(kind)} & {dict, Mapping})


def _split(kind: Any) -> tuple[Any, list[Any]]:
  """Splits a kind into the type without `Annotated`, and its bounds."""
  bounds: list[Any] = []
  while typing.get_origin(kind) is Annotated:
    kind, *marks = typing.get_args(kind)
    for mark in marks:
      bounds += mark.metadata if isinstance(mark, FieldInfo) else [mark]
  return kind, bounds


def _word(kind: Any, bounds: list[Any]) -> str:
  if kind in _ONE:
    return f"{_ONE[kind]}{_bounded(bounds)}"
  return _OTHER.get(kind) or in_words(kind)


def _many(kind: Any) -> str:
  kind, bounds = _split(kind)
  if typing.get_origin(kind) is Literal:
    return in_words(kind)
  return f"{_MANY.get(kind, 'values')}{_bounded(bounds)}"


def _bounded(bounds: list[Any]) -> str:
  found = {type(bound): getattr(bound, type(bound).__name__.lower(), None) for bound in bounds}
  least, above = found.get(annotated_types.Ge), found.get(annotated_types.Gt)
  most, below = found.get(annotated_types.Le), found.get(annotated_types.Lt)
  if least is not None and most is not None:
    return f" from {least:,} to {most:,}"
  words = [
    f"{word} {bound:,}"
    for word, bound in (("above", above), ("at least", least), ("at most", most), ("below", below))
    if bound is not None
  ]
  # "a number above 0", but "a number of at least 1".
  return (" " if above is not None else " of ") + " and ".join(words) if words else ""
