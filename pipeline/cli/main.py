"""`dlpipe`: the group of all commands. A command's module is imported when it is called."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from components.errors import DlpipeError

_COMMANDS = {
  "run": "Run the whole pipeline on this machine.",
  "check": "Read and validate the data; train nothing.",
  "predict": "Predict with the pushed model.",
  "batch": "Predict every row of an input into a file.",
  "serve": "Serve models over gRPC and REST.",
  "compile": "Write the pipeline for an orchestrator.",
  "node": "Run one node of a compiled pipeline.",
  "worker": "Stay up and start nodes warm.",
  "join": "Join a training that several workers share.",
  "runs": "List, show, compare and repeat earlier runs.",
  "rollback": "Serve an older version of a model again.",
  "data": "List and fetch public data sets.",
  "doctor": "Say what is wrong with the environment.",
}
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
TERMINATED = 143  # 128 + SIGTERM


class _LazyGroup(click.Group):
  """Lists commands without importing them; suggests the nearest name."""

  def list_commands(self, ctx: click.Context) -> list[str]:
    return list(_COMMANDS)

  def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
    if cmd_name not in _COMMANDS:
      return None
    return getattr(importlib.import_module(f"pipeline.cli.{cmd_name}"), cmd_name)

  def resolve_command(self, ctx: click.Context, args: list[str]):
    name = args[0] if args else ""
    if name not in _COMMANDS:
      close = difflib.get_close_matches(name, _COMMANDS, n=1)
      hint = f" Did you mean {close[0]!r}?" if close else ""
      ctx.fail(f"No such command {name!r}.{hint} Commands: {', '.join(_COMMANDS)}.")
    return super().resolve_command(ctx, args)

  def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
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
  """Runs the command line and exits with its code."""
  ended_by: list[int] = []

  def end(number: int, _: object) -> None:
    # As Ctrl-C: whoever started processes or made temporary files ends them on the way out.
    ended_by.append(number)
    raise KeyboardInterrupt

  before = signal.signal(signal.SIGTERM, end)
  try:
    code = cli.main(args, prog_name="dlpipe", standalone_mode=False)
  except click.exceptions.Abort:
    what = "Ended by SIGTERM" if ended_by else "Interrupted"
    click.echo(f"{what}. Run the command again to go on from here.", err=True)
    _end(TERMINATED if ended_by else INTERRUPTED)
  except click.ClickException as err:
    err.show()
    code = err.exit_code
  except DlpipeError as err:
    click.echo(f"Error: {err}", err=True)
    _end(err.exit_code)
  finally:
    signal.signal(signal.SIGTERM, before)
  sys.exit(code if isinstance(code, int) else 0)


def _end(code: int) -> NoReturn:
  """Exits; at once where TensorFlow was stopped in its work, whose teardown prints tracebacks."""
  if "tensorflow" not in sys.modules:
    sys.exit(code)
  logging.shutdown()
  for stream in (sys.stdout, sys.stderr):
    # A full disk or a reader that left changes nothing about the code.
    with contextlib.suppress(OSError, ValueError):
      stream.flush()
  os._exit(code)


if __name__ == "__main__":
  main()
