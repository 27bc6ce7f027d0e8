"""`dlpipe node` runs one node of a compiled pipeline, for any orchestrator."""

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
from pipeline.execution.single_node.compiled_file import check_node
from pipeline.execution.single_node.node_request import NodeRequest


@click.command(short_help="Run one node of a compiled pipeline.")
@compiled_run_options
@click.option("--node", "node_id", required=True, metavar="ID", help="Which node.")
@parameter_option
@worker_option
def node(
  ir_file: str,
  node_id: str,
  run_id: str,
  mlmd: str | None,
  parameters: Sequence[str],
  worker: str | None,
  as_json: bool,
) -> None:
  """Run one node of a pipeline that `dlpipe compile` wrote, in this process.

  It may be repeated with the same run id: a node that is done is left alone, and one that failed or
  was killed starts anew. The log goes to stderr and to the log of the run. With --worker, a `dlpipe
  worker` runs it without the seconds of importing TFX; where none listens, this process does.

  \b
  Exit codes:  0 done or cached   99 skipped   1 failed   2 misuse or bad input
               3 data refused     4 model refused   75 busy: try again
  \b
  Example:
    dlpipe node --ir images.json --node Trainer --run-id 2026-11-24
  """
  request = NodeRequest(
    ir_file=os.path.abspath(ir_file),
    node_id=node_id,
    run_id=run_id,
    mlmd=os.path.abspath(mlmd) if mlmd is not None else None,
    parameters=parsed(parameters),
    as_json=as_json,
  )
  check_node(request.ir_file, node_id)
  code = asked_of_worker(worker, request)
  if code is None:
    quieten_imports()
    from pipeline.execution.single_node.single import carry_out

    code = carry_out(request)
  end_now(code)
