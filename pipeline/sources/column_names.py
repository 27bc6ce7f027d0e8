"""Which column somebody may have meant who named one that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def meant(column: str, names: Sequence[str]) -> str:
  """A sentence with the nearest column, whatever its case; empty if none is near."""
  by_lower = {name.strip().lower(): name for name in reversed(names)}
  close = difflib.get_close_matches(column.strip().lower(), by_lower, n=1)
  return f" Did you mean {by_lower[close[0]]!r}?" if close else ""
