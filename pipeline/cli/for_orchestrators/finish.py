"""`dlpipe finish` ends a run of a compiled pipeline: its report, its record, its exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import click

from pipeline.cli.for_orchestrators.options import compiled_run_options, parameter_option, parsed
from pipeline.cli.json_output import echo_json
from pipeline.execution.output import quieten_imports

_WIDTH = 100


@click.command(short_help="End a run of a compiled pipeline: report and record.")
@compiled_run_options
@parameter_option
def finish(
  ir_file: str, run_id: str, mlmd: str | None, parameters: Sequence[str], as_json: bool
) -> None:
  """Write what `dlpipe run` leaves: report, settings, quarantined records, and what came of it.

  Call it after the last `dlpipe node` of the run, also if one failed or was never started, and
  again after nodes were repeated. It takes the --mlmd and --param of the nodes, and ends with the
  exit code that `dlpipe run` would have had.

  \b
  Exit codes:  0 pushed or nothing to do   1 failed          2 misuse or bad input
               3 data refused              4 model refused   75 busy: try again
  \b
  Example:
    dlpipe finish --ir images.json --run-id 2026-11-24
  """
  started = time.monotonic()
  quieten_imports()
  from pipeline.execution.orchestrated.finishing import finish as finish_run
  from pipeline.execution.single_node.single import log_to_stderr
  from pipeline.runs.summary import summary_lines

  path = os.path.abspath(ir_file)
  log = log_to_stderr(path, run_id)
  result = finish_run(
    path,
    run_id,
    mlmd=os.path.abspath(mlmd) if mlmd is not None else None,
    parameters=parsed(parameters),
  )
  if as_json:
    echo_json(result.to_json())
  else:
    seconds = time.monotonic() - started
    for line in summary_lines(result, log_file=str(log or ""), seconds=seconds, width=_WIDTH):
      click.echo(line.text)
  sys.stdout.flush()
  sys.stderr.flush()
  # Exits at once: TensorFlow's threads are idle, but take seconds to end.
  os._exit(result.exit_code)
