"""`dlpipe check`: reads and validates the data, says what is odd about it, and stops there."""

from __future__ import annotations

import shutil
from typing import Any

import click

from pipeline.cli.inputs import Inputs, prepare, run_options
from pipeline.cli.run import Afterword, execute

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
  # Asked before the run sends stdout to its log.
  width = max(40, min(shutil.get_terminal_size((_WIDTH, 0)).columns, _WIDTH))
  execute(
    inputs,
    as_json=as_json,
    train_and_push=False,
    afterwards=lambda run_id: examine(inputs, run_id, width=width),
  )


def examine(inputs: Inputs, run_id: str, *, width: int = _WIDTH) -> Afterword:
  """Checks the data that a run has read; nothing is added where it did not come so far."""
  from pipeline.checks.render import lines
  from pipeline.checks.report import check_data
  from pipeline.runners.data_artifacts import data_artifacts

  found = data_artifacts(inputs.config, run_id)
  if found is None:
    return Afterword()
  result = check_data(
    inputs.task,
    examples=found.examples,
    quarantine=found.quarantine,
    data_path=inputs.config.data_path,
    kept=inputs.config.root / "checks",
  )
  return Afterword(lines=lines(result, width=width), fields={"check": result})
