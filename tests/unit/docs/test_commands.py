"""Every `dlpipe` line of the README and the docs is one that the command line takes."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator

import click
import pytest

from dlpipe.nodes import check_node
from pipeline.cli.main import cli
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task, task_names
from serving import flags

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_PAGES = ("README.md", "CONTRIBUTING.md", "*/README.md", "docs/**/*.md")
_BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`((?:\.venv/bin/)?dlpipe [^`]*)`(?!`)")
# Names of tasks that a page makes, or that stand for any.
_ANY_TASK = {"TASK", "fields", "my_images", "prices"}


def _pages() -> list[pathlib.Path]:
  return sorted(page for pattern in _PAGES for page in _ROOT.glob(pattern))


def _commands(text: str) -> Iterator[list[str]]:
  """The arguments of each `dlpipe` in a block of shell."""
  for line in text.replace("\\\n", " ").splitlines():
    parser = shlex.shlex(line, posix=True, punctuation_chars=True)
    parser.whitespace_split = True
    words: list[str] = []
    for word in [*parser, ";"]:
      if set(word) <= set("|&;()<>"):
        yield from _of_dlpipe(words)
        words = []
      else:
        words.append(word)


def _of_dlpipe(words: list[str]) -> Iterator[list[str]]:
  for index, word in enumerate(words):
    if word == "dlpipe" or word.endswith("/bin/dlpipe"):
      yield words[index + 1 :]
      return


def _blocks() -> list[tuple[str, list[str]]]:
  return [
    (str(page.relative_to(_ROOT)), arguments)
    for page in _pages()
    for _, block in _BLOCK.findall(page.read_text(encoding="utf-8"))
    for arguments in _commands(block)
  ]


def _parsed(arguments: list[str]) -> click.Context:
  """Parses as the command line does, without running."""
  context = cli.make_context("dlpipe", list(arguments))
  while isinstance(context.command, click.Group):
    rest = [*context._protected_args, *context.args]
    assert rest, f"{arguments} names no command"
    name, command, rest = context.command.resolve_command(context, rest)
    assert command is not None
    context = command.make_context(name or "", rest, parent=context)
  return context


@pytest.mark.parametrize(
  ("page", "arguments"), _blocks(), ids=[f"{p} {' '.join(a)}"[:90] for p, a in _blocks()]
)
def test_a_line_of_a_block_is_taken(page, arguments):
  context = _parsed(arguments)
  given = context.params
  if context.command.name == "serve":
    task, rest = [], list(given["arguments"])
    if rest and not rest[0].startswith("-"):
      task, rest = rest[:1], rest[1:]
    assert set(task) <= {*task_names(), *_ANY_TASK}
    assert flags.parse(rest)[1] == []
    return
  if given.get("task") is None:
    return
  assert given["task"] in {*task_names(), *_ANY_TASK}
  if given["task"] in _ANY_TASK:
    return
  config = make_config(
    get_task(given["task"]), data_path="d", workspace="w", settings=given.get("settings") or ()
  )
  for option in ("from_node", "until_node"):
    check_node(option, given.get(option), trials=config.tune.trials)


def _spans() -> list[tuple[str, str]]:
  return [
    (str(page.relative_to(_ROOT)), span.replace("\n", " "))
    for page in _pages()
    for span in _SPAN.findall(re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL))
  ]


@pytest.mark.parametrize(("page", "span"), sorted(set(_spans())))
def test_a_command_in_a_sentence_exists_with_its_options(page, span):
  """Such as `dlpipe runs why RUN`: commands and options are held, arguments may be left out."""
  words = re.split(r"[\s=\[\]|]+", span.partition("dlpipe ")[2])
  command: click.Command = cli
  context = click.Context(cli)
  while isinstance(command, click.Group) and words and not words[0].startswith("-"):
    if words[0].isupper() or words[0] == "...":
      return
    found = command.get_command(context, words[0])
    assert found is not None, f"{page}: {span}"
    command, words = found, words[1:]
  if command.name == "serve":
    return
  known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
  known |= {"--help", "--version"}
  for word in words:
    if word.startswith("--"):
      assert word in known, f"{page}: {span}"


def test_lines_are_found_and_read_as_a_shell_does():
  assert len(_blocks()) > 80
  assert list(
    _commands("cat x | .venv/bin/dlpipe predict a - && A=1 dlpipe run b  # and so on")
  ) == [
    ["predict", "a", "-"],
    ["run", "b"],
  ]
