"""Renders what `dlpipe check` found as one self-contained HTML file: the data, looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import charts
from pipeline.report.render import environment
from pipeline.report.sections.data import label_rows
from pipeline.rows import previews
from pipeline.sources import origins

_SIDE, _MOST_BYTES = 192, 12_000  # of a preview: pixels of the longer side, and its size
_MOST_SHOWN = 3_500_000  # characters of pictures; later ones are named only
_MOST_ROWS = 200
_COLOURS = ("train", "val", "third")
_UNITS = {"brightness": "mean grey, 0 to 255", "contrast": "grey levels, 0 to 255"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataPage:
  """The data of a check.

  Attributes:
    task: the task's name.
    data_path: the input.
    recognized: sentences on what the input was taken for.
    check: the result of `check_data`, with `look`.
    is_text: whether inputs are texts.
  """

  task: str
  data_path: str
  recognized: Sequence[str]
  check: Mapping[str, Any]
  is_text: bool


def render_data(data: DataPage) -> str:
  """Returns the page as one HTML document that loads no other file and runs no script."""
  show = _Previews(data.data_path, is_text=data.is_text)
  check, look = data.check, data.check["look"]
  labels = check["labels"] or {}
  constant = {
    name: each["min"] for name, each in check["lengths"].items() if each["min"] == each["max"]
  }
  findings = [
    {**each, "examples": [[show(row) for row in rows] for rows in each["examples"]]}
    for each in check["findings"]
  ]
  return (
    environment()
    .get_template("data_page.html.j2")
    .render(
      data=data,
      check=check,
      total=sum(check["examples"].values()),
      label_rows=label_rows(labels) if labels else None,
      findings=findings,
      warnings=sum(each["level"] == "warning" for each in findings),
      odd=[{**each, "rows": [show(row) for row in each["rows"]]} for each in look["odd"]],
      repeated=[show(row) for row in look["repeated"]],
      samples=[
        {"label": label, "rows": [show(row) for row in rows]}
        for label, rows in look["samples"].items()
      ],
      distributions=[
        {"name": each["name"], "unit": _UNITS.get(each["name"], ""), "svg": charts.histogram(each)}
        for each in look["distributions"]
        if each["name"] not in constant and any(map(any, each["splits"].values()))
      ],
      constant=constant,
      colours=dict(zip(check["examples"], _COLOURS, strict=False)),
      suspects=(check.get("suspects") or {}).get("likely", ())[:_MOST_ROWS],
    )
  )


class _Previews:
  """Adds to an example its picture, while there is room, and the address of its file."""

  def __init__(self, data_path: str, *, is_text: bool):
    self._data_path = data_path
    self._is_text = is_text
    self._room = _MOST_SHOWN
    self._known: dict[str, str | None] = {}

  def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
    file = origins.on_disk(self._data_path, row["file"]) if "file" in row else None
    link = previews.file_uri(file) if file else None
    if self._is_text or not file:
      return {**row, "link": link, "data_uri": None}
    if file not in self._known:
      uri = previews.of_file(file, side=_SIDE, most=_MOST_BYTES) if self._room > 0 else None
      self._known[file] = uri if uri and len(uri) <= self._room else None
    uri = self._known[file]
    self._room -= len(uri or "")
    return {**row, "link": link, "data_uri": uri}
