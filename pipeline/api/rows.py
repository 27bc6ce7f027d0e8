"""Finds the predictions of a run and reads the rows that a person asks for."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

from dlpipe.errors import BadInputError
from dlpipe.nodes import PREDICTIONS
from pipeline.api.history import opened, outputs_of, past_runs

if TYPE_CHECKING:
  import pyarrow as pa

  from pipeline.runs.lineage import PastRun

LATEST = "latest"


def predictions_of(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None
) -> tuple[PastRun, pathlib.Path]:
  """Returns a run and the directory of its predictions.

  Args:
    run_id: the run's name; `latest` for the latest one that has predictions.
    task: the run's task; None if the name is enough.
    workspace: the workspace as the user gave it; None takes the environment's, or the default.
    mlmd: a metadata store's connection file; None takes the SQLite files of the workspace.

  Raises:
    BadInputError: there is no such run, or it has no predictions.
  """
  if run_id == LATEST:
    for run in past_runs(task, workspace, mlmd):
      if (directory := _directory(run)) is not None:
        return run, directory
    of_task = f" of {task}" if task is not None else ""
    raise BadInputError(f"No run{of_task} has predictions yet. `dlpipe run` makes them.")
  with opened(run_id, task, workspace, mlmd) as (_, run):
    found = _directory(run)
  if found is None:
    raise BadInputError(
      f"The run {run_id} has no predictions: it ended before its model was evaluated, or it is of "
      "an earlier release."
    )
  return run, found


def rows_of(
  directory: pathlib.Path,
  *,
  where: str | None = None,
  sort: str | None = None,
  limit: int | None = None,
) -> pa.Table:
  """Reads the rows of a `Predictions` artifact that fulfil a condition.

  Raises:
    BadInputError: the file is missing, or the condition or the column cannot be used.
  """
  from pipeline.rows import table

  if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
    raise BadInputError(f"limit takes a whole number of at least 0. Received: {limit!r}")
  return table.asked(table.read(directory), where=where, sort=sort, limit=limit)


def as_rows(table: pa.Table) -> list[dict[str, Any]]:
  """Returns the rows as dictionaries that JSON can hold."""
  from pipeline.rows.table import as_rows

  return as_rows(table)


def _directory(run: PastRun) -> pathlib.Path | None:
  uri = PREDICTIONS.find(outputs_of(run))
  return pathlib.Path(uri) if uri is not None else None
