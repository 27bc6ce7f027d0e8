"""`dlpipe runs rows` lists single examples of a run with what its model says of them."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import click

from dlpipe.errors import BadInputError
from dlpipe.words import number
from pipeline.api.history import predictions_of
from pipeline.api.quiet_screen import quieten_screen
from pipeline.api.stores import checked
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import store_options

_SHOWN = 20  # rows on the screen, unless --limit says otherwise
_COLUMNS = 120  # if the width of the screen is unknown
_CELL_CHARACTERS = 40


@click.command("rows", short_help="List val and eval examples with their predictions.")
@click.argument("run_id", metavar="RUN")
@click.option("--task", metavar="TASK", help="Whose run, where several have that name.")
@click.option(
  "--where",
  metavar="CONDITION",
  help="Only rows for which this holds, such as \"label == 'cat' and predicted == 'dog'\".",
)
@click.option(
  "--sort",
  metavar="COLUMN",
  help="Sort by a column: numbers from the greatest down, such as loss; loss:asc from the least.",
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="The most rows.")
@click.option(
  "--output", type=LocalPath(), metavar="FILE.csv", help="Write the rows to a CSV, all of them."
)
@store_options
def rows(
  run_id: str,
  task: str | None,
  where: str | None,
  sort: str | None,
  limit: int | None,
  output: str | None,
  workspace: str | None,
  mlmd: str | None,
  as_json: bool,
) -> None:
  """List the val and eval examples of the run RUN, each with its origin, label and prediction.

  RUN may be `latest`. A condition compares columns with texts and numbers, and joins comparisons
  with and, or, not, in: split == 'eval' and not right and score > 0.9. docs/reading-a-run.md lists
  the columns.
  """
  quieten_screen()
  if output is not None and not output.lower().endswith(".csv"):
    raise BadInputError(
      f"--output writes CSV: expected a name that ends in .csv. Received: {output}"
    )
  if output is not None and pathlib.Path(output).exists():
    raise BadInputError(f"{output} exists, and may hold a review. Choose another name.")
  name = checked(task, workspace)
  from pipeline.rows import table

  run, directory = predictions_of(run_id, name, workspace, mlmd)
  # The largest column, and the screen does not show it.
  without = () if as_json or output is not None else ("scores",)
  found = table.asked(table.read(directory, without=without), where=where, sort=sort)
  shown = found if limit is None else found.slice(0, limit)
  if output is not None:
    pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(output).write_text(table.as_csv(shown), encoding="utf-8")
  if as_json:
    facts = {"run_id": run.run_id, "task": run.task, "count": found.num_rows}
    listed = {"output": output} if output is not None else {"rows": table.as_rows(shown)}
    echo_json({**facts, **listed})
    return
  click.echo(f"{run.task}  run {run.run_id}  {found.num_rows:,} rows")
  if output is not None:
    click.echo(f"Written  {shown.num_rows:,} rows to {output}")
    return
  if limit is None:
    shown = found.slice(0, _SHOWN)
  columns = shutil.get_terminal_size((_COLUMNS, 0)).columns
  for line in _lines(table.as_rows(shown), columns):
    click.echo(line)
  if shown.num_rows < found.num_rows:
    click.echo(
      f"{found.num_rows - shown.num_rows:,} more: --limit N shows N, --output FILE.csv writes all."
    )


def _lines(rows: list[dict[str, Any]], columns: int) -> list[str]:
  """Returns the rows as a table that fits the screen: its end is cut, where a text stands."""
  if not rows:
    return []
  names = [
    name for name in rows[0] if name not in _HIDDEN and any(row[name] is not None for row in rows)
  ]
  names.sort(key=lambda name: name == "input")
  cells = [names, *([_cell(row, name) for name in names] for row in rows)]
  widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
  lines = []
  for line in cells:
    padded = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
    lines.append("  ".join(padded).rstrip()[:columns])
  return lines


# Parts of the origin, and columns that only a program reads.
_HIDDEN = ("file", "row", "id", "number", "scores")


def _cell(row: Mapping[str, Any], name: str) -> str:
  value = row[name]
  if value is None:
    return "-"
  if isinstance(value, bool):
    return "yes" if value else "no"
  if isinstance(value, float):
    return number(value)
  text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
  return text if len(text) <= _CELL_CHARACTERS else f"{text[: _CELL_CHARACTERS - 1]}…"
