"""`dlpipe new-task` writes the folder of a new task, which runs without changes."""

from __future__ import annotations

import keyword
import os
import pathlib
import re
import shlex

import click

from dlpipe.errors import BadInputError
from pipeline.cli.local_path import LocalPath
from pipeline.task import NAME
from pipeline.tasks import (
  BEHAVIOUR_FILE,
  VARIABLE,
  behaviour_path,
  get_task,
  schema_path,
  task_names,
)

_TEMPLATES = pathlib.Path(__file__).resolve().parents[2] / "templates"
_KINDS = ("images", "sentiment", "translation")
# The modules of `pipeline.problems`, and the kind of answer that a task of each describes.
# `classes` needs no entry: it is what images and sentiment have already.
_CLASSES = "classes"
_PROBLEMS = {"labels": "The labels", "number": "The number"}
_CLASSIFIERS = ("images", "sentiment")
_FOLDER = "tasks"
_WORD = re.compile(r"\b(NAME|KIND|SUMMARY|FOLDER)\b")
_LABEL = re.compile(r'feature \{\n  name: "label"\n.*?\n\}', re.DOTALL)


@click.command(name="new-task", short_help="Write a task of your own, to start from.")
@click.argument("name")
@click.option(
  "--like",
  type=click.Choice(_KINDS),
  required=True,
  help="The task whose sources, checks and gates it keeps; its model is your own.",
)
@click.option(
  "--problem",
  type=click.Choice((_CLASSES, *_PROBLEMS)),
  help="What a task like images or sentiment answers with: one class of several, any number of "
  "labels, or a number.  [default: classes]",
)
@click.option(
  "--into",
  type=LocalPath(pathlib.Path),
  metavar="DIR",
  help=f"The folder of task folders. Default: the first of ${VARIABLE}, else ./{_FOLDER}.",
)
def new_task(name: str, like: str, problem: str | None, into: pathlib.Path | None) -> None:
  """Write the folder NAME with a task that can be checked, run and tested.

  It holds task.py (what the task is), model.py (the network: change it),
  params.py (the network's settings), schema.pbtxt (what the data must look
  like), behaviour.yaml (how a model must behave) and a test. All that is not
  written there is taken from the task that it is like.

  With --problem labels or number it reads tables, whose column `label` holds
  them, and brings a sample of its own.

  \b
  Examples:
    dlpipe new-task my_images --like images
    dlpipe new-task prices --like sentiment --problem number
  """
  if not NAME.fullmatch(name):
    raise BadInputError(
      f"NAME must be lower-case letters, digits and _, the first a letter. Received: {name!r}"
    )
  if keyword.iskeyword(name):
    raise BadInputError(
      f"NAME must be no word of Python's own, as {name!r} is. Choose another one."
    )
  if name in task_names():
    raise BadInputError(f"There is a task {name!r} already. Tasks: {', '.join(task_names())}.")
  known = [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]
  root = (into or pathlib.Path(known[0] if known else _FOLDER)).absolute()
  target = root / name
  if target.exists():
    raise BadInputError(f"{str(target)!r} is there already. Choose another NAME or --into.")
  if problem is not None and like not in _CLASSIFIERS:
    raise BadInputError(
      f"--problem is for a task like {' or '.join(_CLASSIFIERS)}. Received: --like {like}, which "
      "answers with a text; leave --problem out."
    )
  get_task(like)
  _write(target, name, like, problem or _CLASSES)
  for path in sorted(target.iterdir()):
    click.echo(f"Wrote {os.path.relpath(path)}")
  click.echo("\nNext:")
  if str(root) not in [os.path.abspath(path) for path in known]:
    click.echo(f"  export {VARIABLE}={shlex.quote(os.pathsep.join([str(root), *known]))}")
  click.echo(f"  dlpipe check {name}")
  click.echo(f"  dlpipe run {name} --tiny")
  click.echo(f"  dlpipe settings {name} model")


def _write(target: pathlib.Path, name: str, like: str, problem: str) -> None:
  """Writes the files of a task; if the folder cannot be made, raises before it writes any."""
  words = {"NAME": name, "KIND": problem, "SUMMARY": _PROBLEMS.get(problem, "")}
  words["FOLDER"] = os.path.relpath(target.parent)
  files = {f"test_{name}.py": _TEMPLATES / "test_task.py.txt"}
  schema = schema_path(like).read_text(encoding="utf-8")
  if problem in _PROBLEMS:
    folder = _TEMPLATES / "of_problems"
    own = ("task.py", "model.py", "params.py", "preprocessing.py", "source.py")
    files |= {file: folder / like / f"{file}.txt" for file in own}
    files["sample.py"] = folder / like / f"sample_{problem}.py.txt"
    label = (folder / f"label_{problem}.pbtxt.txt").read_text(encoding="utf-8")
    schema = _LABEL.sub(lambda _: label.rstrip(), schema)
  else:
    files |= {path.stem: path for path in (_TEMPLATES / like).glob("*.py.txt")}
  texts = {file: template.read_text(encoding="utf-8") for file, template in files.items()}
  filled = {file: _WORD.sub(lambda word: words[word[0]], text) for file, text in texts.items()}
  written = {**filled, "schema.pbtxt": schema, BEHAVIOUR_FILE: _behaviour(like, problem)}
  try:
    target.mkdir(parents=True)
    for file, text in written.items():
      (target / file).write_text(text, encoding="utf-8")
  except OSError as err:
    raise BadInputError(f"Cannot write to {str(target)!r}: {err.strerror or err}.") from err


def _behaviour(like: str, problem: str) -> str:
  """Returns tests of behaviour that hold for any data of such a task."""
  places = (
    _TEMPLATES / "of_problems" / like / f"behaviour_{problem}.yaml.txt",
    _TEMPLATES / like / f"{BEHAVIOUR_FILE}.txt",
    behaviour_path(like),
  )
  found = next(place for place in places if place is not None and place.is_file())
  return found.read_text(encoding="utf-8")
