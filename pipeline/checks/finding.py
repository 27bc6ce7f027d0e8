"""`Finding`: one thing to know about the data. Imports only the standard library."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

WARNING, NOTE = "warning", "note"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
  """One thing to know about the data.

  Attributes:
    name: for programs.
    level: WARNING, or NOTE where it may well be as it should.
    count: how many rows or labels it is about.
    what: a sentence that begins with the count.
    advice: what to do.
    examples: rows to look at, each example one or two that belong together.
    details: lines to show as they are, where rows say nothing.
  """

  name: str
  level: str
  count: int
  what: str
  advice: str
  examples: tuple[tuple[int, ...], ...] = ()
  details: tuple[str, ...] = ()

  @classmethod
  def of(cls, row: Mapping[str, Any]) -> Finding:
    """What `gate_findings.finding_json` made JSON of."""
    return cls(**{**row, "details": tuple(row["details"])})
