"""The CSV of suspects that a person reviews, and that `data.relabel` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from components.source_example_gen.relabel import NEW_LABEL, ORIGIN

_COLUMNS = ("split", "label", NEW_LABEL, "suggested", "label_score", "suggested_score", "input")


def as_csv(likely: Iterable[Mapping[str, Any]]) -> str:
  """Returns suspects as CSV with an empty column `new_label`, the likeliest first.

  Args:
    likely: suspects as JSON, such as `Suspects.to_json()["likely"]`.
  """
  file = io.StringIO()
  writer = csv.DictWriter(file, (ORIGIN, *_COLUMNS), extrasaction="ignore", lineterminator="\n")
  writer.writeheader()
  writer.writerows({NEW_LABEL: "", **each} for each in likely)
  return file.getvalue()
