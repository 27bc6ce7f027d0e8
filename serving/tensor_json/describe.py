"""JSON values as error messages show them: on one line, cut after about 256 bytes.

Source: `JsonValueToString` of tensorflow_serving/util/json_tensor.cc and its change in 2.18: a
value stops being written once 256 bytes are out, so one long string is shown whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from serving.tensor_json.decimals import decimal
from serving.tensor_json.reader import members_of

_MAX_BYTES = 256
_MAX_STRING = 64 << 10  # characters of one string; TensorFlow Serving shows all of it
_FLOAT_MAX = float(np.finfo(np.float32).max)


def describe(value: Any) -> str:
  """Returns the value as JSON; bytes that are not UTF-8 are surrogate escapes."""
  if isinstance(value, float):
    # RapidJSON shows what fits into a float as that float.
    return decimal(np.float32(value) if abs(value) <= _FLOAT_MAX else value)
  if not isinstance(value, (list, dict)):
    return _scalar(value)
  pieces, size = [], 0
  for piece in _pieces(value):
    if size > _MAX_BYTES:
      pieces.append("...")
      break
    pieces.append(piece)
    size += len(piece)
  return "".join(pieces)


def type_name(value: Any) -> str:
  """Returns RapidJSON's name of the value's type, as messages give it."""
  if value is None:
    return "Null"
  if isinstance(value, bool):
    return "True" if value else "False"
  if isinstance(value, dict):
    return "Object"
  if isinstance(value, list):
    return "Array"
  return "String" if isinstance(value, (str, bytes)) else "Number"


def shown(text: str | bytes) -> str:
  """Returns a string or a name as a message holds it; undecodable bytes are surrogate escapes."""
  return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text


def _scalar(value: Any) -> str:
  if isinstance(value, (str, bytes)):
    if len(value) > _MAX_STRING:
      return json.dumps(shown(value[:_MAX_STRING]), ensure_ascii=False) + "..."
    return json.dumps(shown(value), ensure_ascii=False)
  if isinstance(value, float):
    if math.isfinite(value):
      return repr(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
  if value is None:
    return "null"
  return str(value).lower()


def _pieces(value: Any) -> Iterator[str]:
  """Yields the JSON text in pieces, depth first, without recursion."""
  levels: list[Iterator[tuple[str, Any]]] = [iter([("", value)])]
  closings = [""]
  while levels:
    for before, item in levels[-1]:
      yield before
      if isinstance(item, dict):
        yield "{"
        levels.append(_named(item))
        closings.append("}")
        break
      if isinstance(item, list):
        yield "["
        levels.append((("," if index else ""), element) for index, element in enumerate(item))
        closings.append("]")
        break
      yield _scalar(item)
    else:
      levels.pop()
      yield closings.pop()


def _named(value: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
  for index, (name, item) in enumerate(members_of(value)):
    yield f"{',' if index else ''}{_scalar(name)}:", item
