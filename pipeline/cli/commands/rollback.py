"""`dlpipe rollback` serves an older version again, under the next number."""

from __future__ import annotations

import json

import click

from components.versioned_pusher.publish import rollback as republish
from components.versioned_pusher.publish import version_record
from dlpipe.workspace import Workspace
from pipeline.cli.options import workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.tasks import get_task


@click.command(short_help="Serve an older version of a model again.")
@task_argument
@click.option(
  "--to",
  type=click.IntRange(min=1),
  metavar="VERSION",
  help="The version to go back to. Default: the one before the model served now.",
)
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rollback(task: str, to: int | None, workspace: str | None, as_json: bool) -> None:
  """Serve an older version of TASK's model again.

  The older version is published once more under the next number, because a model server always
  takes the largest number for the newest. Nothing is deleted: --to also goes forward again.
  """
  known = get_task(task)
  serving_dir = Workspace.of(workspace).task(known.name).serving
  version = republish(serving_dir, to)
  result = {
    "task": known.name,
    "version": version,
    "rollback_of": version_record(serving_dir, version)["rollback_of"],
    "serving_dir": str(serving_dir),
  }
  if as_json:
    click.echo(json.dumps(result))
  else:
    click.echo(
      "{task}: version {rollback_of} is served again, as version {version}.".format_map(result)
    )
    click.echo(f"In {serving_dir}")
