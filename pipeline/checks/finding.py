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
    name: identifier for programs.
    level: WARNING, or NOTE if the data may well be correct.
    count: number of rows or labels that the finding is about.
    what: a sentence that begins with the count.
    advice: a sentence on how to mend the data.
    examples: row numbers to look at; each example is one row, or two rows to compare.
    details: further lines to show, such as counts by label.
    suggested: for an example of one row, by its number, the label that it likely should have.
  """

  name: str
  level: str
  count: int
  what: str
  advice: str
  examples: tuple[tuple[int, ...], ...] = ()
  details: tuple[str, ...] = ()
  suggested: Mapping[int, str] = dataclasses.field(default_factory=dict)

  @classmethod
  def of(cls, row: Mapping[str, Any]) -> Finding:
    """Reads the JSON that `gate_findings.finding_json` returns."""
    return cls(**{**row, "details": tuple(row["details"])})
