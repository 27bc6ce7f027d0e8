"""Suggests a column to a user who named one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def meant(column: str, names: Sequence[str]) -> str:
  """Returns a sentence with the nearest column, ignoring case; empty if no column is near.

  >>> meant("Txet", ["text", "label"])
  " Did you mean 'text'?"
  """
  by_lower = {name.strip().lower(): name for name in reversed(names)}
  close = difflib.get_close_matches(column.strip().lower(), by_lower, n=1)
  return f" Did you mean {by_lower[close[0]]!r}?" if close else ""
