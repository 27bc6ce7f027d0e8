"""Arrays and messages to response bodies, laid out as TensorFlow Serving lays them out.

Source: `MakeJsonFromTensors`, `MakeJsonFromClassificationResult`, `MakeJsonFromRegressionResult`
and `MakeJsonFromStatus` of tensorflow_serving/util/json_tensor.cc; RapidJSON's prettywriter.h.
"""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from serving.errors import InvalidArgument
from serving.tensor_json import decimals
from serving.tensor_json.dtypes import Array, name_of_numpy

_INDENT = 4
_BYTES_SUFFIX = "_bytes"
_STRING_KINDS = "OS"
_FLOATS = (np.float32, np.float64)
# Values that are texts at a time, before they are joined: each text is a Python object.
_BLOCK_VALUES = 64 << 10
_WRITTEN_BY_PYTHON = (
  np.bool_,
  np.int8,
  np.uint8,
  np.int16,
  np.int32,
  np.int64,
  np.uint32,
  np.uint64,
)
_SPECIAL = re.compile(rb'["\\\x00-\x1f]')
_ESCAPES = {
  **{bytes((code,)): rb"\u%04X" % code for code in range(0x20)},
  b'"': rb"\"",
  b"\\": rb"\\",
  b"\b": rb"\b",
  b"\f": rb"\f",
  b"\n": rb"\n",
  b"\r": rb"\r",
  b"\t": rb"\t",
}


def write_predict(outputs: Mapping[str, Array], *, row: bool) -> bytes:
  """Returns the body of a Predict response.

  Args:
    outputs: output name to array, all outputs of the signature that was run; strings are bytes in
      an array of `object`.
    row: `predictions`, a value or an object for each row; else `outputs`, each output as a whole.

  Raises:
    InvalidArgument: JSON cannot carry an output's type, or the rows of the outputs do not match.
  """
  if not outputs:
    raise InvalidArgument("Cannot convert empty tensor map to JSON")
  return _rows(outputs) if row else _columns(outputs)


def write_classify(results: Sequence[Sequence[tuple[str | bytes, float]]]) -> bytes:
  """Returns the body of a Classify response: for each example, its (label, score) in order.

  Raises:
    InvalidArgument: there is no result.
  """
  if not results:
    raise InvalidArgument("Cannot convert empty ClassificationResults to JSON")
  rows = [
    b"["
    + b", ".join(
      b"[%s, %s]" % (_string(label), decimals.decimal(np.float32(score)).encode())
      for label, score in classes
    )
    + b"]"
    for classes in results
  ]
  return b'{\n    "results": [' + b", ".join(rows) + b"\n    ]\n}"


def write_regress(values: Sequence[float] | Array) -> bytes:
  """Returns the body of a Regress response: a float for each example.

  Raises:
    InvalidArgument: there is no result.
  """
  if not len(values):
    raise InvalidArgument("Cannot convert empty RegressionResults to JSON")
  [row] = decimals.rows(np.asarray(values, np.float32).reshape(1, -1), b", ")
  return b'{\n    "results": [' + row + b"]\n}"


def write_error(message: str) -> bytes:
  """Returns the body of an error; surrogate escapes become the bytes they stand for."""
  try:
    raw = message.encode("utf-8", "surrogateescape")
  except UnicodeEncodeError:
    raw = message.encode("utf-8", "replace")
  return b'{\n    "error": ' + _string(raw) + b"\n}"


def _rows(outputs: Mapping[str, Array]) -> bytes:
  size = -1
  for name, array in outputs.items():
    if not array.ndim:
      raise InvalidArgument(f"Tensor name: {name} has no shape information ")
    if size not in (-1, len(array)):
      raise InvalidArgument(
        f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}"
      )
    size = len(array)
    _check_type(array)
  if not size:
    return b'{\n    "predictions": []\n}'
  layout = _Layout(level=2 if len(outputs) == 1 else 3, one_line=True)
  if len(outputs) == 1:
    [(name, array)] = outputs.items()
    rows = _all_rows(name, array, layout, b", ")
    return b'{\n    "predictions": [' + rows + b"\n    ]\n}"
  members = b",\n".join(
    b" " * 12 + _string(name).replace(b"%", b"%%") + b": %s" for name in outputs
  )
  between, pieces = b"\n        },\n        {\n", []
  for block in _blocks(size, sum(array.size for array in outputs.values())):
    columns = [_texts(name, array[block], layout) for name, array in outputs.items()]
    pieces.append(between.join(members % values for values in zip(*columns, strict=True)))
  start, end = b'{\n    "predictions": [\n        {\n', b"\n        }\n    ]\n}"
  return start + between.join(pieces) + end


def _columns(outputs: Mapping[str, Array]) -> bytes:
  layout = _Layout(level=1 if len(outputs) == 1 else 2, one_line=False)
  members = []
  for name, array in outputs.items():
    _check_type(array)
    members.append((name, _whole(name, array, layout)))
  if len(members) == 1:
    return b'{\n    "outputs": ' + members[0][1] + b"\n}"
  lines = (b" " * 8 + _string(name) + b": " + text for name, text in members)
  return b'{\n    "outputs": {\n' + b",\n".join(lines) + b"\n    }\n}"


def _check_type(array: Array) -> None:
  if array.dtype.kind not in _STRING_KINDS and array.dtype not in (*_FLOATS, *_WRITTEN_BY_PYTHON):
    raise InvalidArgument(
      f"Failed to write JSON value for tensor type: {name_of_numpy(array.dtype)}"
    )


@dataclasses.dataclass(frozen=True)
class _Layout:
  """The place of a value in the body, and how its lists are written.

  Attributes:
    level: the objects and lists that are open around the value.
    one_line: whether a list is on one line; else each element has its own.
  """

  level: int
  one_line: bool

  def within(self, lists: int) -> _Layout:
    """Returns the layout inside of so many more lists."""
    return _Layout(self.level + lists, self.one_line)

  def break_line(self, less: int = 0) -> bytes:
    return b"\n" + b" " * _INDENT * (self.level - less)

  def separator(self) -> bytes:
    return b", " if self.one_line else b"," + self.break_line()

  def in_brackets(self, text: bytes) -> bytes:
    """Returns the list whose elements, on this level, are `text`."""
    if self.one_line:
      return b"[" + text + b"]"
    return b"[" + self.break_line() + text + self.break_line(less=1) + b"]"

  def base64(self, value: bytes) -> bytes:
    """Returns the object of base64 text, which always takes several lines."""
    line = self.within(1).break_line()
    return b"{" + line + b'"b64": "' + base64.b64encode(value) + b'"' + self.break_line() + b"}"


def _whole(name: str, array: Array, layout: _Layout) -> bytes:
  """Returns the JSON of the whole array."""
  if array.ndim < 2 or not array.size:
    [text] = _texts(name, array[np.newaxis], layout)
    return text
  within = layout.within(1)
  return within.in_brackets(_all_rows(name, array, within, within.separator()))


def _all_rows(name: str, array: Array, layout: _Layout, separator: bytes) -> bytes:
  """Returns the JSON of the rows with separators between, many rows at a time."""
  if array.size <= _BLOCK_VALUES >= len(array):
    return separator.join(_texts(name, array, layout))
  return separator.join(
    [
      separator.join(_texts(name, array[block], layout))
      for block in _blocks(len(array), array.size)
    ]
  )


def _blocks(count: int, size: int) -> Iterator[slice]:
  """Returns slices of `count` rows, which together have `size` values."""
  rows = max(1, count * _BLOCK_VALUES // max(size, count))
  return (slice(start, start + rows) for start in range(0, count, rows))


def _texts(name: str, array: Array, layout: _Layout) -> list[bytes]:
  """Returns the JSON of each row of `[rows, ...]`."""
  shape = array.shape[1:]
  if 0 in shape:
    shape = shape[: shape.index(0)]
    texts = [b"[]"] * (len(array) * math.prod(shape))
  else:
    width = shape[-1] if shape else 1
    within = layout.within(len(shape))
    texts = _joined(name, array.reshape(-1, width), within)
    if shape:
      texts = [within.in_brackets(text) for text in texts]
      shape = shape[:-1]
  for dimension in range(len(shape), 0, -1):
    size, within = shape[dimension - 1], layout.within(dimension)
    separator = within.separator()
    texts = [
      within.in_brackets(separator.join(texts[start : start + size]))
      for start in range(0, len(texts), size)
    ]
  return texts


def _joined(name: str, rows: Array, layout: _Layout) -> list[bytes]:
  """Returns the values of each row of `[rows, n]`, with separators between; rows, n >= 1."""
  separator = layout.separator()
  if rows.dtype in _FLOATS:
    return decimals.rows(rows, separator)
  if rows.dtype.kind in _STRING_KINDS:
    write = layout.base64 if name.endswith(_BYTES_SUFFIX) else _string
    return [separator.join(map(write, row)) for row in rows.tolist()]
  # Python writes a list of whole numbers as JSON does, and booleans but for the case.
  texts = [str(row)[1:-1].lower().encode() for row in rows.tolist()]
  return texts if layout.one_line else [text.replace(b", ", separator) for text in texts]


def _string(value: str | bytes) -> bytes:
  raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
  if _SPECIAL.search(raw):
    raw = _SPECIAL.sub(lambda match: _ESCAPES[match[0]], raw)
  return b'"' + raw + b'"'
