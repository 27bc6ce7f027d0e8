"""`dlpipe worker` starts a process that has all imports loaded and runs nodes for `dlpipe node`."""

from __future__ import annotations

import logging
import os
import sys

import click


@click.command(short_help="Stay up and start nodes warm.")
@click.option(
  "--address", required=True, metavar="SOCKET", help="Path of the UNIX socket to listen on."
)
def worker(address: str) -> None:
  """Listen for `dlpipe node --worker SOCKET`, and run each node in a forked process.

  A node then starts in a fraction of a second, and not in the seconds that importing TFX takes. One
  worker serves any number of pipelines and runs on its machine, for its own user. SIGTERM stops it;
  what is at work is killed, and can be run again. Changed sources make it start itself anew.
  """
  from pipeline.execution import forks
  from pipeline.execution.single_node.worker import Worker

  logging.basicConfig(
    level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr
  )
  forks.warm_up()
  logging.getLogger("dlpipe").setLevel(logging.INFO)
  server = Worker(address, ready=lambda: click.echo(f"Listening at {address}"))
  if server.serve():
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pipeline.cli.main", *sys.argv[1:]])
