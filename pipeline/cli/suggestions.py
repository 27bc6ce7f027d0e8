"""What somebody may have meant whose command line cannot be read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import click

from pipeline.cli import task_argument


def of_option(err: click.NoSuchOption, args: Sequence[str]) -> str | None:
  """The `--set` that an unknown option stands for, if it is the name of a setting.

  Args:
    err: which option, of which command.
    args: the command line, to find its task and the option's value in.
  """
  command = err.ctx.command if err.ctx is not None else None
  if command is None or not any(param.name == "settings" for param in command.params):
    return None
  known = task_argument.settings_of(args)
  wanted = err.option_name.lstrip("-").replace("-", "_")
  keys = [key for key in known if key.partition(".")[2] == wanted or key == wanted]
  if not keys:
    names = {key.partition(".")[2]: key for key in reversed(known)}
    # An option of the command's own that is as near is what was meant.
    options = [name.lstrip("-").replace("-", "_") for name in err.possibilities or ()]
    near = difflib.get_close_matches(wanted, [*names, *options], n=1, cutoff=0.8)
    keys = [names[name] for name in near if name in names and name not in options]
  if not keys:
    return None
  return f"--set {keys[0]}={_value(err.option_name, args)}"


def _value(option: str, args: Sequence[str]) -> str:
  """What follows an option on the command line."""
  for index, arg in enumerate(args):
    if arg == option and index + 1 < len(args) and not args[index + 1].startswith("-"):
      return args[index + 1]
    if arg.startswith(f"{option}="):
      return arg.partition("=")[2]
  return "VALUE"
