"""Reads the inputs of `dlpipe predict`: arguments, which may begin with a dash, and lines."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence

import click

from dlpipe.errors import BadInputError
from pipeline.api.asking import Input, as_input
from pipeline.sources import encoding
from pipeline.sources.text_files import line_files
from pipeline.task import Task

STDIN = "-"
_DASH_ADVICE = "An INPUT that begins with a dash goes behind --, or into a file: --input-file."
# No option begins with a dash and then a digit, a blank, a bullet or another mark.
_NO_OPTION = re.compile(r"-+[^-A-Za-z]")


class InputsCommand(click.Command):
  """Reads arguments that cannot be options, such as "-5 stars, awful", as inputs."""

  def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
    """Moves arguments that are not options behind `--`, in their order.

    Raises:
      click.UsageError: an option is unknown.
    """
    known = {name: option for option in self.get_params(ctx) for name in option.opts}
    options: list[str] = []
    others: list[str] = []
    waiting = iter(args)
    for arg in waiting:
      if arg == "--":
        others += waiting
      elif arg == STDIN or not arg.startswith("-") or _is_input(arg, known):
        others.append(arg)
      else:
        options.append(arg)
        option = known.get(arg)
        if isinstance(option, click.Option) and not (option.is_flag or option.count):
          options += [value for value in [next(waiting, None)] if value is not None]
    try:
      return super().parse_args(ctx, [*options, "--", *others])
    except click.NoSuchOption as err:
      raise click.UsageError(f"{err.format_message()} {_DASH_ADVICE}", ctx) from err


def _is_input(arg: str, known: dict[str, click.Parameter]) -> bool:
  words = arg.partition("=")[0].split()
  if words and words[0] in known:  # an option and its value in one argument
    return False
  return len(words) != 1 or words[0] != arg.partition("=")[0] or bool(_NO_OPTION.match(arg))


def read_inputs(
  task: Task, arguments: Sequence[str], input_file: str | None, *, sample: bool
) -> list[Input]:
  """Returns all inputs in order, each with its value or its error.

  Args:
    task: the task of the model.
    arguments: the inputs; `-` stands for the lines of stdin.
    input_file: a file of lines, `-` for stdin, or None.
    sample: whether to add the task's own sample.

  Raises:
    BadInputError: the file does not exist, or there are no inputs.
  """
  found: list[Input] = []
  for argument in arguments:
    if argument == STDIN:
      found += _lines(task, STDIN)
    else:
      found.append(as_input(task, argument))
  if input_file is not None:
    found += _lines(task, input_file)
  if sample:
    found.append(as_input(task, task.input.sample()))
  if not found:
    raise BadInputError(f"dlpipe predict {task.name} needs at least one INPUT, or --sample.")
  return found


def _lines(task: Task, file: str) -> Iterator[Input]:
  name = "stdin" if file == STDIN else repr(file)
  for line in _read(file):
    fault = line.fault
    if fault is None and task.input.kind == "file":
      try:
        encoding.decode(line.data)
      except encoding.UndecodableError as err:
        fault = str(err)
    if fault is None:  # the model itself refuses a bad text, and says why
      yield as_input(task, line.data.decode("utf-8", "surrogateescape"))
    else:
      error = f"Line {line.number} of {name} is no input: {fault}."
      yield Input(encoding.escaped(line.data), None, error)


def _read(file: str) -> Iterator[line_files.Line]:
  if file != STDIN:
    if not os.path.isfile(file):
      raise BadInputError(f"--input-file takes a file of lines. There is none at {file!r}.")
    line_files.require_ends(file)
    yield from line_files.read_lines(file)
    return
  lines = sys.stdin.buffer.read().removeprefix(encoding.BOM).split(b"\n")
  for number, line in enumerate(lines, 1):
    if line or number < len(lines):
      yield line_files.Line(number, line.removesuffix(b"\r"))
