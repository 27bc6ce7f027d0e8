"""Single examples that the model is wrong about, and samples of what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.runs.report_data import ReportData


def pictures(data: ReportData) -> dict[str, Any] | None:
  """Returns mistakes to look at."""
  return {"pictures": [safe(row) for row in data.pictures]} if data.pictures else None


def texts(data: ReportData) -> dict[str, Any] | None:
  """Has no values beside the data's own; None if there are no texts."""
  return {} if data.texts else None


def samples(data: ReportData) -> dict[str, Any] | None:
  """Has no values beside the data's own; None if there are no samples."""
  return {} if data.samples else None


def safe(row: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a row whose picture and link are what a page may hold, or None."""
  uri, link = row.get("data_uri"), row.get("link")
  return {
    **row,
    "data_uri": uri if str(uri).startswith("data:image/") else None,
    "link": link if str(link).startswith("file:///") else None,
  }
