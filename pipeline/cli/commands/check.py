"""`dlpipe check` reads and validates the data, reports findings about it, and stops there."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from typing import Any

import click

from dlpipe.errors import BadInputError
from dlpipe.local_paths import require_new_file
from pipeline.api.carrying_out import examine
from pipeline.api.inputs import prepare
from pipeline.cli.commands.run import Afterword, execute
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import run_options
from pipeline.suspects.supported import require_classes

_WIDTH = 100


@click.command(short_help="Read and validate the data; train nothing.")
@click.option("--labels", is_flag=True, help="Look for labels that are likely wrong, too.")
@click.option(
  "--page",
  type=LocalPath(),
  metavar="FILE.html",
  help="Write the page on the data there, too.",
)
@click.option(
  "--suspects",
  type=LocalPath(),
  metavar="FILE.csv",
  help="Write all labels that are likely wrong to a CSV, to be reviewed; implies --labels.",
)
@run_options
def check(
  as_json: bool, labels: bool, page: str | None, suspects: str | None, **options: Any
) -> None:
  """Read TASK's data and hold it against the reviewed schema and the data gate.

  Then say how it is balanced and how long its inputs are, and what is repeated, nearly repeated,
  labelled in two ways, or in two splits at once. Such findings are warnings: they do not change
  the exit code. A later `dlpipe run` with the same data takes all it can from the cache.

  A page shows all of it, with pictures or texts: what each class looks like, what is odd, leaks and
  contradictions side by side. The last line says where it is; it opens without a network.

  With --labels, a cheap model scores each row without having seen it, and names the labels that
  contradict its scores. Review the rows in FILE.csv, enter new_label where the label is wrong, and
  run with --set data.relabel=FILE.csv.
  """
  if suspects is not None and not suspects.lower().endswith(".csv"):
    raise BadInputError(f"--suspects writes CSV: the name must end in .csv. Received: {suspects}")
  if page is not None and not page.lower().endswith(".html"):
    raise BadInputError(f"--page writes HTML: the name must end in .html. Received: {page}")
  if suspects is not None and pathlib.Path(suspects).exists():
    raise BadInputError(f"{suspects} exists, and may hold a review. Choose another name.")
  for option, file in (("--page", page), ("--suspects", suspects)):
    if file is not None:
      require_new_file(option, file, source=options["data"])
  inputs = prepare(**options)
  is_labels = labels or suspects is not None
  if is_labels:
    require_classes(inputs.task)
  # Measured before the run redirects stdout to its log.
  width = max(40, min(shutil.get_terminal_size((_WIDTH, 0)).columns, _WIDTH))
  found: dict[str, Any] = {}

  def look(run_id: str) -> dict[str, Any] | None:
    found.update(examine(inputs, run_id, labels=is_labels) or {})
    if page is not None and found:
      target = pathlib.Path(page)
      target.parent.mkdir(parents=True, exist_ok=True)
      with contextlib.suppress(shutil.SameFileError):  # it is there already
        shutil.copyfile(found["page"], target)
      found["page"] = str(target)
    if suspects is not None and "suspects" in found:
      _write(suspects, found["suspects"]["likely"])
    return found or None

  execute(
    inputs,
    as_json=as_json,
    train_and_push=False,
    examine=look,
    afterwards=lambda _: Afterword(lines=_lines(found, width)),
  )


def _lines(found: dict[str, Any], width: int) -> list[str]:
  from pipeline.checks.render import lines

  return lines(found, width=width) if found else []


def _write(path: str, likely: list[dict[str, Any]]) -> None:
  from pipeline.suspects.review import as_csv

  target = pathlib.Path(path)
  target.parent.mkdir(parents=True, exist_ok=True)
  target.write_text(as_csv(likely), encoding="utf-8")
