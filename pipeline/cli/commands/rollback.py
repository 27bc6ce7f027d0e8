"""`dlpipe rollback` serves an older version again, under the next number."""

from __future__ import annotations

import click

from components.versioned_pusher import stages
from components.versioned_pusher.version_folders import list_versions, version_record
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.announcing.stage_moves import tell_of_stage
from pipeline.api.operations import staging
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import json_option, reason_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.runs.retention import cleaned
from pipeline.tasks import get_task


@click.command(short_help="Serve an older version of a model again.")
@task_argument
@click.option(
  "--to",
  type=click.IntRange(min=1),
  metavar="VERSION",
  help="The version to go back to. Default: the one before the model served now.",
)
@reason_option
@workspace_option
@json_option
def rollback(
  task: str, to: int | None, reason: str | None, workspace: str | None, as_json: bool
) -> None:
  """Serve an older version of TASK's model again.

  The older version is published once more under the next number, because a model server always
  takes the largest number for the newest. Nothing is deleted: --to also goes forward again.

  With push.copy_to, it is copied to the store, too.
  """
  known = get_task(task)
  folder = Workspace.of(workspace).task(known.name)
  serving_dir = folder.serving
  if to is not None and to not in list_versions(serving_dir):
    _tell_if_cleaned(folder, to)
  version = staging.rollback(folder, to, reason=reason)
  if (told := tell_of_stage(folder, version, stages.STABLE)) is not None:
    click.echo(told, err=True)
  copied = staging.copy_live(folder)
  result = {
    "task": known.name,
    "version": version,
    "rollback_of": version_record(serving_dir, version)["rollback_of"],
    "serving_dir": str(serving_dir),
  }
  if copied.address is not None:
    result["copied_to"] = copied.address
  if as_json:
    echo_json(result)
  else:
    click.echo(
      "{task}: version {rollback_of} is served again, as version {version}.".format_map(result)
    )
    click.echo(f"In {serving_dir}")
    if copied.address is not None:
      click.echo(f"What is live is copied to {copied.address}")
  copied.require()


def _tell_if_cleaned(folder: TaskFolder, version: int) -> None:
  """Refuses a version that was deleted with its run.

  Raises:
    BadInputError: it was; names the run and what is left to go back to.
  """
  kept = cleaned.of_version(folder, version)
  if kept is not None:
    left = ", ".join(map(str, list_versions(folder.serving))) or "none"
    raise BadInputError(
      f"Version {version} is not there any more. {kept.sentence} Versions that are there: {left}."
    )
