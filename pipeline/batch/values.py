"""What a model's arrays and errors are for people and files. Imports no TensorFlow."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

# What TensorFlow says around the cause: where in the graph, never why.
_GRAPH_LINES = ("Graph execution error", "Detected at node", "<stack traces", "(0)", "(1)")
_GRAPH_NAMES = re.compile(r"\{\{.*?\}\}|\[\[.*?\]\]")


def explain(message: str) -> str:
  """TensorFlow's message without its account of graph nodes, on one line."""
  lines = [" ".join(_GRAPH_NAMES.sub(" ", line).split()) for line in message.splitlines()]
  told = [line for line in lines if line and not line.startswith(_GRAPH_LINES)]
  return " ".join(told) or " ".join(message.split())


def plain_values(array: Any) -> list[Any]:
  """Python's values, at any depth: str for bytes, and for float32 the shortest decimals.

  Without that, 0.1 as float32 would be written as 0.10000000149011612.
  """
  if array.dtype == np.float32:
    return array.astype(str).astype(np.float64).tolist()
  values = array.tolist()
  return _decoded(values) if array.dtype == object else values


def _decoded(value: Any) -> Any:
  if isinstance(value, list):
    return [_decoded(item) for item in value]
  return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
