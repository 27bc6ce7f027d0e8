"""Parts of inline SVG as escaped markup. Colours are CSS classes, for light and dark themes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from pipeline.report.formats import visible

_LABEL_CHARACTERS = 16


def drawing(
  width: float,
  height: float,
  about: str,
  parts: Sequence[Markup],
  *,
  natural_size: bool = False,
  has_links: bool = False,
) -> Markup:
  """Returns an `<svg>`.

  Args:
    width: in pixels, as `height`.
    height: in pixels.
    about: what it shows, for the `aria-label`.
    parts: what it holds.
    natural_size: whether it keeps its size where there is less room.
    has_links: whether parts are links; those of an image cannot be reached by keyboard.
  """
  size = Markup(' width="{}" height="{}"').format(n(width), n(height)) if natural_size else ""
  return Markup('<svg role="{}" aria-label="{}" viewBox="0 0 {} {}"{}>{}</svg>').format(
    "group" if has_links else "img", about, n(width), n(height), size, Markup("").join(parts)
  )


def text(x: float, y: float, words: str, anchor: str, css: str = "", full: str = "") -> Markup:
  """Returns a text at a point; `full` is shown for a pointer that rests on it."""
  title = Markup("<title>{}</title>").format(full) if full else ""
  return Markup('<text class="axis {}" x="{}" y="{}" text-anchor="{}">{}{}</text>').format(
    css, n(x), n(y), anchor, words, title
  )


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
  """Draws a straight line."""
  return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
    css, n(x1), n(y1), n(x2), n(y2)
  )


def bar(x: float, y: float, width: float, height: float, css: str, about: str) -> Markup:
  """Returns a bar at least half a pixel high, with words for a pointer that rests on it."""
  return Markup(
    '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
  ).format(css, n(x), n(y), n(max(width, 0.5)), n(height), about)


def dot(x: float, y: float, radius: float, css: str, about: str) -> Markup:
  """Returns a dot, with words for a pointer that rests on it."""
  return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
    css, n(x), n(y), n(radius), about
  )


def path(points: Sequence[tuple[float, float]], css: str) -> Markup:
  """Returns a line through points."""
  return Markup('<polyline class="{}" points="{}"/>').format(
    css, " ".join(f"{n(x)},{n(y)}" for x, y in points)
  )


def nice_ticks(low: float, high: float) -> list[float]:
  """Returns round numbers that enclose both ends; always at least two.

  >>> nice_ticks(3, 97)
  [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
  """
  if high - low <= 1e-12 * max(abs(low), abs(high), 1.0):
    low, high = low - (abs(low) or 1.0) * 0.1, high + (abs(high) or 1.0) * 0.1
  rough = (high - low) / 5
  power = 10.0 ** math.floor(math.log10(rough))
  step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
  first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
  return [index * step for index in range(first, last + 1)]


def shorten(label: str) -> str:
  """Shortens a long label in the middle, because names often differ only at the end."""
  label = visible(label)
  return label if len(label) <= _LABEL_CHARACTERS else f"{label[:8]}…{label[-7:]}"


def n(value: float) -> str:
  """Formats a coordinate."""
  return f"{value:.1f}".removesuffix(".0")
