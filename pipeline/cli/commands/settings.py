"""`dlpipe settings` lists every setting that `--set` can change for a task."""

from __future__ import annotations

import itertools
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import click

from dlpipe.errors import BadInputError
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import config_option, json_option
from pipeline.cli.task_argument import task_argument
from pipeline.settings.known_settings import Setting, in_yaml, known_settings, value_of
from pipeline.settings.reading import make_config, nearest
from pipeline.task import Task
from pipeline.tasks import get_task

_WIDTH = 100


@click.command(short_help="List what can be set, with values and bounds.")
@task_argument
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
@click.option(
  "--set",
  "settings",
  multiple=True,
  metavar="KEY=VALUE",
  help="One setting, such as train.epochs=5; repeatable, wins over --config.",
)
@click.option("--tiny", is_flag=True, help="Show the values of a --tiny run.")
@json_option
def settings(
  task: str,
  names: tuple[str, ...],
  config_file: str | None,
  settings: tuple[str, ...],
  tiny: bool,
  as_json: bool,
) -> None:
  """List what `--set` may change for TASK: value, what it may be, and meaning.

  NAME is a section such as train, a setting such as train.epochs, or a part of
  a name; without one, everything is listed. With --config, --set and --tiny
  the values are those of a run with the same options. Nothing is read or run.

  \b
  Examples:
    dlpipe settings images
    dlpipe settings images train model.dropout
    dlpipe settings sentiment --config mine.yaml --json
  """
  known = get_task(task)
  config = make_config(
    known, data_path="", workspace="", tiny=tiny, config_file=config_file, settings=settings
  )
  found = _named(known_settings(known), names, known)
  values = {each.key: value_of(each, known, config) for each in found}
  if as_json:
    rows = [
      {
        "name": each.key,
        "value": values[each.key],
        "default": each.default,
        "tiny": each.tiny,
        "takes": each.takes,
        "meaning": each.meaning,
        "documented": each.documented,
      }
      for each in found
    ]
    echo_json({"task": known.name, "settings": rows}, default=str)
    return
  width = max(40, min(shutil.get_terminal_size((_WIDTH, 0)).columns, _WIDTH))
  for line in _lines(found, values, width):
    click.echo(line)


def _named(found: list[Setting], names: Sequence[str], task: Task) -> list[Setting]:
  """Returns settings whose section, full name or part of it is named; all if `names` is empty."""
  chosen: set[str] = set()
  for name in names:
    matching = [each.key for each in found if name in (each.section, each.key)]
    matching = matching or [each.key for each in found if name in each.key]
    if not matching:
      near = nearest(name, [each.key for each in found])
      hint = f" Did you mean {near[0]}?" if near else ""
      raise BadInputError(
        f"The task {task.name} has no setting {name!r}.{hint} `dlpipe settings {task.name}` lists "
        "all of them."
      )
    chosen.update(matching)
  return [each for each in found if not names or each.key in chosen]


def _lines(found: Sequence[Setting], values: dict[str, Any], width: int) -> list[str]:
  lines = []
  for section, group in itertools.groupby(found, key=lambda each: each.section):
    lines += [section]
    for each in group:
      changed = "" if values[each.key] == each.default else f"default {in_yaml(each.default)}; "
      lines += textwrap.wrap(
        f"{each.name} = {_plain(values[each.key])}  ({changed}{each.takes})",
        width,
        initial_indent="  ",
        subsequent_indent="      ",
        break_on_hyphens=False,
      )
      lines += textwrap.wrap(
        each.meaning or "the task does not say what it does",
        width,
        initial_indent="      ",
        subsequent_indent="      ",
        break_on_hyphens=False,
      )
  pages = list(dict.fromkeys(each.documented for each in found))
  return [*lines, "", "Set one with --set section.name=value. More in " + " and ".join(pages)]


def _plain(value: Any) -> str:
  return value if isinstance(value, str) and value else in_yaml(value)
