"""Floating point numbers as TensorFlow Serving writes them.

`%g` where six digits read back as the same number, else nine digits (float) or seventeen (double);
`.0` after a whole number without an exponent; `NaN`, `Infinity`, `-Infinity`.
Source: `WriteDecimal` of tensorflow_serving/util/json_tensor.cc.

`decimal` is the definition. `rows` gives the same text for whole arrays; for many float32 it
computes all digits at once and leaves to `decimal` what it cannot be sure of.
"""

from __future__ import annotations

import math

import numpy as np

from serving.tensor_json.dtypes import Array

_FEWEST = 200  # numbers, below which one by one is faster
_MOST = 1 << 12  # numbers at once, so that their cells stay in the processor's cache
_DIGITS = 9
# Beside a tie of the ninth digit, where double arithmetic (error below 5e-7) cannot decide.
_UNSURE = 1e-6
_LEAST_NORMAL = float(np.finfo(np.float32).tiny)

# Cells of one number: mark, sign, "0.000", nine digits each followed by a point, "0", "e-00".
_MARK, _SIGN, _LEAD, _DIGIT, _LAST_ZERO, _EXPONENT = 0, 1, 2, 7, 25, 26
_CELLS = 30
_VALUE_MARK, _ROW_MARK, _PATCH_MARK = 1, 2, 3


def decimal(value: float | np.float32 | np.float64) -> str:
  """One number; a `np.float32` is a float, anything else a double."""
  is_float = isinstance(value, np.float32)
  number = float(value)
  if not math.isfinite(number):
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
  text = f"{number:g}"
  back = float(text)
  if (np.float32(back) if is_float else back) != value:
    text = f"{number:.9g}" if is_float else f"{number:.17g}"
  return text if "." in text or "e" in text else text + ".0"


def rows(array: Array, separator: bytes) -> list[bytes]:
  """The numbers of each innermost row, joined.

  Args:
    array: float32 or float64, `[..., n]`, n >= 1.
    separator: what stands between two numbers.

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
  return found[1:]  # the first row, too, has its mark before it


def _one_by_one(flat: Array) -> list[bytes]:
  if flat.dtype == np.float32:
    return [decimal(value).encode() for value in flat]
  return [decimal(value).encode() for value in flat.tolist()]


def _many(values: Array, start: int, width: int) -> bytes:
  """The numbers of `values`, each after its mark.

  Args:
    values: `[n]` float32.
    start: the index of the first one in the whole array.
    width: the numbers of a row.
  """
  with np.errstate(invalid="ignore"):  # signalling NaN
    size = np.abs(values).astype(np.float64)
  by_hand = ~np.isfinite(size) | ((size < _LEAST_NORMAL) & (size != 0))
  size[by_hand | (size == 0)] = 1.0
  exponent = np.floor(np.log10(size)).astype(np.int64)
  scaled = size * _POWERS[_DIGITS - 1 - exponent + _ZERO_POWER]
  nine = np.floor(scaled)
  rest = scaled - nine
  by_hand |= (
    (np.abs(rest - 0.5) < _UNSURE) | (scaled < 10 ** (_DIGITS - 1)) | (scaled >= 10**_DIGITS - 1)
  )
  nine = (nine + (rest > 0.5)).astype(np.int64)

  six = (nine + 500) // 1000  # a tie reads back as the number only if it is exact, and is by hand
  six_exponent = exponent.copy()
  carried = six >= 10**6
  six[carried] = 10**5
  six_exponent[carried] += 1
  back = six * _POWERS[six_exponent - 5 + _ZERO_POWER]
  # Where `back` lies beside the middle of two floats, its own rounding may choose the wrong one.
  by_hand |= np.abs((back.view(np.int64) & 0x1FFFFFFF) - 0x10000000) < 16
  reads_back = back.astype(np.float32) == size.astype(np.float32)
  by_hand |= (nine % 1000 == 500) & (size != 0)
  nine[reads_back] = six[reads_back] * 1000
  exponent[reads_back] = six_exponent[reads_back]
  is_zero = values == 0
  nine[is_zero], exponent[is_zero], reads_back[is_zero] = 0, 0, True

  cells = _cells(nine, exponent, np.where(reads_back, 6, _DIGITS))
  cells[_SIGN][np.signbit(values)] = ord("-")
  index = np.arange(start, start + values.size)
  cells[_MARK] = np.where(index % width == 0, _ROW_MARK, _VALUE_MARK)
  unsure = np.flatnonzero(by_hand)
  if unsure.size:
    cells[_SIGN:, unsure] = 0
    cells[_SIGN, unsure] = _PATCH_MARK
  text = cells.T.tobytes().translate(None, b"\0")
  if not unsure.size:
    return text
  pieces = text.split(bytes((_PATCH_MARK,)))
  patched = [pieces[0]]
  for at, piece in zip(unsure, pieces[1:], strict=True):
    patched += (decimal(values[at]).encode(), piece)
  return b"".join(patched)


def _cells(nine: Array, exponent: Array, precision: Array) -> Array:
  """`[cells, n]` uint8: the characters of each number, 0 where it has none."""
  cells = np.zeros((_CELLS, nine.size), np.uint8)
  digits = np.empty((_DIGITS, nine.size), np.uint8)
  left = nine.astype(np.int32)
  for place in range(_DIGITS - 1, -1, -1):
    shorter = left // 10
    digits[place] = left - shorter * 10
    left = shorter
  used = np.ones(nine.size, np.int64)  # digits up to the last that is not zero
  for place in range(1, _DIGITS):
    used[digits[place] != 0] = place + 1

  scientific = (exponent < -4) | (exponent >= precision)
  small = ~scientific & (exponent < 0)
  point = np.where(scientific, 0, exponent)  # the digit that a point follows, if any does
  shown = np.maximum(used, point + 1)
  digits += ord("0")
  for place in range(_DIGITS):
    row = _DIGIT + 2 * place
    cells[row] = np.where(place < shown, digits[place], 0)
    cells[row + 1] = np.where((point == place) & ~(scientific & (used == 1)), ord("."), 0)
  cells[_LAST_ZERO] = np.where(~scientific & ~small & (used <= point + 1), ord("0"), 0)

  for place, character in enumerate(b"0.000"):
    cells[_LEAD + place] = np.where(small & (place < 1 - exponent), character, 0)
  if scientific.any():
    power = np.abs(exponent)
    cells[_EXPONENT] = np.where(scientific, ord("e"), 0)
    cells[_EXPONENT + 1] = np.where(scientific, np.where(exponent < 0, ord("-"), ord("+")), 0)
    cells[_EXPONENT + 2] = np.where(scientific, power // 10 + ord("0"), 0)
    cells[_EXPONENT + 3] = np.where(scientific, power % 10 + ord("0"), 0)
  return cells


_ZERO_POWER = 60
_POWERS = np.array([float(f"1e{power}") for power in range(-_ZERO_POWER, _ZERO_POWER + 1)])
