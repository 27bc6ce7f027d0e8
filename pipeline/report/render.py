"""Renders `ReportData` as one self-contained HTML file. Runners call it when a run ends."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from dlpipe import words
from dlpipe.disk.whole_files import write_whole
from dlpipe.verdicts import Ruling
from pipeline.report import charts, formats
from pipeline.report.sections import SECTIONS
from pipeline.runs import result as results
from pipeline.runs import summary
from pipeline.runs.report_data import ReportData

if TYPE_CHECKING:  # it imports TFX
  from components.data_gate import Check

_TEMPLATES = pathlib.Path(__file__).parent / "templates"


def write_report(data: ReportData, path: str | os.PathLike[str]) -> None:
  """Writes the report atomically.

  Args:
    data: the facts to show.
    path: the `.html` file; its folder is created.
  """
  write_page(render(data), path)


def write_page(html: str, path: str | os.PathLike[str]) -> None:
  """Writes a page atomically; its folder is created. What cannot be seen is named: `visible`."""
  write_whole(path, formats.visible(html).encode("utf-8", "replace"))


def render(data: ReportData) -> str:
  """Returns the report as one HTML document that loads no other file and runs no script."""
  pages = environment()
  shown = []
  for section in SECTIONS:
    values = section.values(data)
    if values is not None:
      template = pages.get_template(f"sections/{section.name}.html.j2")
      body = template.render(**values, data=data, result=data.result)
      shown.append({"name": section.name, "title": section.title, "body": Markup(body)})
  result = data.result
  return pages.get_template("page.html.j2").render(
    data=data,
    result=result,
    sections=shown,
    shown_error=None if summary.gates_say_it(result) else result.error,
    good=summary.is_good(result),
    warned=result.exit_code == 0 and not summary.is_good(result),
    headline=headline(data),
    next_step=summary.next_step(result),
    total_seconds=sum(each.seconds for each in result.components),
  )


def environment() -> jinja2.Environment:
  """Returns what renders the templates of this room."""
  pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  pages.filters.update(
    number=formats.number,
    signed=formats.signed,
    cell=formats.cell,
    duration=words.duration,
    memory=words.memory,
    percent=formats.percent,
  )
  pages.globals["bar"] = charts.bar
  return pages


def headline(data: ReportData) -> str:
  """Returns the result in one line: the pushed version, the bound that was missed, or a failure."""
  result = data.result
  if result.state == results.REFUSED_MODEL:
    broken = [gate for gate in result.gates if not gate.passed]
    return f"Refused: {_broken_bounds(broken)}" if broken else "Refused the model"
  if result.state == results.REFUSED_DATA:
    checks = [_check_as_ruling(check) for check in data.data_checks if not check.passed]
    gates = checks or [ruling for ruling in result.gates if not ruling.passed]
    return f"Refused the data: {_broken_bounds(gates)}" if gates else "Refused the data"
  return summary.verdict(result)


def _check_as_ruling(check: Check) -> Ruling:
  return Ruling(metric=check.name, bound=check.bound, value=check.value, passed=check.passed)


def _broken_bounds(gates: Sequence[Ruling]) -> str:
  first = summary.gate_sentence(dataclasses.replace(gates[0], reason="", interval=None))
  more = len(gates) - 1
  return first + (f", and {more} more" if more else "")
