"""`dlpipe replay` sends logged requests through a candidate and what is live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import click

from dlpipe.words import one_line
from pipeline.api.operations import replaying
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import (
  FiniteRange,
  json_option,
  log_option,
  together,
  workspace_option,
)
from pipeline.cli.task_argument import task_argument
from pipeline.task import Task
from pipeline.tasks import get_task

_BATCH = 64
_SIDE_BY_SIDE = 4  # requests of a batch each
_SHOWN_FLIPS, _SHOWN_PAIRS = 10, 10


# What `replay` and `promote` share: which requests, and who answers.
replay_options = together(
  log_option,
  click.option(
    "--since",
    metavar="WHEN",
    help="Requests since then: an age such as 24h or 7d, or a date and time in UTC.",
  ),
  click.option(
    "--count", type=click.IntRange(min=1), metavar="N", help="The latest N requests alone."
  ),
  click.option(
    "--tolerance",
    type=FiniteRange(min=0),
    default=0.0,
    show_default=True,
    help="For tasks that answer with a number: the largest difference that is no flip.",
  ),
  click.option(
    "--endpoint",
    metavar="URL",
    help="Ask a server that has both versions. Default: load them into this process.",
  ),
  click.option(
    "--candidate-endpoint",
    metavar="URL",
    help="Ask another server for the candidate.",
  ),
  click.option("--token-file", metavar="FILE", help="A bearer token for the servers."),
  click.option(
    "--ca-file", metavar="FILE", help="Who signed the certificate of an https or grpcs URL."
  ),
)


@click.command(short_help="Replay logged requests on a candidate; show the flips.")
@task_argument
@click.option(
  "--candidate",
  type=click.IntRange(min=1),
  metavar="V",
  help="The version to try. Default: the latest candidate, else the canary.",
)
@click.option(
  "--against",
  type=click.IntRange(min=1),
  metavar="V",
  help="The version to compare with. Default: what is live.",
)
@replay_options
@workspace_option
@json_option
def replay(
  task: str,
  candidate: int | None,
  against: int | None,
  workspace: str | None,
  as_json: bool,
  **options: Any,
) -> None:
  """Send logged requests through two versions of TASK: which answers become another, how many?

  A request whose label, text or number is another is a flip, whatever the scores. Equal requests
  count as often as they were asked. The rate is that of the random part of the log alone, because
  rows that are logged for being unsure or rare flip more often. A page with the flipped requests,
  and a JSON file with all of them, are written to the folder replays of the task.

  \b
  Examples:
    dlpipe replay images --since 24h
    dlpipe replay sentiment --candidate 7 --against 5 --count 10000
    dlpipe replay images --candidate 7 --endpoint grpc://models:8500
  """
  known = get_task(task)
  done = replayed(known, workspace, candidate=candidate, against=against, **options)
  if as_json:
    echo_json({"task": known.name, **done.to_json()})
    return
  for line in lines(known, done):
    click.echo(line)


def replayed(
  task: Task,
  workspace: str | None,
  *,
  log_dir: str | None,
  endpoint: str | None,
  candidate_endpoint: str | None,
  token_file: str | None,
  ca_file: str | None,
  **options: Any,
) -> replaying.Replayed:
  """Replays with the options of `replay_options`.

  Raises:
    UsageError: options of a server are given without a server.
    DlpipeError: as `replaying.replay`.
  """
  connect = None
  if endpoint is not None:
    connect = servers(task, endpoint, candidate_endpoint or endpoint, token_file, ca_file)
  elif candidate_endpoint is not None or token_file is not None or ca_file is not None:
    raise click.UsageError(
      "--candidate-endpoint, --token-file and --ca-file are for servers: give --endpoint, too."
    )
  return replaying.replay(
    task,
    workspace=workspace,
    log=log_dir,
    connect=connect,
    tell=lambda said: click.echo(said, err=True),
    **options,
  )


def lines(task: Task, done: replaying.Replayed) -> list[str]:
  """Returns what the screen says of a replay."""
  found = done.found
  said = [f"{task.name}: version {done.candidate} against version {done.against}", done.sentence]
  if found.without_input:
    said.append(f"{found.without_input:,} more were refused, or logged without their input.")
  if found.refused:
    said.append(f"{found.refused:,} requests neither version can answer.")
  for before, after, count in found.pairs[:_SHOWN_PAIRS]:
    said.append(f"  {count:>7,}  {_shown(before)} -> {_shown(after)}")
  for flip in found.flips[:_SHOWN_FLIPS]:
    name = f"{flip.id} ({flip.client_id})" if flip.client_id else flip.id
    old, new = (
      f"{_shown(answer)}{f' {score:.4f}' if score is not None else ''}"
      for answer, score in ((flip.before, flip.before_score), (flip.after, flip.after_score))
    )
    said.append(f"  {name}: {old} -> {new}")
  if len(found.flips) > _SHOWN_FLIPS:
    said.append(f"  and {len(found.flips) - _SHOWN_FLIPS:,} more in {done.facts}")
  return [*said, f"Report   {done.report}"]


def _shown(answer: Any) -> str:
  text = one_line(f"{answer:.6g}" if isinstance(answer, float) else str(answer))
  return text if len(text) <= 60 else f"{text[:57]}..."


def servers(
  task: Task, endpoint: str, of_candidate: str, token_file: str | None, ca_file: str | None
) -> replaying.Connect:
  """Returns what asks servers, in batches side by side.

  Args:
    task: the task.
    endpoint: the server to ask for the version to compare with.
    of_candidate: the server to ask for the candidate.
    token_file: file that holds a bearer token, or None.
    ca_file: PEM file of who signed the servers' certificate, or None.
  """

  def connect(version: int | None, part: str) -> replaying.Asked:
    from pipeline.cli.endpoint import EndpointModel

    model = EndpointModel(
      task,
      of_candidate if part == "candidate" else endpoint,
      timeout_s=60.0,
      token_file=token_file,
      ca_file=ca_file,
      version=version,
    )
    threads = futures.ThreadPoolExecutor(_SIDE_BY_SIDE)

    def begin(values: Sequence[bytes]) -> Callable[[], list[Any]]:
      parts = [
        threads.submit(model.answers, values[start : start + _BATCH])
        for start in range(0, len(values), _BATCH)
      ]
      return lambda: [answer for part in parts for answer in part.result()]

    def close() -> None:
      threads.shutdown(cancel_futures=True)
      model.close()

    return replaying.Asked(version=model.version, begin=begin, close=close)

  return connect
