"""What has changed in the data since the served version was trained: distributions and examples."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pipeline.report import svg
from pipeline.rows import previews
from pipeline.runs.report_data import ReportData

if TYPE_CHECKING:  # with frameworks, which the page does not need
  from pipeline.drift.comparing import Change
  from pipeline.drift.verdict import Example

_WIDTH, _HEIGHT = 420, 150
_LEFT, _TOP, _BOTTOM = 40, 10, 26
_MOST_NAMES = 12


def drift(data: ReportData) -> dict[str, Any] | None:
  """Returns each change with its chart or its names, and the rows of what is new."""
  found = data.drift
  if found is None or not (found.changes or found.notes):
    return None
  return {
    "version": found.version,
    "span": found.span,
    "changed": shown(found.drifted),
    "quiet": [change for change in found.changes if not change.drifted],
    "examples": rows_of(found.examples),
    "notes": found.notes,
    "late": [
      {"span": each.span, "changed": shown(each.drifted), "examples": rows_of(each.examples)}
      for each in found.late
      if each.drifted
    ],
  }


def shown(changes: Sequence[Change]) -> list[dict[str, Any]]:
  """Returns changes with a histogram if their bins have an order, else with their names."""
  return [
    {
      "change": change,
      "svg": _histogram(change) if change.is_ordered else None,
      "names": change.bars[:_MOST_NAMES],
      "most": max((max(bar.before, bar.now) for bar in change.bars), default=0),
    }
    for change in changes
  ]


def rows_of(examples: Sequence[Example]) -> list[Mapping[str, Any]]:
  """Returns rows of what is new, with their pictures."""
  return [
    {
      "origin": each.origin,
      "why": each.why,
      "text": each.text,
      "data_uri": previews.uri(base64.b64decode(each.picture)),
    }
    for each in examples
  ]


def _histogram(change: Change) -> Markup:
  """Draws both distributions side by side, bin by bin."""
  bars = change.bars
  most = max(max(bar.before, bar.now) for bar in bars)
  room = (_WIDTH - _LEFT) / len(bars)
  height = _HEIGHT - _TOP - _BOTTOM
  floor = _HEIGHT - _BOTTOM
  parts = [
    svg.text(_LEFT - 6, _TOP + 8, f"{100 * most:.0f} %", "end"),
    svg.line(_LEFT, floor, _WIDTH, floor, "grid"),
  ]
  for number, bar in enumerate(bars):
    about = f"{bar.name}: {100 * bar.before:.1f} % before, {100 * bar.now:.1f} % now"
    for place, (share, css) in enumerate(((bar.before, "train"), (bar.now, "val"))):
      tall = height * share / most
      x = _LEFT + room * (number + 0.08 + 0.42 * place)
      parts.append(svg.bar(x, floor - tall, room * 0.42, tall, css, about))
  last = len(bars) - 1
  for number in sorted({0, last // 2, last}):
    anchor = "start" if number == 0 else "end" if number == last else "middle"
    x = _LEFT + room * (number + (0 if number == 0 else 1 if number == last else 0.5))
    parts.append(svg.text(x, _HEIGHT - 8, svg.shorten(bars[number].name), anchor))
  return svg.drawing(_WIDTH, _HEIGHT, f"Distributions before and now. {change.sentence}", parts)
