"""`dlpipe clean` deletes files of earlier runs that nobody needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dlpipe.words import memory
from dlpipe.workspace import Workspace
from pipeline.api.operations.cleaning import clean as delete
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import FiniteRange, json_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.settings.keep import KeepConfig

if TYPE_CHECKING:
  from pipeline.runs.retention.planning import Plan

_MB = 1_000_000


@click.command(short_help="Delete files of earlier runs.")
@task_argument
@click.option(
  "--runs", type=click.IntRange(min=1), metavar="N", help="Keep the latest N runs (keep.runs)."
)
@click.option(
  "--days",
  type=FiniteRange(min=0, min_open=True),
  metavar="D",
  help="Keep runs of the last D days (keep.days).",
)
@click.option(
  "--max-mb",
  type=FiniteRange(min=0, min_open=True),
  metavar="MB",
  help="Delete the oldest until the task's folder takes so many MB (keep.max_mb).",
)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")
@workspace_option
@click.option(
  "--mlmd",
  type=LocalPath(),
  metavar="FILE",
  help="A further metadata store that runs of TASK are in.",
)
@json_option
def clean(
  task: str,
  runs: int | None,
  days: float | None,
  max_mb: float | None,
  dry_run: bool,
  workspace: str | None,
  mlmd: str | None,
  as_json: bool,
) -> None:
  """Delete artifacts, older versions, reports and logs of earlier runs of TASK.

  Without --runs, --days and --max-mb the bounds `keep` of the latest run hold; without any,
  only what killed processes left is deleted.

  Never deleted: what is served, what has a label or a pin, the version that a rollback goes back
  to, the latest run, the latest that went well, and the model that the next one is compared with.
  The metrics and verdicts of a cleaned run are kept, and `dlpipe runs reproduce` computes it again.

  \b
  Examples:
    dlpipe clean images --runs 10 --dry-run
    dlpipe clean images --days 30 --max-mb 20000
  """
  plan, keep = delete(
    task,
    workspace,
    mlmd,
    keep=KeepConfig(runs=runs, days=days, max_mb=max_mb),
    dry_run=dry_run,
  )
  if as_json:
    bounds = keep.model_dump(mode="json")
    echo_json({"task": task, "dry_run": dry_run, "keep": bounds, **to_json(plan)})
    return
  place = Workspace.of(workspace).option
  for line in _lines(plan, keep, f"{task}{place}", dry_run=dry_run):
    click.echo(line)


def to_json(plan: Plan) -> dict[str, Any]:
  """Returns the object `--json` prints of a plan."""
  return {
    "runs": [{"run_id": run_id, "why": why} for run_id, why in plan.runs.items()],
    "versions": sorted(plan.versions),
    "paths": sorted(plan.paths),
    "freed_bytes": plan.freed,
    "left_bytes": plan.left,
    "over_bytes": plan.over,
    "protected": [{"run_id": run_id, "why": why} for run_id, why in plan.protected.items()],
  }


def _lines(plan: Plan, keep: KeepConfig, place: str, *, dry_run: bool) -> list[str]:
  lines = [f"Run      {run_id}  {why}" for run_id, why in plan.runs.items()]
  if plan.versions:
    lines.append(f"Versions {', '.join(map(str, sorted(plan.versions)))}")
  done = "Would free" if dry_run else "Freed"
  lines.append(
    f"{done} {memory(plan.freed / _MB)} in {len(plan.paths)} places; {memory(plan.left / _MB)} stay"
  )
  if plan.over and keep.max_mb is not None:
    lines.append(
      f"That is {memory(plan.over / _MB)} more than keep.max_mb={keep.max_mb:g}. What is left is "
      "protected:"
    )
    lines += [f"  {run_id}: {why}" for run_id, why in plan.protected.items()]
  if not keep.is_set:
    lines.append(
      "No bound is set, so only leftovers count. "
      f"`dlpipe clean {place} --runs 10`, or the setting keep.runs, keeps ten runs."
    )
  return lines
