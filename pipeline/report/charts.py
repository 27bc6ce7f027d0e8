"""Draws inline SVG charts for the report. Colours are CSS classes, for light and dark themes.

Each function returns one `<svg>` as escaped markup. A table or a caption beside every chart gives
the same facts, and its `aria-label` says what the chart shows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from dlpipe.words import number

_LINE_WIDTH, _LINE_HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 14, 36
_MOST_NUMBERED_CLASSES = 12
_MOST_ROOMY_CLASSES = 30
_LABEL_CHARACTERS = 16


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
  title: str, series: Sequence[Series], *, breaks: Sequence[tuple[int, str]]
) -> Markup:
  """Draws lines over epochs.

  Args:
    title: quantity on the y axis, for the `aria-label`.
    series: the lines; at least one has a finite value.
    breaks: start of each phase: (position from 0, name); the first is not drawn as a line.
  """
  count = max(len(each.values) for each in series)
  finite = [v for each in series for v in each.values if v is not None and math.isfinite(v)]
  ticks = nice_ticks(min(finite), max(finite))
  low, high = ticks[0], ticks[-1]
  plot_width, plot_height = _LINE_WIDTH - _LEFT - _RIGHT, _LINE_HEIGHT - _TOP - _BOTTOM

  def x_of(position: float) -> float:
    return _LEFT + plot_width * (position / (count - 1) if count > 1 else 0.5)

  def y_of(value: float) -> float:
    return _TOP + plot_height * (high - value) / (high - low)

  parts = []
  for tick in ticks:
    y = y_of(tick)
    parts.append(_line(_LEFT, y, _LINE_WIDTH - _RIGHT, y, "grid"))
    parts.append(_text(_LEFT - 6, y + 4, number(round(tick, 10)), "end"))
  for position in _label_positions(count):
    parts.append(_text(x_of(position), _LINE_HEIGHT - _BOTTOM + 16, str(position + 1), "middle"))
  parts.append(_text(_LEFT + plot_width / 2, _LINE_HEIGHT - 4, "epoch", "middle"))
  for start, name in breaks:
    x = x_of(start - 0.5) if start else _LEFT
    if start:
      parts.append(_line(x, _TOP, x, _TOP + plot_height, "break"))
    parts.append(_text(x + 4, _TOP + 8, _shorten(name), "start", "phase"))
  for each in series:
    parts += _polyline(each, x_of, y_of, dots=count <= 30)
  said = "; ".join(f"{each.name} ends at {_last(each.values)}" for each in series)
  return _svg(_LINE_WIDTH, _LINE_HEIGHT, f"{title} by epoch. {said}.", parts)


def confusion_matrix(
  labels: Sequence[str],
  matrix: Sequence[Sequence[float]],
  links: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> Markup:
  """Draws a heat map: rows are true labels, columns predictions, shades the shares of the row.

  Args:
    labels: names of rows and columns.
    matrix: a count for each true label and prediction.
    links: (true label, prediction) to the address that its cell links to.
  """
  count = len(labels)
  numbered = count <= _MOST_NUMBERED_CLASSES
  cell = 36 if numbered else 20 if count <= _MOST_ROOMY_CLASSES else 12
  css = "" if cell > 12 else "dense"
  margin = 12 + min(max((len(label) for label in labels), default=0), _LABEL_CHARACTERS) * 6.6
  left, top = margin + 18, margin + 18
  parts = [
    _text(left, 12, "predicted →", "start"),
    _text(4, top - 8, "true ↓", "start"),
  ]
  for index, label in enumerate(labels):
    middle = cell * index + cell / 2 + 4
    parts.append(_text(left - 6, top + middle, _shorten(label), "end", css, label))
    parts.append(
      Markup(
        '<text class="axis {}" transform="translate({} {}) rotate(-90)">{}<title>{}</title></text>'
      ).format(css, _n(left + middle), _n(top - 6), _shorten(label), label)
    )
  for row, values in enumerate(matrix):
    total = sum(values)
    for column, value in enumerate(values):
      if value:
        share = value / total
        link = links.get((labels[row], labels[column]))
        if link:
          parts.append(Markup('<a href="{}">').format(link))
        parts.append(
          Markup(
            '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2f}">'
            "<title>{} taken for {}: {} of {}</title></rect>"
          ).format(
            "hit" if row == column else "miss",
            _n(left + column * cell),
            _n(top + row * cell),
            cell - 1,
            cell - 1,
            0.12 + 0.88 * share,
            labels[row],
            labels[column],
            number(value),
            number(total),
          )
        )
        if numbered:
          x, y = left + column * cell + (cell - 1) / 2, top + row * cell + cell / 2 + 4
          parts.append(_text(x, y, _compact(value), "middle", "on" if share > 0.5 else "in"))
        if link:
          parts.append(Markup("</a>"))
  size = cell * count
  parts.append(
    Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
      _n(left - 1), _n(top - 1), _n(size + 1), _n(size + 1)
    )
  )
  about = f"Confusion matrix of {count} labels: a row a true label, a column a predicted label."
  return _svg(left + size + 8, top + size + 8, about, parts, natural_size=True)


def reliability_diagram(bins: Sequence[Mapping[str, Any]]) -> Markup:
  """Draws accuracy by confidence as bars against the diagonal, and counts of predictions below."""
  width, height, histogram = 420, 300, 40
  plot_width, plot_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM - histogram - 10
  bottom, floor = _TOP + plot_height, height - _BOTTOM
  most = max(each["count"] for each in bins)
  parts = []
  for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
    y = bottom - plot_height * tick
    parts.append(_line(_LEFT, y, width - _RIGHT, y, "grid"))
    parts.append(_text(_LEFT - 6, y + 4, number(tick), "end"))
    parts.append(_text(_LEFT + plot_width * tick, floor + 16, number(tick), "middle"))
  for each in bins:
    x, bar = _LEFT + plot_width * each["low"], plot_width * (each["high"] - each["low"])
    about = (
      f"confidence {number(each['low'])} to {number(each['high'])}: "
      f"accuracy {number(each['accuracy'])}, {number(each['count'])} predictions"
    )
    tall, deep = plot_height * each["accuracy"], histogram * each["count"] / most
    parts.append(_bar(x + 1, bottom - tall, bar - 2, tall, "train", about))
    parts.append(_bar(x + 1, floor - deep, bar - 2, deep, "quiet", about))
  parts.append(_line(_LEFT, bottom, width - _RIGHT, _TOP, "ideal"))
  parts.append(_line(_LEFT, floor, width - _RIGHT, floor, "grid"))
  parts.append(_text(_LEFT + plot_width / 2, height - 4, "confidence", "middle"))
  parts.append(_text(_LEFT + 6, _TOP + 10, "accuracy", "start"))
  parts.append(_text(_LEFT + 6, floor - histogram + 8, "predictions", "start"))
  return _svg(width, height, "Reliability diagram: accuracy by confidence.", parts)


def scatter(points: Sequence[Sequence[float]]) -> Markup:
  """Draws predicted numbers over true ones, `[[true, predicted], ...]`, with the diagonal."""
  width, height = 420, 320
  plot_width, plot_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
  numbers = [value for point in points for value in point]
  ticks = nice_ticks(min(numbers), max(numbers))
  low, high = ticks[0], ticks[-1]

  def place(right: float, answered: float) -> tuple[float, float]:
    return (
      _LEFT + plot_width * (right - low) / (high - low),
      _TOP + plot_height * (high - answered) / (high - low),
    )

  parts = []
  for tick in ticks:
    x, y = place(tick, tick)
    parts.append(_line(_LEFT, y, width - _RIGHT, y, "grid"))
    parts.append(_text(_LEFT - 6, y + 4, number(round(tick, 10)), "end"))
    # The last one stands at the edge, where half of it would be cut off.
    anchor = "end" if tick == high else "middle"
    parts.append(_text(x, height - _BOTTOM + 16, number(round(tick, 10)), anchor))
  parts.append(_line(*place(low, low), *place(high, high), "ideal"))
  for right, answered in points:
    x, y = place(right, answered)
    parts.append(
      Markup('<circle class="train" cx="{}" cy="{}" r="2.5"><title>{}: {}</title></circle>').format(
        _n(x), _n(y), number(right), number(answered)
      )
    )
  parts.append(_text(_LEFT + plot_width / 2, height - 4, "what is right", "middle"))
  parts.append(_text(_LEFT + 6, _TOP + 10, "what was answered", "start"))
  return _svg(width, height, f"Answers to {len(points)} examples by what is right.", parts)


def bar(value: float, most: float, css_class: str) -> Markup:
  """Draws a bar of `value` out of `most`, for a table's cell whose text gives the number."""
  share = min(max(value / most, 0.0), 1.0) if most > 0 else 0.0
  return Markup(
    '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
    '<rect class="track" width="100" height="10"/><rect class="{}" width="{}" height="10"/></svg>'
  ).format(css_class, _n(100 * share))


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
  """Returns round numbers that enclose both ends; always at least two.

  >>> nice_ticks(3, 97)
  [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
  """
  if high - low <= 1e-12 * max(abs(low), abs(high), 1.0):
    low, high = low - (abs(low) or 1.0) * 0.1, high + (abs(high) or 1.0) * 0.1
  rough = (high - low) / about
  power = 10.0 ** math.floor(math.log10(rough))
  step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
  first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
  return [index * step for index in range(first, last + 1)]


def _polyline(series: Series, x_of: Any, y_of: Any, *, dots: bool) -> list[Markup]:
  runs: list[list[str]] = [[]]
  parts = []
  for position, value in enumerate(series.values):
    if value is None or not math.isfinite(value):
      runs.append([])
      continue
    x, y = _n(x_of(position)), _n(y_of(value))
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


def _svg(
  width: float, height: float, about: str, parts: Sequence[Markup], *, natural_size: bool = False
) -> Markup:
  size = Markup(' width="{}" height="{}"').format(_n(width), _n(height)) if natural_size else ""
  return Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}"{}>{}</svg>').format(
    about, _n(width), _n(height), size, Markup("").join(parts)
  )


def _text(x: float, y: float, text: str, anchor: str, css: str = "", full: str = "") -> Markup:
  title = Markup("<title>{}</title>").format(full) if full else ""
  return Markup('<text class="axis {}" x="{}" y="{}" text-anchor="{}">{}{}</text>').format(
    css, _n(x), _n(y), anchor, text, title
  )


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
  return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
    css, _n(x1), _n(y1), _n(x2), _n(y2)
  )


def _bar(x: float, y: float, width: float, height: float, css: str, about: str) -> Markup:
  return Markup(
    '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
  ).format(css, _n(x), _n(y), _n(max(width, 0.5)), _n(height), about)


def _label_positions(count: int) -> list[int]:
  step = max(1, math.ceil(count / 8))
  return list(range(0, count, step))


def _last(values: Sequence[float | None]) -> str:
  finite = [v for v in values if v is not None and math.isfinite(v)]
  return number(finite[-1]) if finite else "nothing"


def _compact(value: float) -> str:
  return f"{value / 1000:.1f}k" if value >= 10000 else number(round(value, 2))


def _shorten(label: str) -> str:
  """Shortens a long label in the middle, because names often differ only at the end."""
  return label if len(label) <= _LABEL_CHARACTERS else f"{label[:8]}…{label[-7:]}"


def _n(value: float) -> str:
  return f"{value:.1f}".removesuffix(".0")
