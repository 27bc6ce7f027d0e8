"""`dlpipe promote` makes a candidate live, or tries it beside what is live."""

from __future__ import annotations

import click

from components.versioned_pusher import stages
from dlpipe.workspace import Workspace
from pipeline.api.operations import staging
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import reason_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.tasks import get_task


@click.command(short_help="Make a candidate live, or try it as the canary.")
@task_argument
@click.argument("version", required=False, type=click.IntRange(min=1))
@click.option(
  "--to",
  "stage",
  type=click.Choice([stages.STABLE, stages.CANARY]),
  default=stages.STABLE,
  show_default=True,
  help="stable: it is live. canary: only requests that name it, or the label canary, reach it.",
)
@reason_option
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def promote(
  task: str,
  version: int | None,
  stage: str,
  reason: str | None,
  workspace: str | None,
  as_json: bool,
) -> None:
  """Make VERSION of TASK live: by default the latest candidate, else the canary.

  With push.stage=candidate a model that every gate let through waits in serving/candidates/ until
  it is promoted. What is live is always the largest number, so servers need no configuration; those
  that read models.config also answer the labels stable and canary.

  \b
  Examples:
    dlpipe promote images --to canary --reason "try it on 5 % of the traffic"
    dlpipe promote images 7 --reason "a week without a difference"
  """
  known = get_task(task)
  folder = Workspace.of(workspace).task(known.name)
  done = staging.promote(folder, version, stage=stage, reason=reason)
  if as_json:
    found = {"task": known.name, **done.to_json(), "serving_dir": str(folder.serving)}
    echo_json(found)
    return
  number = f", as version {done.served_as}" if done.served_as != done.version else ""
  if stage == stages.CANARY:
    click.echo(
      f"{known.name}: version {done.version} is the canary; version {done.live} is live and "
      "answers whoever names neither."
    )
  else:
    click.echo(f"{known.name}: version {done.version} is live{number}.")
  click.echo(f"Labels for servers are in {folder.models_config}")
