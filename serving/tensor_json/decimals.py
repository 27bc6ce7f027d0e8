"""Floating point numbers as TensorFlow Serving writes them.

`%g` if six digits read back as the same number, else nine digits (float) or seventeen (double);
`.0` after a whole number without an exponent; `NaN`, `Infinity`, `-Infinity`.
Source: `WriteDecimal` of tensorflow_serving/util/json_tensor.cc.

`decimal` is the definition. `rows` gives the same text for whole arrays; for many float32 it
computes all digits at once and leaves numbers that it is not sure of to `decimal`.
"""

from __future__ import annotations

from array import array as packed

import numpy as np

from serving.tensor_json.dtypes import Array

_FEWEST = 200  # below this count, one number after the other is faster
_MOST = 1 << 12  # numbers in one step, so that their cells stay in the processor's cache
_DIGITS = 9
# So near to a tie of the ninth digit double arithmetic (error below 5e-7) cannot decide.
_UNSURE = 1e-6
_LEAST_NORMAL = float(np.finfo(np.float32).tiny)

# Cells of one number: mark, sign, "0.000", nine digits each followed by a point, "0", "e-00".
_MARK, _SIGN, _LEAD, _DIGIT, _LAST_ZERO, _EXPONENT = 0, 1, 2, 7, 25, 26
_CELLS = 30
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_VALUE_MARK, _ROW_MARK, _PATCH_MARK = 1, 2, 3


def decimal(value: float | np.float32 | np.float64) -> str:
  """Returns one number; a `np.float32` is a float, anything else a double."""
  is_float = isinstance(value, np.float32)
  number = float(value)
  text = f"{number:g}"
  back = float(text)
  if (np.float32(back) if is_float else back) != value:
    text = f"{number:.9g}" if is_float else f"{number:.17g}"
  return _finished(text)


def rows(array: Array, separator: bytes) -> list[bytes]:
  """Returns the numbers of each innermost row, joined.

  Args:
    array: float32 or float64, `[..., n]`, n >= 1.
    separator: the text between two numbers.

  Returns:
    One text for each of the rows, in order.
  """
  width = array.shape[-1]
  flat = np.ascontiguousarray(array).reshape(-1)
  if array.dtype != np.float32 or flat.size < _FEWEST:
    texts = _one_by_one(flat)
    return [separator.join(texts[start : start + width]) for start in range(0, len(texts), width)]
  text = b"".join(
    _many(flat[start : start + _MOST], start, width) for start in range(0, flat.size, _MOST)
  )
  found = text.replace(bytes((_VALUE_MARK,)), separator).split(bytes((_ROW_MARK,)))
  return found[1:]  # the first row has its mark before it, too


def _one_by_one(flat: Array) -> list[bytes]:
  """Returns each number of `[n]` float32 or float64, by `decimal`'s rule."""
  if flat.dtype == np.float32:
    return _floats_one_by_one(flat.tolist())
  numbers = flat.tolist()
  is_long = _needs_more_than_six(flat)
  texts = [
    f"{number:.17g}" if known else f"{number:g}"
    for number, known in zip(numbers, is_long.tolist(), strict=True)
  ]
  for index in np.flatnonzero(~is_long).tolist():
    if float(texts[index]) != numbers[index]:
      texts[index] = f"{numbers[index]:.17g}"
  return [_finished(text).encode() for text in texts]


def _floats_one_by_one(numbers: list[float]) -> list[bytes]:
  texts = [f"{number:g}" for number in numbers]
  # A packed array rounds as numpy does, in a tenth of the time for a few.
  back = packed("f", map(float, texts))
  return [
    _finished(text if read == number else f"{number:.9g}").encode()
    for text, read, number in zip(texts, back, numbers, strict=True)
  ]


def _needs_more_than_six(values: Array) -> Array:
  """Marks float64 that surely do not read back from six digits; it may miss some."""
  size = np.abs(values)
  is_usual = (size > 1e-15) & (size < 1e15)  # where the powers below are exact
  size[~is_usual] = 1.0
  power = 5 - np.floor(np.log10(size)).astype(np.int64)
  up, down = (
    _POWERS[_ZERO_POWER + np.maximum(power, 0)],
    _POWERS[_ZERO_POWER - np.minimum(power, 0)],
  )
  six = np.rint(size * up / down)
  return is_usual & (six * down / up != size)


def _finished(text: str) -> str:
  if "." in text or "e" in text:
    return text
  return _NOT_FINITE.get(text) or text + ".0"


def _many(values: Array, start: int, width: int) -> bytes:
  """Returns the numbers of `values`, each after its mark.

  Args:
    values: `[n]` float32.
    start: the index of the first one in the whole array.
    width: the numbers of a row.
  """
  with np.errstate(invalid="ignore"):  # signalling NaN
    size = np.abs(values).astype(np.float64)
  is_zero = size == 0
  by_hand = ~(is_zero | ((size >= _LEAST_NORMAL) & (size < np.inf)))
  size[by_hand | is_zero] = 1.0
  exponent = np.floor(np.log10(size)).astype(np.int32)
  scaled = size * _POWERS[_DIGITS - 1 + _ZERO_POWER - exponent]
  by_hand |= (scaled < 10 ** (_DIGITS - 1)) | (scaled >= 10**_DIGITS - 1)
  whole = np.floor(scaled)
  rest = scaled - whole
  by_hand |= np.abs(rest - 0.5) < _UNSURE
  nine = (whole + (rest > 0.5)).astype(np.int32)

  six = (nine + 500) // 1000
  by_hand |= six * 1000 - nine == 500  # a tie, which the seventh digit and those after it decide
  carried = six == 10**6
  six[carried] = 10**5
  six_exponent = exponent + carried
  back = six * _POWERS[_ZERO_POWER - 5 + six_exponent]
  # Where `back` lies beside the middle of two floats, its own rounding may choose the wrong one.
  by_hand |= np.abs((back.view(np.int64) & 0x1FFFFFFF) - 0x10000000) < 16
  reads_back = back.astype(np.float32) == size.astype(np.float32)
  nine = np.where(reads_back, six * 1000, nine)
  exponent = np.where(reads_back, six_exponent, exponent)
  nine[is_zero], exponent[is_zero] = 0, 0

  cells = _cells(nine, exponent.astype(np.int8), reads_back)
  cells[:, _SIGN] = np.signbit(values) * _character("-")
  cells[:, _MARK] = _VALUE_MARK
  cells[-start % width :: width, _MARK] = _ROW_MARK
  unsure = np.flatnonzero(by_hand)
  if unsure.size:
    cells[unsure, _SIGN:] = 0
    cells[unsure, _SIGN] = _PATCH_MARK
  text = cells.tobytes().translate(None, b"\0")
  if not unsure.size:
    return text
  pieces = text.split(bytes((_PATCH_MARK,)))
  patched = [pieces[0]]
  rest = values[unsure]
  is_finite = np.isfinite(rest).tolist()
  for value, finite, piece in zip(rest, is_finite, pieces[1:], strict=True):
    written = decimal(value) if finite else _NOT_FINITE[f"{value:g}"]
    patched += (written.encode(), piece)
  return b"".join(patched)


def _cells(nine: Array, exponent: Array, is_short: Array) -> Array:
  """Returns the characters of each number without its sign; 0 for no character.

  Args:
    nine: `[n]` int32, nine digits.
    exponent: `[n]` int8, the exponent of the first digit.
    is_short: `[n]` bool, whether these are `%.6g`'s digits, else `%.9g`'s.

  Returns:
    `[n, cells]` uint8.
  """
  digits = []
  for _ in range(_DIGITS):
    shorter = nine // 10
    digits.append((nine - shorter * 10).astype(np.uint8))
    nine = shorter
  digits.reverse()
  used = np.ones(nine.size, np.int8)  # digits up to the last that is not zero
  for place, digit in enumerate(digits):
    np.maximum(used, (digit != 0) * np.int8(place + 1), out=used)

  scientific = (exponent < -4) | (exponent >= np.where(is_short, np.int8(6), np.int8(_DIGITS)))
  is_fixed = ~scientific
  point = exponent * is_fixed  # the digit that a point follows, if any does
  shown = np.maximum(used, point + np.int8(1))
  point[scientific & (used == 1)] = -1
  cells = np.zeros((nine.size, _CELLS), np.uint8)
  for place, digit in enumerate(digits):
    cells[:, _DIGIT + 2 * place] = (digit + _character("0")) * (place < shown)
    cells[:, _DIGIT + 2 * place + 1] = (point == place) * _character(".")
  cells[:, _LAST_ZERO] = (is_fixed & (exponent >= 0) & (used <= exponent + 1)) * _character("0")

  if exponent.min() < 0:
    small = is_fixed & (exponent < 0)
    for place, character in enumerate("0.000"):
      cells[:, _LEAD + place] = (small & (place < 1 - exponent)) * _character(character)
  if scientific.any():
    power = np.abs(exponent)
    tens = power // np.int8(10)
    sign = np.where(exponent < 0, _character("-"), _character("+"))
    for place, characters in enumerate(
      (_character("e"), sign, tens + _character("0"), power - tens * 10 + _character("0"))
    ):
      cells[:, _EXPONENT + place] = scientific * characters
  return cells


def _character(character: str) -> np.uint8:
  return np.uint8(ord(character))


_ZERO_POWER = 60
_POWERS = np.array([float(f"1e{power}") for power in range(-_ZERO_POWER, _ZERO_POWER + 1)])
