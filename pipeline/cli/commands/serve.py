"""`dlpipe serve` runs the embedded model server, for a task's pushed versions or other models."""

from __future__ import annotations

import contextlib
import dataclasses
import os

import click

from components.versioned_pusher import models_config, stages
from components.versioned_pusher.version_folders import list_versions
from dlpipe.errors import BadInputError
from dlpipe.workspace import MODEL_FILE, Workspace
from pipeline.api.damaged import ways_out
from pipeline.cli.options import workspace_option
from pipeline.tasks import get_task
from serving import flags
from serving.errors import InvalidArgument

_POLL_S = 1
_REST_PORT = 8501  # as in TensorFlow Serving's image


class _FlagsCommand(click.Command):
  """Appends the server's own flags to the help."""

  def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    formatter.write_paragraph()
    formatter.write(flags.usage() + "\n")


@click.command(
  cls=_FlagsCommand,
  short_help="Serve models over gRPC and REST.",
  context_settings={"ignore_unknown_options": True},
)
@workspace_option
@click.option("--ui", is_flag=True, help="Serve a page to try the models, at /ui of the REST port.")
@click.option(
  "--log-requests",
  is_flag=True,
  help="Log a sample of TASK's requests to its folder, for `dlpipe log`.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[TASK] [--FLAG=VALUE]...")
def serve(workspace: str | None, ui: bool, log_requests: bool, arguments: tuple[str, ...]) -> None:
  """Answer TensorFlow Serving's API on this machine until Ctrl-C or SIGTERM.

  \b
  dlpipe serve TASK              the versions that `dlpipe run TASK` pushed,
                                 gRPC on port 8500, REST on 8501
  dlpipe serve TASK --ui         and a page to try them, at /ui of port 8501
  dlpipe serve TASK --log-requests --request_log_unsure_below=0.7
                                 and a log of requests, which `dlpipe log` reads
  dlpipe serve --model_name=NAME --model_base_path=/PATH --rest_api_port=8501
                                 any SavedModels below /PATH/<number>/

  The ports open when the models can answer. New versions are found and swapped in while it serves.
  Beside a TASK an unknown argument is refused; without one it is reported, as TensorFlow Serving
  does, and refused only where it is nearly a flag of this server's own.
  """
  from serving.cli import run

  ours = ["--ui"] if ui else []
  if log_requests:
    ours.append(f"--request_log_dir={_requests(arguments, workspace)}")
  run([*_task_flags(arguments, workspace, ours), *ours, *_without_task(arguments)])


def _requests(arguments: tuple[str, ...], workspace: str | None) -> str:
  if not arguments or arguments[0].startswith("-"):
    raise BadInputError("--log-requests is for a TASK. Without one, name a --request_log_dir.")
  return str(Workspace.of(workspace).task(get_task(arguments[0]).name).requests)


def _task_flags(arguments: tuple[str, ...], workspace: str | None, page: list[str]) -> list[str]:
  """Returns the server's flags for TASK; the command line's flags come later and override them."""
  if not arguments or arguments[0].startswith("-"):
    return []
  task = get_task(arguments[0])
  root = Workspace.of(workspace).task(task.name).serving
  folder = Workspace.of(workspace).task(task.name)
  stands_for = [
    f"--model_name={task.name}",
    f"--model_base_path={root}",
    f"--rest_api_port={_REST_PORT}",
  ]
  _check(stands_for, (*page, *arguments[1:]))
  versions = list_versions(root)
  if not versions:
    raise BadInputError(
      f"No model is pushed in {str(root)!r}. Run `dlpipe run {task.name}` first, or name the "
      "workspace of that run with --workspace."
    )
  newest = max(versions)
  if not (root / str(newest) / MODEL_FILE).is_file():
    raise BadInputError(
      f"Version {newest} in {str(root)!r} holds no {MODEL_FILE}, and a model server takes the "
      f"newest. {ways_out(task.name, workspace, newest)}"
    )
  with contextlib.suppress(OSError):  # read-only, so nobody moved it either
    stages.refresh(folder)  # the folder may have moved since they were written
  if folder.models_config.is_file():
    stands_for += [
      f"--model_config_file={folder.models_config}",
      f"--model_config_file_poll_wait_seconds={_POLL_S}",
      models_config.ALLOW_FLAG,
    ]
  return stands_for


def _check(stands_for: list[str], arguments: tuple[str, ...]) -> None:
  """Refuses, before loading the server, flags that it would refuse or that would replace TASK."""
  try:
    found, unknown = flags.parse([*stands_for, *arguments])
    flags.check(found)
  except InvalidArgument as err:
    raise BadInputError(str(err)) from err
  if unknown:
    near = flags.nearest(unknown[0], others=["workspace"])
    hint = f"Did you mean --{near}?" if near else "`dlpipe serve --help` lists the flags."
    raise BadInputError(f"Unknown argument {unknown[0]!r}. {hint}")
  if found.model_config_file:
    raise BadInputError(
      "--model_config_file says which models to serve, and so does TASK. Leave one of them out."
    )
  for name, value in dataclasses.asdict(found).items():
    if name.endswith("_file") and value and not os.access(value, os.R_OK):
      raise BadInputError(f"--{name}: there is no file {value!r} that can be read.")


def _without_task(arguments: tuple[str, ...]) -> tuple[str, ...]:
  return arguments[1:] if arguments and not arguments[0].startswith("-") else arguments
