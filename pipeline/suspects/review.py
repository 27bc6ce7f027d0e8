"""The CSV of suspects that a person reviews, and that `data.relabel` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from components.source_example_gen.relabel import NEW_LABEL, ORIGIN

_COLUMNS = ("split", "label", NEW_LABEL, "suggested", "label_score", "suggested_score", "input")
# How a cell begins that a spreadsheet executes.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def as_csv(likely: Iterable[Mapping[str, Any]]) -> str:
  """Returns suspects as CSV with an empty column `new_label`, the likeliest first.

  Args:
    likely: suspects as JSON, such as `Suspects.to_json()["likely"]`.
  """
  file = io.StringIO()
  writer = csv.DictWriter(file, (ORIGIN, *_COLUMNS), extrasaction="ignore", lineterminator="\n")
  writer.writeheader()
  writer.writerows({NEW_LABEL: "", **each, "input": _as_text(each["input"])} for each in likely)
  return file.getvalue()


def _as_text(text: str) -> str:
  """Returns a text that spreadsheets show as it is, and do not execute as a formula."""
  return f"'{text}" if text.startswith(_FORMULAS) else text
