"""Draws inline SVG charts for the report. Colours are CSS classes, for light and dark themes.

Each function returns one `<svg>` as escaped markup. A table or a caption beside every chart gives
the same facts, and its `aria-label` says what the chart shows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dlpipe.words import number
from pipeline.report import svg

_LINE_WIDTH, _LINE_HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 14, 36
_MOST_DOTS = 12  # of a curve, with words


@dataclasses.dataclass(frozen=True)
class Series:
  """One line of a line chart.

  Attributes:
    name: the line's label.
    css_class: `train` or `val`.
    values: one value per position; None and NaN leave a gap.
  """

  name: str
  css_class: str
  values: Sequence[float | None]


def line_chart(
  title: str,
  series: Sequence[Series],
  *,
  breaks: Sequence[tuple[int, str]],
  chosen: int | None = None,
) -> Markup:
  """Draws lines over epochs.

  Args:
    title: quantity on the y axis, for the `aria-label`.
    series: the lines; at least one has a finite value.
    breaks: start of each phase: (position from 0, name); the first is not drawn as a line.
    chosen: position of the epoch whose weights are kept; None marks none.
  """
  count = max(len(each.values) for each in series)
  finite = [v for each in series for v in each.values if v is not None and math.isfinite(v)]
  ticks = svg.nice_ticks(min(finite), max(finite))
  low, high = ticks[0], ticks[-1]
  plot_width, plot_height = _LINE_WIDTH - _LEFT - _RIGHT, _LINE_HEIGHT - _TOP - _BOTTOM

  def x_of(position: float) -> float:
    return _LEFT + plot_width * (position / (count - 1) if count > 1 else 0.5)

  def y_of(value: float) -> float:
    return _TOP + plot_height * (high - value) / (high - low)

  parts = []
  for tick in ticks:
    y = y_of(tick)
    parts.append(svg.line(_LEFT, y, _LINE_WIDTH - _RIGHT, y, "grid"))
    parts.append(svg.text(_LEFT - 6, y + 4, number(round(tick, 10)), "end"))
  for position in _label_positions(count):
    parts.append(svg.text(x_of(position), _LINE_HEIGHT - _BOTTOM + 16, str(position + 1), "middle"))
  parts.append(svg.text(_LEFT + plot_width / 2, _LINE_HEIGHT - 4, "epoch", "middle"))
  for start, name in breaks:
    x = x_of(start - 0.5) if start else _LEFT
    if start:
      parts.append(svg.line(x, _TOP, x, _TOP + plot_height, "break"))
    parts.append(svg.text(x + 4, _TOP + 8, svg.shorten(name), "start", "phase"))
  if chosen is not None:
    x, anchor = x_of(chosen), "end" if chosen > count / 2 else "start"
    parts.append(svg.line(x, _TOP, x, _TOP + plot_height, "chosen"))
    beside = x - 4 if anchor == "end" else x + 4
    parts.append(svg.text(beside, _TOP + plot_height - 6, "chosen", anchor, "chosen"))
  for each in series:
    parts += _polyline(each, x_of, y_of, dots=count <= 30)
  said = "; ".join(f"{each.name} ends at {_last(each.values)}" for each in series)
  if chosen is not None:
    said += f". The weights of position {chosen + 1} were chosen"
  return svg.drawing(_LINE_WIDTH, _LINE_HEIGHT, f"{title} by epoch. {said}.", parts)


def reliability_diagram(bins: Sequence[Mapping[str, Any]]) -> Markup:
  """Draws accuracy by confidence as bars against the diagonal, and counts of predictions below."""
  width, height, histogram = 420, 300, 40
  plot_width, plot_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM - histogram - 10
  bottom, floor = _TOP + plot_height, height - _BOTTOM
  most = max(each["count"] for each in bins)
  parts = []
  for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
    y = bottom - plot_height * tick
    parts.append(svg.line(_LEFT, y, width - _RIGHT, y, "grid"))
    parts.append(svg.text(_LEFT - 6, y + 4, number(tick), "end"))
    parts.append(svg.text(_LEFT + plot_width * tick, floor + 16, number(tick), "middle"))
  for each in bins:
    x, bar = _LEFT + plot_width * each["low"], plot_width * (each["high"] - each["low"])
    about = (
      f"confidence {number(each['low'])} to {number(each['high'])}: "
      f"accuracy {number(each['accuracy'])}, {number(each['count'])} predictions"
    )
    tall, deep = plot_height * each["accuracy"], histogram * each["count"] / most
    parts.append(svg.bar(x + 1, bottom - tall, bar - 2, tall, "train", about))
    parts.append(svg.bar(x + 1, floor - deep, bar - 2, deep, "quiet", about))
  parts.append(svg.line(_LEFT, bottom, width - _RIGHT, _TOP, "ideal"))
  parts.append(svg.line(_LEFT, floor, width - _RIGHT, floor, "grid"))
  parts.append(svg.text(_LEFT + plot_width / 2, height - 4, "confidence", "middle"))
  parts.append(svg.text(_LEFT + 6, _TOP + 10, "accuracy", "start"))
  parts.append(svg.text(_LEFT + 6, floor - histogram + 8, "predictions", "start"))
  return svg.drawing(width, height, "Reliability diagram: accuracy by confidence.", parts)


def scatter(points: Sequence[Sequence[float]]) -> Markup:
  """Draws predicted numbers over true ones, `[[true, predicted], ...]`, with the diagonal."""
  width, height = 420, 320
  plot_width, plot_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
  numbers = [value for point in points for value in point]
  ticks = svg.nice_ticks(min(numbers), max(numbers))
  low, high = ticks[0], ticks[-1]

  def place(right: float, answered: float) -> tuple[float, float]:
    return (
      _LEFT + plot_width * (right - low) / (high - low),
      _TOP + plot_height * (high - answered) / (high - low),
    )

  parts = []
  for tick in ticks:
    x, y = place(tick, tick)
    parts.append(svg.line(_LEFT, y, width - _RIGHT, y, "grid"))
    parts.append(svg.text(_LEFT - 6, y + 4, number(round(tick, 10)), "end"))
    # The last one stands at the edge, where half of it would be cut off.
    anchor = "end" if tick == high else "middle"
    parts.append(svg.text(x, height - _BOTTOM + 16, number(round(tick, 10)), anchor))
  parts.append(svg.line(*place(low, low), *place(high, high), "ideal"))
  for right, answered in points:
    x, y = place(right, answered)
    parts.append(
      Markup('<circle class="train" cx="{}" cy="{}" r="2.5"><title>{}: {}</title></circle>').format(
        svg.n(x), svg.n(y), number(right), number(answered)
      )
    )
  parts.append(svg.text(_LEFT + plot_width / 2, height - 4, "what is right", "middle"))
  parts.append(svg.text(_LEFT + 6, _TOP + 10, "what was answered", "start"))
  return svg.drawing(width, height, f"Answers to {len(points)} examples by what is right.", parts)


def histogram(distribution: Mapping[str, Any]) -> Markup:
  """Draws how a measure is distributed in each split, as shares of the split.

  Args:
    distribution: `name`; `edges` of bins; `splits`, counts by split.
  """
  width, height = _LINE_WIDTH, 200
  plot_width, plot_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
  edges, bottom = distribution["edges"], height - _BOTTOM
  shares = {
    split: [count / sum(counts) for count in counts]
    for split, counts in distribution["splits"].items()
    if sum(counts)
  }
  most = max((share for each in shares.values() for share in each), default=1.0)
  parts = [svg.line(_LEFT, bottom, width - _RIGHT, bottom, "grid")]
  for place in range(0, len(edges), max(1, len(edges) // 4)):
    x = _LEFT + plot_width * place / (len(edges) - 1)
    anchor = "end" if place == len(edges) - 1 else "middle"
    parts.append(svg.text(x, bottom + 16, number(round(edges[place], 2)), anchor))
  for each, css in zip(shares.values(), ("train", "val", "third"), strict=False):
    points = []
    for place, share in enumerate(each):
      y = _TOP + plot_height * (1 - share / most)
      points += [(_LEFT + plot_width * (place + side) / len(each), y) for side in (0, 1)]
    parts.append(svg.path(points, css))
  parts.append(svg.text(_LEFT - 6, _TOP + 8, f"{100 * most:.0f}%", "end"))
  parts.append(svg.text(_LEFT - 6, bottom, "0", "end"))
  name, splits = distribution["name"], ", ".join(shares)
  return svg.drawing(width, height, f"{name}: shares of {splits} by bin.", parts)


@dataclasses.dataclass(frozen=True)
class Curve:
  """One curve of an `xy_chart`.

  Attributes:
    name: the curve's label.
    css_class: its colour, `train`, `val`, `third` or `fourth`.
    points: [[x, y, least score]], in order of x.
  """

  name: str
  css_class: str
  points: Sequence[Sequence[float]]


def xy_chart(
  title: str,
  curves: Sequence[Curve],
  *,
  x_name: str,
  y_name: str,
  at: str = "score at least",
  most: float = 1.0,
  has_diagonal: bool = False,
) -> Markup:
  """Draws curves over the x of shares, 0 to 1.

  Args:
    title: what the curves are, for the `aria-label`.
    curves: the curves.
    x_name: quantity on the x axis.
    y_name: quantity on the y axis.
    at: words before the third number of a point.
    most: the end of the y axis, which begins at 0.
    has_diagonal: whether to draw what guessing would give.
  """
  width, height = _LINE_WIDTH, 300
  plot_width, plot_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
  ticks = [tick for tick in svg.nice_ticks(0.0, most) if tick >= 0]
  high = ticks[-1]

  def place(x: float, y: float) -> tuple[float, float]:
    return _LEFT + plot_width * x, _TOP + plot_height * (high - y) / high

  parts = []
  for tick in ticks:
    _, y = place(0, tick)
    parts.append(svg.line(_LEFT, y, width - _RIGHT, y, "grid"))
    parts.append(svg.text(_LEFT - 6, y + 4, number(round(tick, 10)), "end"))
  for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
    anchor = "end" if tick == 1 else "middle"
    parts.append(svg.text(place(tick, 0)[0], height - _BOTTOM + 16, number(tick), anchor))
  if has_diagonal:
    parts.append(svg.line(*place(0, 0), *place(1, 1), "ideal"))
  for curve in curves:
    parts.append(svg.path([place(x, y) for x, y, _ in curve.points], curve.css_class))
    step = max(1, math.ceil(len(curve.points) / _MOST_DOTS))
    for x, y, score in curve.points[::step]:
      about = f"{curve.name}: {x_name} {number(x)}, {y_name} {number(y)}, {at} {number(score)}"
      parts.append(svg.dot(*place(x, y), 3, curve.css_class, about))
  parts.append(svg.text(_LEFT + plot_width / 2, height - 4, x_name, "middle"))
  parts.append(svg.text(_LEFT, _TOP - 4, y_name, "start"))
  return svg.drawing(width, height, f"{title}: {y_name} by {x_name}.", parts)


def bar(value: float, most: float, css_class: str) -> Markup:
  """Draws a bar of `value` out of `most`, for a table's cell whose text gives the number."""
  is_known = most > 0 and math.isfinite(value)
  share = min(max(value / most, 0.0), 1.0) if is_known else 0.0
  return Markup(
    '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
    '<rect class="track" width="100" height="10"/><rect class="{}" width="{}" height="10"/></svg>'
  ).format(css_class, svg.n(100 * share))


def _polyline(series: Series, x_of: Any, y_of: Any, *, dots: bool) -> list[Markup]:
  runs: list[list[str]] = [[]]
  parts = []
  for position, value in enumerate(series.values):
    if value is None or not math.isfinite(value):
      runs.append([])
      continue
    x, y = svg.n(x_of(position)), svg.n(y_of(value))
    runs[-1].append(f"{x},{y}")
    if dots:
      parts.append(
        Markup(
          '<circle class="{}" cx="{}" cy="{}" r="3"><title>epoch {}: {} {}</title></circle>'
        ).format(series.css_class, x, y, position + 1, series.name, number(value))
      )
  lines = [
    Markup('<polyline class="{}" points="{}"/>').format(series.css_class, " ".join(run))
    for run in runs
    if len(run) > 1
  ]
  return lines + parts


def _label_positions(count: int) -> list[int]:
  step = max(1, math.ceil(count / 8))
  return list(range(0, count, step))


def _last(values: Sequence[float | None]) -> str:
  finite = [v for v in values if v is not None and math.isfinite(v)]
  return number(finite[-1]) if finite else "nothing"
