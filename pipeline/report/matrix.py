"""Draws a confusion matrix whose cells link to their examples."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from markupsafe import Markup

from dlpipe.words import number
from pipeline.report import svg

_MOST_NUMBERED_CLASSES = 12
_MOST_ROOMY_CLASSES = 30
_LABEL_CHARACTERS = 16
_MOST_TITLED = 1_000  # cells that say what they are, the fullest; others are only coloured
_SHADES = 10


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
  cell = 36 if count <= _MOST_NUMBERED_CLASSES else 20 if count <= _MOST_ROOMY_CLASSES else 12
  css = "" if cell > 12 else "dense"
  margin = 12 + min(max((len(label) for label in labels), default=0), _LABEL_CHARACTERS) * 6.6
  left, top = margin + 18, margin + 18
  parts = [
    svg.text(left, 12, "predicted →", "start"),
    svg.text(4, top - 8, "true ↓", "start"),
  ]
  for index, label in enumerate(labels):
    middle = cell * index + cell / 2 + 4
    parts.append(svg.text(left - 6, top + middle, svg.shorten(label), "end", css, label))
    parts.append(
      Markup(
        '<text class="axis {}" transform="translate({} {}) rotate(-90)">{}<title>{}</title></text>'
      ).format(css, svg.n(left + middle), svg.n(top - 6), svg.shorten(label), label)
    )
  filled = [
    (value, row, column)
    for row, values in enumerate(matrix)
    for column, value in enumerate(values)
    if value
  ]
  fullest = sorted(filled, reverse=True)
  quiet: dict[tuple[str, int], list[str]] = collections.defaultdict(list)
  for value, row, column in fullest[_MOST_TITLED:]:
    shade = round(_SHADES * value / sum(matrix[row]))
    at = f"{svg.n(left + column * cell)} {svg.n(top + row * cell)}"
    quiet[_css(row, column), shade].append(f"M{at}h{cell - 1}v{cell - 1}h{1 - cell}z")
  for (kind, shade), squares in quiet.items():
    parts.append(
      Markup('<path class="{}" fill-opacity="{:.2f}" d="{}"/>').format(
        kind, _opacity(shade / _SHADES), "".join(squares)
      )
    )
  for value, row, column in sorted(fullest[:_MOST_TITLED], key=lambda each: each[1:]):
    total, pair = sum(matrix[row]), (labels[row], labels[column])
    x, y = left + column * cell, top + row * cell
    about = f"{pair[0]} taken for {pair[1]}: {number(value)} of {number(total)}"
    drawn = Markup(
      '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2f}">'
      "<title>{}</title></rect>"
    ).format(
      _css(row, column), svg.n(x), svg.n(y), cell - 1, cell - 1, _opacity(value / total), about
    )
    if count <= _MOST_NUMBERED_CLASSES:
      shade_css = "on" if value / total > 0.5 else "in"
      middle = x + (cell - 1) / 2
      drawn += svg.text(middle, y + cell / 2 + 4, _compact(value), "middle", shade_css)
    if pair in links:
      linked = Markup('<a href="{}" aria-label="{}, with examples">{}</a>')
      drawn = linked.format(links[pair], about, drawn)
    parts.append(drawn)
  size = cell * count
  parts.append(
    Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
      svg.n(left - 1), svg.n(top - 1), svg.n(size + 1), svg.n(size + 1)
    )
  )
  about = f"Confusion matrix of {count} labels: a row a true label, a column a predicted label."
  return svg.drawing(
    left + size + 8, top + size + 8, about, parts, natural_size=True, has_links=bool(links)
  )


def _css(row: int, column: int) -> str:
  return "hit" if row == column else "miss"


def _opacity(share: float) -> float:
  return 0.12 + 0.88 * share


def _compact(value: float) -> str:
  return f"{value / 1000:.1f}k" if value >= 10000 else number(round(value, 2))
