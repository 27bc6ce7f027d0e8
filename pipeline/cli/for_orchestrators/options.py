"""Command options that the commands for a compiled pipeline share."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dlpipe.errors import BadInputError
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import json_last_option, together
from pipeline.execution.single_node.node_request import NodeRequest, ask_worker

# What names a compiled pipeline, a run of it, and its metadata store.
compiled_run_options = together(
  click.option("--ir", "ir_file", required=True, metavar="FILE", help="From dlpipe compile."),
  click.option(
    "--run-id",
    required=True,
    metavar="RUN",
    help="The run's name: the same for all its nodes and for every attempt.",
  ),
  click.option(
    "--mlmd",
    type=LocalPath(),
    metavar="FILE",
    help="The metadata store's connection file. Default: as compiled.",
  ),
  json_last_option,
)

parameter_option = click.option(
  "--param",
  "parameters",
  multiple=True,
  metavar="NAME=VALUE",
  help="A runtime parameter; repeatable. Default: as compiled.",
)

worker_option = click.option(
  "--worker", metavar="SOCKET", help="Where a dlpipe worker listens. Default: none."
)


def parsed(parameters: Sequence[str]) -> dict[str, str]:
  """Returns the values of `--param` by name.

  Raises:
    BadInputError: an item has no name, or no value.
  """
  values = {}
  for item in parameters:
    name, equals, value = item.partition("=")
    if not (name and equals):
      raise BadInputError(f"--param takes NAME=VALUE. Received: {item!r}")
    values[name] = value
  return values


def asked_of_worker(worker: str | None, request: NodeRequest) -> int | None:
  """Has a worker carry out a request.

  Args:
    worker: the worker's socket, if one was named.
    request: what to do.

  Returns:
    The exit code; None if this process has to do it.
  """
  if worker is None:
    return None
  code = ask_worker(worker, request)
  if code is None:
    what = f"running {request.node_id}" if request.node_id is not None else "finishing the run"
    click.echo(f"No worker listens at {worker}; {what} in this process.", err=True)
  return code
