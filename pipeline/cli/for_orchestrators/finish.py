"""`dlpipe finish` ends a run of a compiled pipeline: its report, its record, its exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from dlpipe.ending import end_now
from pipeline.cli.for_orchestrators.options import (
  asked_of_worker,
  compiled_run_options,
  parameter_option,
  parsed,
  worker_option,
)
from pipeline.execution.output import quieten_imports
from pipeline.execution.single_node.compiled_file import read
from pipeline.execution.single_node.node_request import NodeRequest


@click.command(short_help="End a run of a compiled pipeline: report and record.")
@compiled_run_options
@parameter_option
@worker_option
def finish(
  ir_file: str,
  run_id: str,
  mlmd: str | None,
  parameters: Sequence[str],
  worker: str | None,
  as_json: bool,
) -> None:
  """Write what `dlpipe run` leaves: report, settings, quarantined records, and what came of it.

  Call it after the last `dlpipe node` of the run, also if one failed or was never started, and
  again after nodes were repeated. It takes the --mlmd and --param of the nodes, and ends with the
  exit code that `dlpipe run` would have had.

  \b
  Exit codes:  0 pushed or nothing to do   1 failed          2 bad input
               3 data refused              4 model refused   75 busy: try again
  \b
  Example:
    dlpipe finish --ir images.json --run-id 2026-11-24
  """
  request = NodeRequest(
    ir_file=os.path.abspath(ir_file),
    node_id=None,
    run_id=run_id,
    mlmd=os.path.abspath(mlmd) if mlmd is not None else None,
    parameters=parsed(parameters),
    as_json=as_json,
  )
  read(request.ir_file)
  code = asked_of_worker(worker, request)
  if code is None:
    quieten_imports()
    from pipeline.execution.orchestrated.finishing import carry_out

    code = carry_out(request)
  end_now(code)
