"""Large tensors of numbers are read in pieces, to what they are read to as a whole."""

import numpy as np
import pytest

from serving.tensor_json import numbers
from serving.tensor_json.numbers import read_numbers

SMALL_PIECE = 64


@pytest.fixture
def in_pieces(monkeypatch):
  """Returns what a body is read to, in pieces of some tens of bytes."""

  def read(body):
    with monkeypatch.context() as patch:
      patch.setattr(numbers, "_PIECE_BYTES", SMALL_PIECE)
      return read_numbers(body)

  return read


def _row(count, start=0):
  return "[" + ", ".join(str(start + number) for number in range(count)) + "]"


WHOLE = [
  f'{{"instances": {_row(100)}}}',
  f'{{"inputs": [{_row(20)}, {_row(20, 1)}], "signature_name": "s"}}',
  f'{{"signature_name": "s", "instances": [{_row(40)},\n\t{_row(40, 7)} ] }}',
  '{"instances": [' + "[[1.5],[2e3],[-3]]," * 20 + "[[1],[2],[3]]]}",
  '{"instances": [1' + " " * 300 + "," + "2," * 30 + "3]}",
  '{"instances": [9223372036854775807' + ",1" * 40 + "]}",
]


@pytest.mark.parametrize("body", WHOLE)
def test_pieces_make_the_whole(in_pieces, body):
  whole, pieces = read_numbers(body.encode()), in_pieces(body.encode())
  assert (pieces.key, pieces.signature_name) == (whole.key, whole.signature_name)
  assert pieces.array.dtype == whole.array.dtype
  np.testing.assert_array_equal(pieces.array, whole.array)


@pytest.mark.parametrize(
  "wrong",
  [
    "[1[,2]]", "[[1]2,3]", "[[1,2]3]", "[1,,2]", "[,1]", "[1,]", "[1 2]", "[1],2]", "[[1],[2,3]]",
    "[1\v,2]", "[1e]", "[.5]", "[01]", "[9223372036854775808]", "[1]]", "[[1]", "[]", "[[],[]]",
  ],
)  # fmt: skip
def test_what_is_no_tensor_is_none_in_pieces_too(in_pieces, wrong):
  filled = wrong.replace("[", "[" + "7, " * 40, 1)
  for text in (wrong, filled, wrong + " " * 300, filled + "x", f"{filled}] "):
    body = f'{{"instances": {text}}}'.encode()
    assert read_numbers(body) is None or text == wrong + " " * 300, body
    assert (in_pieces(body) is None) == (read_numbers(body) is None), body
