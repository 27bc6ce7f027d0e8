"""Renders a template of this folder as one self-contained HTML file."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import jinja2

from dlpipe import words


def write(template: str, path: pathlib.Path, **values: Any) -> None:
  """Writes a page, whole or not at all.

  Args:
    template: the name of a template in this folder.
    path: the `.html` file; its folder is created.
    **values: what the template shows, and `title`.
  """
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters.update(
    number=_number, percent=_percent, minute=_minute, duration=words.duration
  )
  html = environment.get_template(template).render(**values)
  path.parent.mkdir(parents=True, exist_ok=True)
  partial = path.with_name(f".{path.name}.{os.getpid()}.part")
  try:
    partial.write_text(html, encoding="utf-8", errors="replace")
    partial.replace(path)
  finally:
    partial.unlink(missing_ok=True)


def _number(value: Any) -> str:
  if value is None:
    return "-"
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    return str(value)
  return words.number(value)


def _percent(value: float | None) -> str:
  return "-" if value is None else f"{100 * value:.3g} %"


def _minute(moment: str) -> str:
  return f"{moment[:16].replace('T', ' ')}Z"
