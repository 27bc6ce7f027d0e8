"""Arrays of several requests to one batch, and back."""

import numpy as np
import pytest

from serving.batching.batch_arrays import batch_size, join, split
from serving.errors import FailedPrecondition, InvalidArgument

ONE, TWO = np.float32([[1, 2]]), np.float32([[3, 4], [5, 6]])
WIDE = np.float32([[7, 8, 9]])


def test_the_rows_of_a_request():
  assert batch_size({"x": TWO, "y": np.zeros(2)}) == 2
  assert batch_size({"x": TWO[:0]}) == 0


@pytest.mark.parametrize(
  ("feeds", "message"),
  [
    ({"x": np.float32(1)}, "must have at least one dimension"),
    ({"x": ONE, "y": TWO}, "must have equal 0th-dimension size"),
  ],
)
def test_requests_without_rows(feeds, message):
  with pytest.raises(InvalidArgument, match=message):
    batch_size(feeds)


def test_rows_are_joined_and_filled_up_with_the_first_row_of_the_last():
  joined = join([{"x": ONE}, {"x": TWO}], size=5, pads=False)
  assert joined["x"].tolist() == [[1, 2], [3, 4], [5, 6], [3, 4], [3, 4]]
  assert join([{"x": ONE}], size=1, pads=False)["x"] is ONE


def test_other_shapes_are_refused_or_padded_with_the_arrays_first_value():
  requests = [{"x": ONE}, {"x": WIDE}]
  with pytest.raises(FailedPrecondition, match="Tensors with name 'x' from different tasks have"):
    join(requests, size=2, pads=False)
  assert join(requests, size=2, pads=True)["x"].tolist() == [[1, 2, 1], [7, 8, 9]]
  words = np.empty((1, 1), object)
  words[0, 0] = b"a"
  joined = join([{"s": words}, {"s": np.repeat(words, 2, 1)}], size=2, pads=True)
  assert joined["s"].tolist() == [[b"a", b"a"], [b"a", b"a"]]


@pytest.mark.parametrize(
  ("other", "message"),
  [(np.float64([[1, 2]]), "different types"), (np.float32([1]), "different ranks")],
)
def test_other_types_and_ranks(other, message):
  with pytest.raises(InvalidArgument, match=message):
    join([{"x": ONE}, {"x": other}], size=2, pads=True)


def test_each_request_gets_its_rows():
  outputs = [np.arange(5), np.arange(10).reshape(5, 2)]
  first, second, third = split(outputs, [1, 2, 1], 5)
  assert [part.tolist() for part in first] == [[0], [[0, 1]]]
  assert [part.tolist() for part in second] == [[1, 2], [[2, 3], [4, 5]]]
  assert [part.tolist() for part in third] == [[3], [[6, 7]]]


@pytest.mark.parametrize(
  ("output", "message"),
  [
    (np.float32(1), "has 0 dimensions"),
    (np.zeros(2), "0th dimension does not equal the sum"),
    (np.zeros(4), "0th dimension does not equal the sum"),
  ],
)
def test_outputs_that_are_no_rows(output, message):
  with pytest.raises(FailedPrecondition, match=message):
    split([output], [1, 2], 3)
