"""`dlpipe join` starts another worker of a distributed training."""

from __future__ import annotations

import logging
import os
import sys
import tempfile

import click

from dlpipe.errors import BadInputError
from dlpipe.workspace import Workspace
from pipeline.cli.options import workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.tasks import get_task


@click.command(short_help="Join a training that several workers share.")
@task_argument
@workspace_option
def join(task: str, workspace: str | None) -> None:
  """Train beside the worker that runs the pipeline of TASK, in the same workspace.

  TF_CONFIG names all workers and says which one this is. The first runs the pipeline, with
  `dlpipe run TASK --processes` or `dlpipe node --node Trainer`; each of the others runs this
  command, waits for the training to begin and ends with it.
  """
  from pipeline.training.machines import strategy

  get_task(task)
  if strategy.worker_count() < 2 or strategy.is_chief():
    raise BadInputError(
      "TF_CONFIG must name several workers, and this process as another than the first. "
      f"Received: TF_CONFIG={os.environ.get('TF_CONFIG')!r}"
    )
  logging.basicConfig(level=logging.INFO, stream=sys.stderr)
  from pipeline.training import run
  from pipeline.training.machines import cluster

  checkpoints = Workspace.of(workspace).task(task).checkpoints
  with tempfile.TemporaryDirectory(prefix="dlpipe-") as own:
    fn_args = cluster.await_training(checkpoints, own)
    run.run_fn(fn_args)
  click.echo("The training has ended.")
