"""`dlpipe watch` compares logged requests with what the served version was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlpipe.errors import DataRefusedError
from pipeline.api.operations import watching
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import FiniteRange, log_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.tasks import get_task

if TYPE_CHECKING:
  from pipeline.batch.requests.watching import Watched


@click.command(short_help="Compare logged requests with what was trained on.")
@task_argument
@click.option(
  "--since",
  default=watching.SINCE,
  show_default=True,
  metavar="WHEN",
  help="Requests since then: an age at --until such as 24h or 7d, or a date and time in UTC.",
)
@click.option(
  "--until", metavar="WHEN", help="The window's end, a date and time in UTC. Default: now."
)
@click.option(
  "--labels",
  type=LocalPath(),
  metavar="FILE",
  help="Labels by id, as dlpipe log join takes and writes them: says how many answers are right.",
)
@click.option(
  "--label-column", metavar="NAME", help="The column of the labels. Default: the task's."
)
@click.option(
  "--least",
  type=FiniteRange(0, 1, min_open=True, max_open=True),
  default=watching.LEAST,
  show_default=True,
  metavar="BITS",
  help="The smallest change that counts, as gates.least_drift.",
)
@click.option(
  "--metrics",
  type=LocalPath(),
  metavar="FILE",
  help="Write the numbers for Prometheus's textfile collector, such as dlpipe.prom.",
)
@log_option
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.pass_context
def watch(
  context: click.Context,
  task: str,
  since: str,
  until: str | None,
  labels: str | None,
  label_column: str | None,
  least: float,
  metrics: str | None,
  log_dir: str | None,
  workspace: str | None,
  as_json: bool,
) -> None:
  """Compare the requests to TASK with what the served version was trained on.

  Their answers are compared with those to eval, and with those of the window before. Earlier
  windows of the log set the bounds. Ends with 3 if something has changed.

  \b
  Examples:
    dlpipe watch sentiment                       # the last 24 hours
    dlpipe watch images --since 7d --metrics /var/lib/node_exporter/dlpipe.prom
  """
  known = get_task(task)
  told: list[str] = []

  def tell(said: str) -> None:
    told.append(said)
    click.echo(said, err=True)

  found, page = watching.compare(
    known,
    since=since,
    until=until,
    log=log_dir,
    workspace=workspace,
    labels=labels,
    column=label_column or known.label_key,
    least=least,
    metrics=metrics,
    tell=tell,
  )
  for line in _lines(found):
    click.echo(line, err=as_json)
  click.echo(f"Report: {page}", err=as_json)
  if as_json:
    echo_json(watching.document(known, found, page, told))
  if found.alarms:
    context.exit(DataRefusedError.exit_code)


def _lines(found: Watched) -> list[str]:
  """Returns what was found, in words."""
  head = f"{found.requests:,} requests, compared with version {found.version}"
  refused = f"; {found.refused:,} refused" if found.refused else ""
  count = len(found.alarms)
  lines = [f"{head}{refused}: {f'{count} changed' if count else 'nothing has changed'}"]
  lines += [f"  Changed: {said}" for said in found.alarms]
  for each in found.compared:
    lines += [f"  As in the windows before: {change.sentence}" for change in each.lasting]
    lines += [
      f"  As to eval again, unlike in the window before: {change.sentence}"
      for change in each.returned
    ]
    lines += [
      f"  As to eval of the version that answers, unlike another one before: {change.sentence}"
      for change in each.renewed
    ]
  if found.live is not None and not found.live.is_worse:
    lines.append(f"  {found.live.sentence[0].upper()}{found.live.sentence[1:]}")
  lines += [f"  Note: {note}" for note in found.notes]
  if found.examples:
    lines.append("Requests of what is new:")
    lines += [
      f"  {each.origin}: {', '.join(each.why)}{f': {each.text[:80]}' if each.text else ''}"
      for each in found.examples
    ]
  return lines
