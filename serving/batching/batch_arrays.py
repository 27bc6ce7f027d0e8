"""Joins the arrays of several requests to one batch, and splits them again.

Source: tensorflow_serving/batching/{batching_session.cc,batching_util.h}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from serving.errors import FailedPrecondition, InvalidArgument
from serving.models.tensors import Array


def batch_size(feeds: Mapping[str, Array]) -> int:
  """Returns the number of rows of a request.

  Raises:
    InvalidArgument: an input has no rows, or inputs have different numbers of them.
  """
  sizes = set()
  for array in feeds.values():
    if not array.ndim:
      raise InvalidArgument("Batching Run() input tensors must have at least one dimension")
    sizes.add(len(array))
  if len(sizes) > 1:
    raise InvalidArgument("Batching Run() input tensors must have equal 0th-dimension size")
  return sizes.pop() if sizes else 0


def join(requests: Sequence[Mapping[str, Array]], *, size: int, pads: bool) -> dict[str, Array]:
  """Joins the feeds of all requests.

  Args:
    requests: for each request tensor name to value; all have the same names.
    size: the number of rows to fill up to, with the first row of the last request.
    pads: whether requests of different shapes are padded to the largest.

  Raises:
    FailedPrecondition: shapes differ and `pads` is off.
    InvalidArgument: types or ranks differ.
  """
  joined = {}
  for name in requests[0]:
    arrays = [request[name] for request in requests]
    if len({array.dtype for array in arrays}) > 1:
      raise InvalidArgument(f"Tensors with name '{name}' from different tasks have different types")
    if len({array.shape[1:] for array in arrays}) > 1:
      if not pads:
        raise FailedPrecondition(
          f"Tensors with name '{name}' from different tasks have different shapes and padding is "
          "turned off. Set pad_variable_length_inputs to true, or ensure that all tensors with the "
          "same name have equal dimensions starting with the first dim."
        )
      arrays = _padded(name, arrays)
    missing = size - sum(map(len, arrays))
    if missing > 0:
      arrays = [*arrays, *[arrays[-1][:1]] * missing]
    joined[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
  return joined


def split(outputs: Sequence[Array], sizes: Sequence[int], total: int) -> list[list[Array]]:
  """Splits every output into the rows of each request.

  Args:
    outputs: the outputs of the batch.
    sizes: number of rows of each request, in order.
    total: number of rows that were fed, filling rows included.

  Raises:
    FailedPrecondition: an output has another number of rows.
  """
  for output in outputs:
    if not output.ndim:
      raise FailedPrecondition("Batched output tensor has 0 dimensions")
    if len(output) != total:
      raise FailedPrecondition(
        "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
        "of the input tensors"
      )
  parts, start = [], 0
  for size in sizes:
    parts.append([output[start : start + size] for output in outputs])
    start += size
  return parts


def _padded(name: str, arrays: Sequence[Array]) -> list[Array]:
  """Pads arrays to one shape but for their rows, each with its own first value."""
  if len({array.ndim for array in arrays}) > 1:
    raise InvalidArgument(f"Tensors with name '{name}' from different tasks have different ranks")
  shape = [max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True)]
  padded = []
  for array in arrays:
    filler = array.flat[0] if array.size else (b"" if array.dtype == object else 0)
    full = np.full((len(array), *shape), filler, array.dtype)
    full[tuple(slice(size) for size in array.shape)] = array
    padded.append(full)
  return padded
