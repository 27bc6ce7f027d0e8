"""What TensorFlow's errors say, without what only a developer of TensorFlow understands."""

from __future__ import annotations

import re

_NODES = re.compile(r"\{\{.*?\}\}|\[Op:.*", re.DOTALL)


def words_of(error: Exception) -> str:
  """The first line of a TensorFlow error, without the names of graph nodes and operations."""
  message = str(getattr(error, "message", "") or type(error).__name__)
  return _NODES.sub("", message).strip().splitlines()[0].strip()
