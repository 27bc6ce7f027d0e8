"""Command options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from pipeline.cli.local_path import DataPath, LocalPath
from pipeline.cli.task_argument import task_argument


class FiniteRange(click.FloatRange):
  """Accepts numbers within bounds; `nan` and `inf`, which pass any bound of click, are refused."""

  def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
    """Returns the number."""
    found: float = super().convert(value, param, ctx)
    if not math.isfinite(found):
      self.fail(f"{value!r} is no finite number.", param, ctx)
    return found


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--config`."""
  return click.option(
    "--config",
    "config_file",
    type=LocalPath(),
    metavar="FILE",
    help="A YAML file of settings.",
  )(command)


def workspace_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--workspace`."""
  return click.option(
    "--workspace",
    type=LocalPath(),
    metavar="DIR",
    help="Where runs write. Default: $DLPIPE_WORKSPACE, else ./workspace.",
  )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--json` to a command that prints nothing else then."""
  return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def json_last_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--json` to a command that may print other lines before the object."""
  return click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object as the last line of stdout."
  )(command)


def beam_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--beam`."""
  return click.option(
    "--beam",
    type=click.Choice(["direct", "flink", "spark", "dataflow"]),
    help="Where Beam runs. Default: direct, on this machine.",
  )(command)


def log_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--log`."""
  return click.option(
    "--log",
    "log_dir",
    type=LocalPath(),
    metavar="DIR",
    help="The folder of the request log. Default: that of dlpipe serve --log-requests.",
  )(command)


def task_of_run_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--task` to a command that takes the name of a run."""
  return click.option("--task", metavar="TASK", help="Whose run, where several have that name.")(
    command
  )


def reason_option(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds `--reason`."""
  return click.option(
    "--reason", metavar="TEXT", help="Why, for the record that `dlpipe status` shows."
  )(command)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds the options that `run`, `check` and `compile` share."""
  options = (
    task_argument,
    click.option(
      "--data",
      type=DataPath(),
      metavar="PATH",
      help="The input: a path, or an address such as s3://bucket/folder. Default: the task's "
      "shipped data.",
    ),
    workspace_option,
    config_option,
    click.option(
      "--set",
      "settings",
      multiple=True,
      metavar="KEY=VALUE",
      help="One setting, such as train.epochs=5; repeatable, wins over --config.",
    ),
    click.option("--tiny", is_flag=True, help="A small model for a run in seconds."),
    beam_option,
    click.option(
      "--mlmd",
      type=LocalPath(),
      metavar="FILE",
      help="The metadata store's connection file. Default: SQLite in the workspace.",
    ),
    json_last_option,
  )
  for option in reversed(options):
    command = option(command)
  return command


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
  """Adds the options for where to look for runs and how to print them."""
  options = (
    workspace_option,
    click.option(
      "--mlmd",
      type=LocalPath(),
      metavar="FILE",
      help="A metadata store's connection file. Default: the SQLite files of the workspace.",
    ),
    json_option,
  )
  for option in reversed(options):
    command = option(command)
  return command
