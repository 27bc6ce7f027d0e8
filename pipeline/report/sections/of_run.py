"""What the run did beside learning: proved the export, was tested, took its time, was set."""

from __future__ import annotations

from typing import Any

from pipeline.runs.report_data import ReportData


def parity(data: ReportData) -> dict[str, Any] | None:
  """Has no values beside the data's own; None if nothing was proved."""
  return {} if data.parity else None


def behaviour(data: ReportData) -> dict[str, Any] | None:
  """Has no values beside the data's own; None if nothing was tested."""
  return {} if data.behaviour and data.behaviour.tests else None


def components(data: ReportData) -> dict[str, Any] | None:
  """Returns the seconds of the slowest component."""
  found = data.result.components
  return {"longest": max(each.seconds for each in found)} if found else None


def settings(data: ReportData) -> dict[str, Any] | None:
  """Has no values beside the data's own; None if nothing was set."""
  return {} if data.hyperparameters or data.versions else None
