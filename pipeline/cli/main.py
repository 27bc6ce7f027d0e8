"""`dlpipe`: the group of all commands. Imports a command's module when the command is called."""

from __future__ import annotations

import difflib
import errno
import gc
import importlib
import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from dlpipe.causes import user_error
from dlpipe.ending import end_now
from dlpipe.errors import BadInputError, DlpipeError
from pipeline.cli import given_once

_COMMANDS = {
  "run": "Run the whole pipeline on this machine.",
  "check": "Read and validate the data; train nothing.",
  "predict": "Predict with the pushed model.",
  "batch": "Predict every row of an input into a file.",
  "serve": "Serve models over gRPC and REST.",
  "compile": "Write the pipeline for an orchestrator.",
  "begin": "Begin a run of a compiled pipeline.",
  "node": "Run one node of a compiled pipeline.",
  "finish": "End a run of a compiled pipeline: report and record.",
  "worker": "Stay up and start nodes warm.",
  "join": "Join a training that several workers share.",
  "runs": "List, show, compare and repeat earlier runs.",
  "replay": "Replay logged requests on a candidate; show the flips.",
  "promote": "Make a candidate live, or try it as the canary.",
  "pin": "Keep a version whatever is cleaned.",
  "rollback": "Serve an older version of a model again.",
  "log": "Pick logged requests to label; join labels to them.",
  "watch": "Compare logged requests with what was trained on.",
  "clean": "Delete files of earlier runs.",
  "data": "List and fetch public data sets.",
  "settings": "List what can be set, with values and bounds.",
  "status": "Say what is served, since when, and from which run.",
  "new-task": "Write a task of your own, to start from.",
  "doctor": "Say what is wrong with the environment.",
}
# The package of a command, if it is not `commands`.
_ROOMS = dict.fromkeys(
  ("compile", "begin", "node", "finish", "worker", "join"), "for_orchestrators"
)
_ROOMS |= dict.fromkeys(("clean", "log", "pin", "promote", "replay", "watch"), "operations")
_SHOWN = 200  # characters
# Errors that a path from the command line may cause.
_OF_PATHS = frozenset(
  {
    *(errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR),
    *(errno.EEXIST, errno.EPERM, errno.EROFS),
  }
)
# TensorFlow and TFX are 800,000 objects, none of which is garbage. Python's own thresholds look at
# them again and again, which is a third of the time that they take to import.
_GC_THRESHOLDS = (20_000, 10, 10)
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TERMINATED = 143  # 128 + SIGTERM


def _load(command: str) -> click.Command:
  name = command.replace("-", "_")
  room = _ROOMS.get(command, "commands")
  loaded: click.Command = getattr(importlib.import_module(f"pipeline.cli.{room}.{name}"), name)
  return loaded


class _LazyGroup(click.Group):
  """Lists commands without importing them; suggests the nearest name."""

  def list_commands(self, ctx: click.Context) -> list[str]:
    return list(_COMMANDS)

  def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
    if cmd_name not in _COMMANDS:
      return None
    return _load(cmd_name)

  def resolve_command(self, ctx: click.Context, args: list[str]):
    name = args[0] if args else ""
    if name not in _COMMANDS:
      close = difflib.get_close_matches(name, _COMMANDS, n=1)
      hint = f" Did you mean {close[0]!r}?" if close else ""
      ctx.fail(f"No such command {name!r}.{hint} Commands: {', '.join(_COMMANDS)}.")
    found, command, rest = super().resolve_command(ctx, args)
    if command is not None:
      given_once.require(ctx, command, rest)
    return found, command, rest

  def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    # The list of commands needs no tasks, so a missing folder of tasks must not break the help.
    from pipeline.tasks import task_names

    with formatter.section("Tasks"):
      try:
        formatter.write_text(", ".join(task_names()))
      except BadInputError as err:
        formatter.write_text(str(err))
    with formatter.section("Commands"):
      formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dlpipe", prog_name="dlpipe")
def cli() -> None:
  """Deep-learning pipelines: from a folder of data to a served model, with a record of why.

  \b
  Start with:  dlpipe run images
  Exit codes:  0 pushed or nothing to do   1 failed   2 misuse or bad input
               3 data refused              4 model refused   75 busy: try again
  """


def main(args: Sequence[str] | None = None) -> NoReturn:
  """Runs the command line and exits with its code; prints no error as a traceback."""
  args = sys.argv[1:] if args is None else args
  gc.set_threshold(*_GC_THRESHOLDS)
  for stream in (sys.stdout, sys.stderr):
    # A file name that is not UTF-8, or a terminal with few characters, must not break the command.
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors="backslashreplace")
  ended_by: list[int] = []

  def end(number: int, _: object) -> None:
    # Handled like Ctrl-C, so that code which started processes or made temporary files cleans up.
    ended_by.append(number)
    raise KeyboardInterrupt

  before = signal.signal(signal.SIGTERM, end)
  try:
    _require_passable(args)
    code = cli.main(args, prog_name="dlpipe", standalone_mode=False)
  except click.exceptions.Abort:
    what = "Ended by SIGTERM" if ended_by else "Interrupted"
    click.echo(f"{what}. Run the command again to go on from here.", err=True)
    _end(TERMINATED if ended_by else INTERRUPTED)
  except click.NoSuchOption as err:
    _with_setting(err, args).show()
    code = err.exit_code
  except click.ClickException as err:
    err.show()
    code = err.exit_code
  except DlpipeError as err:
    click.echo(f"Error: {err}", err=True)
    _end(err.exit_code)
  except Exception as err:
    if isinstance(err, OSError) and err.errno in _OF_PATHS:
      path = os.fsdecode(err.filename) if isinstance(err.filename, (str, bytes)) else ""
      click.echo(f"Error: {err.strerror}: {path[:_SHOWN]!r}. Check the path.", err=True)
      _end(BadInputError.exit_code)
    if (known := user_error(err)) is not None:
      click.echo(f"Error: {known}", err=True)
      _end(known.exit_code)
    click.echo(
      f"Error: {type(err).__name__}: {err}\nThis was not foreseen; the traceback is in "
      f"{_keep_traceback()}",
      err=True,
    )
    _end(DlpipeError.exit_code)
  finally:
    signal.signal(signal.SIGTERM, before)
  sys.exit(code if isinstance(code, int) else 0)


def _require_passable(args: Sequence[str]) -> None:
  """Raises `BadInputError` for a NUL or a lone surrogate, which no file name can contain."""
  for arg in args:
    try:
      is_passable = b"\0" not in os.fsencode(arg)
    except UnicodeEncodeError:
      is_passable = False
    if not is_passable:
      raise BadInputError(
        f"No argument, path or text may hold a NUL or half a character. Received: {arg[:_SHOWN]!r}"
      )


def _keep_traceback() -> str:
  """Writes the current traceback to a file; returns the path, or why it could not be written."""
  try:
    with tempfile.NamedTemporaryFile(
      "w",
      encoding="utf-8",
      errors="backslashreplace",
      prefix="dlpipe-",
      suffix=".log",
      delete=False,
    ) as f:
      f.write(traceback.format_exc())
  except OSError as err:
    return f"no file: {err.strerror}"
  return f.name


def _with_setting(err: click.NoSuchOption, args: Sequence[str]) -> click.UsageError:
  """Returns the error; if the unknown option is a setting's name, it suggests `--set`."""
  from pipeline.cli.suggestions import of_option

  meant = of_option(err, args)
  if meant is None:
    return err
  return click.UsageError(f"No such option '{err.option_name}'. Did you mean {meant}?", err.ctx)


def _end(code: int) -> NoReturn:
  """Exits; skips cleanup if TensorFlow was interrupted, because that would print tracebacks."""
  if "tensorflow" not in sys.modules:
    sys.exit(code)
  end_now(code)


if __name__ == "__main__":
  main()
