"""Draws a metric over the runs of a task as inline SVG."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from markupsafe import Markup

from dlpipe.words import number
from pipeline.report import svg

_WIDTH, _HEIGHT = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 14, 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
  """The metric of one run.

  Attributes:
    name: what is said of the run where somebody points at it.
    value: the metric.
    interval: its 95 % interval; None if unknown.
    passed: whether the run's model was let through.
    is_live: whether it is served now.
  """

  name: str
  value: float
  interval: tuple[float, float] | None = None
  passed: bool = True
  is_live: bool = False


def trend_chart(metric: str, points: Sequence[Point], *, bound: float | None) -> Markup:
  """Draws the metric by run, the oldest first: filled if let through, hollow if refused.

  Args:
    metric: its name, for the `aria-label`.
    points: at least one; each value is finite.
    bound: the bound that holds in the latest run, if it is a number.
  """
  ends = [end for each in points for end in each.interval or () if math.isfinite(end)]
  values = [each.value for each in points] + ends + ([bound] if bound is not None else [])
  ticks = svg.nice_ticks(min(values), max(values))
  low, high = ticks[0], ticks[-1]
  plot_width, plot_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

  def x_of(place: int) -> float:
    inner = plot_width - 16
    return _LEFT + 8 + inner * (place / (len(points) - 1) if len(points) > 1 else 0.5)

  def y_of(value: float) -> float:
    return _TOP + plot_height * (high - value) / (high - low)

  parts = []
  for tick in ticks:
    parts.append(svg.line(_LEFT, y_of(tick), _WIDTH - _RIGHT, y_of(tick), "grid"))
    parts.append(svg.text(_LEFT - 6, y_of(tick) + 4, number(round(tick, 10)), "end"))
  if bound is not None:
    parts.append(svg.line(_LEFT, y_of(bound), _WIDTH - _RIGHT, y_of(bound), "bound"))
  for place, point in enumerate(points):
    if point.interval is not None and all(map(math.isfinite, point.interval)):
      x = x_of(place)
      parts.append(svg.line(x, y_of(point.interval[0]), x, y_of(point.interval[1]), "interval"))
  if len(points) > 1:
    places = [(x_of(place), y_of(point.value)) for place, point in enumerate(points)]
    parts.append(svg.path(places, "trend"))
  radius = 4 if len(points) <= 60 else 2.5
  for place, point in enumerate(points):
    kind = "live" if point.is_live else "passed" if point.passed else "refused"
    parts.append(svg.dot(x_of(place), y_of(point.value), radius, kind, point.name))
  what = f"{len(points)} runs" if len(points) > 1 else "one run"
  below = f"{what}, the latest right" if len(points) > 1 else what
  parts.append(svg.text(_LEFT + plot_width / 2, _HEIGHT - 8, below, "middle"))
  said = f"{metric} of {what}; the latest is {number(points[-1].value)}."
  return svg.drawing(_WIDTH, _HEIGHT, said, parts)
