"""`dlpipe check`: reads and validates the data, and stops there."""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.inputs import prepare, run_options
from pipeline.cli.run import execute


@click.command(short_help="Read and validate the data; train nothing.")
@run_options
def check(as_json: bool, **options: Any) -> None:
  """Read TASK's data and hold it against the reviewed schema and the data gate.

  A later `dlpipe run` with the same data takes all of this from the cache.
  """
  execute(prepare(**options), as_json=as_json, train_and_push=False)
