"""Renders the pages of this folder as self-contained HTML files."""

from __future__ import annotations

import pathlib
from typing import Any

import jinja2

from dlpipe.words import minute
from pipeline.report.render import environment, write_page


def write(template: str, path: pathlib.Path, **values: Any) -> None:
  """Writes a page, whole or not at all.

  Args:
    template: the name of a template in this folder.
    path: the `.html` file; its folder is created.
    **values: what the template shows, and `title`.
  """
  pages = environment()
  assert pages.loader is not None
  own = jinja2.FileSystemLoader(pathlib.Path(__file__).parent)
  pages.loader = jinja2.ChoiceLoader([own, pages.loader])  # beside the report's own
  pages.filters.update(share=_share, minute=minute)
  write_page(pages.get_template(template).render(**values), path)


def _share(value: float | None) -> str:
  """Formats a small share with three digits, such as `2.17 %`."""
  return "-" if value is None else f"{100 * value:.3g} %"
