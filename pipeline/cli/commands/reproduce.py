"""`dlpipe runs reproduce` repeats a run in another workspace and compares the metrics."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from dlpipe.errors import BadInputError
from dlpipe.words import number
from dlpipe.workspace import Workspace
from pipeline.api.inputs import look_at
from pipeline.api.stores import checked, tasks_in
from pipeline.cli.commands.run import Afterword, execute
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import FiniteRange, json_last_option, task_of_run_option, workspace_option
from pipeline.execution.options import RunOptions
from pipeline.runs import run_files
from pipeline.settings.config import MetadataConfig
from pipeline.settings.telling import NotifyConfig, TrackingConfig
from pipeline.tasks import get_task

if TYPE_CHECKING:
  from pipeline.runs.reproduction import Reproduction


@click.command(short_help="Repeat a run, and compare.")
@click.argument("run_id", metavar="RUN")
@task_of_run_option
@workspace_option
@click.option(
  "--into",
  type=LocalPath(),
  metavar="DIR",
  help="The workspace of the repetition. Default: <task>/reproduced/RUN in the run's own.",
)
@click.option(
  "--tolerance",
  type=FiniteRange(min=0),
  default=1e-6,
  show_default=True,
  help="What two values of a metric may differ by.",
)
@json_last_option
def reproduce(
  run_id: str,
  task: str | None,
  workspace: str | None,
  into: str | None,
  tolerance: float,
  as_json: bool,
) -> None:
  """Repeat the run RUN with all that it was told, from nothing, in a workspace of its own.

  Then compare the metrics, and say which code, data and packages are others. Exits with 0 where
  every metric is the same, and with 1 where one is not. Nothing is pushed to where RUN pushed.
  """
  runs = Workspace.of(workspace)
  name = checked(task, workspace)
  tasks = [name] if name is not None else tasks_in(workspace)
  told = run_files.find(runs, run_id, tasks)
  # The path at which the data is now, even if the workspace was moved.
  original = told.config.model_copy(update={"workspace": str(runs.path)})
  place = os.path.abspath(into) if into is not None else str(original.folder.reproduction(run_id))
  if os.path.isdir(place) and os.listdir(place):
    raise BadInputError(
      f"{place!r} is not empty: a repetition starts from nothing. Delete it, or name another "
      "folder with --into."
    )
  # Spans that came since are none of the run's.
  data = original.data.model_copy(update={"last_span": told.last_span})
  # A repetition is nobody's news.
  quiet = {"notify": NotifyConfig(), "tracking": TrackingConfig()}
  config = original.model_copy(
    update={"workspace": place, "metadata": MetadataConfig(), "data": data, **quiet}
  )

  def compare(repeated_id: str) -> Afterword:
    from pipeline.runs import lineage, reproduction
    from pipeline.runs.store.metadata_stores import connection, open_store

    with (
      open_store(connection(original)) as first,
      open_store(connection(config)) as second,
    ):
      before = lineage.show_run(first, run_id, original.task)
      after = lineage.show_run(second, repeated_id, config.task)
      if before is None or after is None:
        raise BadInputError(
          f"The metadata store of {original.folder.root} does not know {run_id!r}."
        )
      found = reproduction.compare(
        (first, before),
        (second, after),
        packages=(told.versions, run_files.package_versions()),
        tolerance=tolerance,
      )
    return Afterword(
      lines=_lines(run_id, found),
      fields={"reproduces": {"run_id": run_id, **found.to_json()}},
      failed=not found.is_equal,
    )

  execute(
    look_at(get_task(original.task), config),
    as_json=as_json,
    train_and_push=True,
    how=RunOptions(use_cache=False),
    afterwards=compare,
  )


def _lines(run_id: str, found: Reproduction) -> list[str]:
  if not found.metrics:
    return [f"Not comparable: neither {run_id} nor this run came to metrics"]
  lines = [f"Reproduced  {run_id}" if found.is_equal else f"Differs     from {run_id}"]
  for name, values in found.metrics.items():
    # If two values agree in four digits, more digits are shown.
    write = number if found.has_same(name) else repr
    shown = [write(each) if each is not None else "none" for each in values]
    lines.append(f"            {name} {' -> '.join(shown)}")
  for node, kinds in found.nodes.items():
    lines.append(f"            {node}: {' and '.join(kinds)} changed since")
  for name, versions in found.packages.items():
    lines.append(f"            {name} {' -> '.join(each or 'none' for each in versions)}")
  return lines
