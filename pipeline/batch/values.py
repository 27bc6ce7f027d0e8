"""Converts a model's arrays to Python's values for people and files. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dlpipe.artifact_files import decoded
from pipeline.problems.certainty.record import SET

_FILES = "_bytes"  # ends the names of outputs that REST encodes


def plain_values(array: Any) -> list[Any]:
  """Returns an array as nested lists of Python values: bytes as str, float32 as shortest decimals.

  Without that, 0.1 as float32 would be written as 0.10000000149011612.
  """
  if array.dtype == np.float32:
    return array.astype(str).astype(np.float64).tolist()
  values = array.tolist()
  return decoded(values) if array.dtype == object else values


def plain_columns(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, list[Any]]:
  """Returns outputs by name as lists, a value a row.

  A set loses the "" behind its labels; files, such as a picture, stay bytes.
  """
  columns = {
    name: found[name].tolist() if name.endswith(_FILES) else plain_values(found[name])
    for name in names
  }
  if SET in columns:
    columns[SET] = [
      [label for label in row if label] if isinstance(row, list) else row for row in columns[SET]
    ]
  return columns
