"""`dlpipe node`: one node of a compiled pipeline, for whatever orchestrates it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from components.errors import BadInputError

_LOG_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"


@click.command(short_help="Run one node of a compiled pipeline.")
@click.option("--ir", "ir_file", required=True, metavar="FILE", help="From dlpipe compile.")
@click.option("--node", "node_id", required=True, metavar="ID", help="Which node.")
@click.option(
  "--run-id",
  required=True,
  metavar="RUN",
  help="The run's name: the same for all its nodes and for every attempt.",
)
@click.option(
  "--mlmd", metavar="FILE", help="The metadata store's connection file. Default: as compiled."
)
@click.option(
  "--param",
  "parameters",
  multiple=True,
  metavar="NAME=VALUE",
  help="A runtime parameter; repeatable. Default: as compiled.",
)
@click.option(
  "--json", "as_json", is_flag=True, help="Print one JSON object as the last line of stdout."
)
def node(
  ir_file: str,
  node_id: str,
  run_id: str,
  mlmd: str | None,
  parameters: Sequence[str],
  as_json: bool,
) -> None:
  """Run one node of a pipeline that `dlpipe compile` wrote, in this process.

  It may be repeated with the same run id: a node that is done is left alone, and one that failed or
  was killed starts anew. The log goes to stderr.

  \b
  Exit codes:  0 done or cached   99 skipped   1 failed   2 misuse or bad input
               3 data refused     4 model refused
  \b
  Example:
    dlpipe node --ir images.json --node Trainer --run-id 2026-11-24
  """
  request = {
    "ir_file": os.path.abspath(ir_file),
    "node_id": node_id,
    "run_id": run_id,
    "mlmd": os.path.abspath(mlmd) if mlmd is not None else None,
    "parameters": _parsed(parameters),
  }
  code = run_here(request, as_json=as_json)
  # TensorFlow's and Beam's threads have nothing left to say, and would take seconds to end.
  os._exit(code)


def run_here(request: dict[str, Any], *, as_json: bool) -> int:
  """Runs a node in this process, says what became of it, and returns the exit code."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
  os.environ.setdefault("TEMPORARILY_DISABLE_PROTOBUF_VERSION_CHECK", "true")
  from absl import logging as absl_logging

  # absl, which TFX logs with, would otherwise put a second handler beside this one.
  absl_logging.use_python_logging()
  logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT, stream=sys.stderr, force=True)
  # A hundred lines about type hints at import, at this level.
  logging.getLogger("apache_beam.typehints").setLevel(logging.WARNING)
  from pipeline.runners.single import run_single

  result = run_single(
    request["ir_file"],
    request["node_id"],
    request["run_id"],
    mlmd=request["mlmd"],
    parameters=request["parameters"],
  )
  if result.error is not None:
    click.echo(f"Error: {result.error}", err=True)
  if as_json:
    click.echo(json.dumps(result.to_json()))
  else:
    click.echo(
      f"{result.node}: {result.state} after {result.seconds:.1f} s, "
      f"peak {result.peak_rss_mb:.0f} MB"
    )
  sys.stdout.flush()
  sys.stderr.flush()
  return result.exit_code


def _parsed(parameters: Sequence[str]) -> dict[str, str]:
  values = {}
  for item in parameters:
    name, equals, value = item.partition("=")
    if not (name and equals):
      raise BadInputError(f"--param takes NAME=VALUE. Received: {item!r}")
    values[name] = value
  return values
