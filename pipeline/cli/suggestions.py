"""Suggests what a user may have meant by an option that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import click

from pipeline.cli import task_argument


def of_option(err: click.NoSuchOption, args: Sequence[str]) -> str | None:
  """Returns the `--set` to suggest for an unknown option, if it is the name of a setting.

  Args:
    err: names the option and the command.
    args: the command line, which holds the task and the option's value.
  """
  command = err.ctx.command if err.ctx is not None else None
  if command is None or not any(param.name == "settings" for param in command.params):
    return None
  known = task_argument.settings_of(args)
  wanted = err.option_name.lstrip("-").replace("-", "_")
  keys = [key for key in known if key.partition(".")[2] == wanted or key == wanted]
  if not keys:
    names = {key.partition(".")[2]: key for key in reversed(known)}
    # If an option of the command is as similar, the user probably meant that one.
    options = [name.lstrip("-").replace("-", "_") for name in err.possibilities or ()]
    near = difflib.get_close_matches(wanted, [*names, *options], n=1, cutoff=0.8)
    keys = [names[name] for name in near if name in names and name not in options]
  if not keys:
    return None
  return f"--set {keys[0]}={_value(err.option_name, args)}"


def _value(option: str, args: Sequence[str]) -> str:
  """Returns the argument after an option on the command line."""
  for index, arg in enumerate(args):
    if arg == option and index + 1 < len(args) and not args[index + 1].startswith("-"):
      return args[index + 1]
    if arg.startswith(f"{option}="):
      return arg.partition("=")[2]
  return "VALUE"
