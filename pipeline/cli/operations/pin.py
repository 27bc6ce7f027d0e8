"""`dlpipe pin` keeps a version on the disk."""

from __future__ import annotations

import click

from dlpipe.workspace import Workspace
from pipeline.api.operations import staging
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import json_option, reason_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.tasks import get_task


@click.command(short_help="Keep a version whatever is cleaned.")
@task_argument
@click.argument("version", type=click.IntRange(min=1))
@click.option("--remove", is_flag=True, help="Let it be cleaned again.")
@reason_option
@workspace_option
@json_option
def pin(
  task: str, version: int, remove: bool, reason: str | None, workspace: str | None, as_json: bool
) -> None:
  """Keep VERSION of TASK, and the run that pushed it, whatever `keep` and `dlpipe clean` say.

  A pin does not change what is live; `dlpipe rollback --to VERSION` does.
  """
  known = get_task(task)
  staging.pin(Workspace.of(workspace).task(known.name), version, remove=remove, reason=reason)
  if as_json:
    echo_json({"task": known.name, "version": version, "pinned": not remove})
  else:
    said = "may be cleaned again" if remove else "is kept whatever is cleaned"
    click.echo(f"{known.name}: version {version} {said}.")
