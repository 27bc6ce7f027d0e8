"""`dlpipe check` reads and validates the data, reports findings about it, and stops there."""

from __future__ import annotations

import shutil
from typing import Any

import click

from pipeline.api.carrying_out import examine
from pipeline.api.inputs import prepare
from pipeline.cli.commands.run import Afterword, execute
from pipeline.cli.options import run_options

_WIDTH = 100


@click.command(short_help="Read and validate the data; train nothing.")
@run_options
def check(as_json: bool, **options: Any) -> None:
  """Read TASK's data and hold it against the reviewed schema and the data gate.

  Then say how it is balanced and how long its inputs are, and what is repeated, nearly repeated,
  labelled in two ways, or in two splits at once. Such findings are warnings: they do not change
  the exit code. A later `dlpipe run` with the same data takes all it can from the cache.
  """
  inputs = prepare(**options)
  # Measured before the run redirects stdout to its log.
  width = max(40, min(shutil.get_terminal_size((_WIDTH, 0)).columns, _WIDTH))
  found: dict[str, Any] = {}

  def look(run_id: str) -> dict[str, Any] | None:
    found.update(examine(inputs, run_id) or {})
    return found or None

  execute(
    inputs,
    as_json=as_json,
    train_and_push=False,
    examine=look,
    afterwards=lambda _: Afterword(lines=_lines(found, width)),
  )


def _lines(found: dict[str, Any], width: int) -> list[str]:
  from pipeline.checks.render import lines

  return lines(found, width=width) if found else []
