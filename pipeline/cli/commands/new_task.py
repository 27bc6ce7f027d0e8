"""`dlpipe new-task`: a task folder to start from, which works as it is written."""

from __future__ import annotations

import os
import pathlib
import re
import shlex

import click

from dlpipe.errors import BadInputError
from pipeline.cli.local_path import LocalPath
from pipeline.tasks import VARIABLE, get_task, schema_path, task_names

_TEMPLATES = pathlib.Path(__file__).resolve().parents[2] / "templates"
_KINDS = ("images", "sentiment", "translation")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FOLDER = "my_tasks"


@click.command(name="new-task", short_help="Write a task of your own, to start from.")
@click.argument("name")
@click.option(
  "--like",
  type=click.Choice(_KINDS),
  required=True,
  help="The task whose sources, checks and gates it keeps; its model is your own.",
)
@click.option(
  "--into",
  type=LocalPath(pathlib.Path),
  metavar="DIR",
  help=f"The folder of task folders. Default: the first of ${VARIABLE}, else ./{_FOLDER}.",
)
def new_task(name: str, like: str, into: pathlib.Path | None) -> None:
  """Write the folder NAME with a task that can be checked, run and tested.

  It holds task.py (what the task is), model.py (the network: change it),
  params.py (the network's settings), schema.pbtxt (what the data must look
  like) and a test. All that is not written there is taken from the task that
  it is like.

  \b
  Example:
    dlpipe new-task my_images --like images
  """
  if not _NAME.fullmatch(name):
    raise BadInputError(
      f"NAME must be lower-case letters, digits and _, the first a letter. Received: {name!r}"
    )
  if name in task_names():
    raise BadInputError(f"There is a task {name!r} already. Tasks: {', '.join(task_names())}.")
  known = [path for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]
  root = (into or pathlib.Path(known[0] if known else _FOLDER)).absolute()
  target = root / name
  if target.exists():
    raise BadInputError(f"{str(target)!r} is there already. Choose another NAME or --into.")
  get_task(like)
  _write(target, name, like)
  for path in sorted(target.iterdir()):
    click.echo(f"Wrote {os.path.relpath(path)}")
  click.echo("\nNext:")
  if str(root) not in [os.path.abspath(path) for path in known]:
    click.echo(f"  export {VARIABLE}={shlex.quote(os.pathsep.join([str(root), *known]))}")
  click.echo(f"  dlpipe check {name}")
  click.echo(f"  dlpipe run {name} --tiny")
  click.echo(f"  dlpipe settings {name} model")


def _write(target: pathlib.Path, name: str, like: str) -> None:
  """Writes the files of a task, or raises before the first where the folder cannot be made."""
  try:
    target.mkdir(parents=True)
    for template in sorted((_TEMPLATES / like).glob("*.py.txt")):
      text = template.read_text(encoding="utf-8")
      (target / template.stem).write_text(text.replace("NAME", name), encoding="utf-8")
    test = (_TEMPLATES / "test_task.py.txt").read_text(encoding="utf-8").replace("NAME", name)
    test = test.replace("FOLDER", os.path.relpath(target.parent))
    (target / f"test_{name}.py").write_text(test, encoding="utf-8")
    schema = schema_path(like).read_text(encoding="utf-8")
    (target / "schema.pbtxt").write_text(schema, encoding="utf-8")
  except OSError as err:
    raise BadInputError(f"Cannot write to {str(target)!r}: {err.strerror or err}.") from err
