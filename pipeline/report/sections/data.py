"""The data that the run read: its splits, labels, checks, findings and bad records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.runs.report_data import ReportData

_MOST_ROWS = 200
_MOST_REASONS = 20


def about_data(data: ReportData) -> dict[str, Any] | None:
  """Returns what is known of the data."""
  check = data.result.check or {}
  splits, rows = _splits(data), label_rows(data.statistics.labels)
  findings = data.result.findings
  if not (splits or data.data_checks or findings or rows["rows"] or data.quarantine):
    return None
  return {
    "splits": splits,
    "label_rows": rows,
    "data_findings": findings,
    "check": data.result.check,
    "lengths": [{"name": name, **each} for name, each in (check.get("lengths") or {}).items()],
    "met": check.get("met") or {},
    "reasons": _reasons(data.statistics.reasons),
  }


def label_rows(labels: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
  """Returns labels, most frequent first, with their count and share in every split."""
  names = dict.fromkeys(name for counts in labels.values() for name in counts)
  ordered = sorted(names, key=lambda n: -sum(counts.get(n, 0) for counts in labels.values()))
  totals = {split: sum(counts.values()) or 1 for split, counts in labels.items()}
  rows = [
    {
      "label": name,
      "cells": [
        {"count": counts.get(name, 0), "share": counts.get(name, 0) / totals[split]}
        for split, counts in labels.items()
      ],
    }
    for name in ordered
  ]
  shares = (count / totals[s] for s, counts in labels.items() for count in counts.values())
  most = max(shares, default=0.0)
  shown = rows[:_MOST_ROWS]
  return {"splits": list(labels), "rows": shown, "labels": len(rows), "most": most}


def _splits(data: ReportData) -> dict[str, int]:
  """Returns the number of examples by split, and the number of quarantined records."""
  splits = dict(data.statistics.examples)
  return {**splits, **{k: v for k, v in data.result.examples.items() if k not in splits}}


def _reasons(counts: Mapping[str, int]) -> list[tuple[str, int]]:
  """Returns the reasons for quarantine with their counts, the most common first."""
  return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REASONS]
