"""Command options that several commands share."""

from __future__ import annotations

import functools
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


def together(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
  """Returns the decorator that adds all of these options to a command, in this order."""
  return lambda command: functools.reduce(lambda made, add: add(made), reversed(options), command)


config_option = click.option(
  "--config", "config_file", type=LocalPath(), metavar="FILE", help="A YAML file of settings."
)

workspace_option = click.option(
  "--workspace",
  type=LocalPath(),
  metavar="DIR",
  help="Where runs write. Default: $DLPIPE_WORKSPACE, else ./workspace.",
)

# For a command that prints nothing else then, and for one that may print other lines before.
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
json_last_option = click.option(
  "--json", "as_json", is_flag=True, help="Print one JSON object as the last line of stdout."
)

beam_option = click.option(
  "--beam",
  type=click.Choice(["direct", "flink", "spark", "dataflow"]),
  help="Where Beam runs. Default: direct, on this machine.",
)

log_option = click.option(
  "--log",
  "log_dir",
  type=LocalPath(),
  metavar="DIR",
  help="The folder of the request log. Default: that of dlpipe serve --log-requests.",
)

task_of_run_option = click.option(
  "--task", metavar="TASK", help="Whose run, where several have that name."
)

reason_option = click.option(
  "--reason", metavar="TEXT", help="Why, for the record that `dlpipe status` shows."
)

# What `run`, `check` and `compile` share.
run_options = together(
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

# Where to look for runs, and how to print them.
store_options = together(
  workspace_option,
  click.option(
    "--mlmd",
    type=LocalPath(),
    metavar="FILE",
    help="A metadata store's connection file. Default: the SQLite files of the workspace.",
  ),
  json_option,
)
