"""`dlpipe promote` makes a candidate live, or tries it beside what is live."""

from __future__ import annotations

from typing import Any

import click

from components.versioned_pusher import mirror, stages
from components.versioned_pusher.version_folders import list_versions
from dlpipe.errors import ModelRefusedError
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.announcing.stage_moves import tell_of_stage
from pipeline.api.operations import replaying, staging
from pipeline.api.operations.told_bounds import told_max_flips
from pipeline.cli.json_output import echo_json
from pipeline.cli.operations.replay import lines, replay_options, replayed
from pipeline.cli.options import FiniteRange, json_option, reason_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.tasks import get_task


@click.command(short_help="Make a candidate live, or try it as the canary.")
@task_argument
@click.argument("version", required=False, type=click.IntRange(min=1))
@click.option(
  "--to",
  "stage",
  type=click.Choice([stages.STABLE, stages.CANARY]),
  default=stages.STABLE,
  show_default=True,
  help="stable: it is live. canary: only requests that name it, or the label canary, reach it.",
)
@click.option(
  "--max-flips",
  type=FiniteRange(min=0, max=1),
  metavar="RATE",
  help="Replay logged requests first; refuse if more of them get another answer, such as 0.02. "
  "Default: push.max_flips of the run that pushed VERSION.",
)
@replay_options
@reason_option
@workspace_option
@json_option
def promote(
  task: str,
  version: int | None,
  stage: str,
  max_flips: float | None,
  reason: str | None,
  workspace: str | None,
  as_json: bool,
  **options: Any,
) -> None:
  """Make VERSION of TASK live: by default the latest candidate, else the canary.

  With push.stage=candidate a model that every gate let through waits in serving/candidates/ until
  it is promoted. What is live is always the largest number, so servers need no configuration; those
  that read models.config also answer the labels stable and canary.

  With --max-flips, or the setting push.max_flips, logged requests are replayed as by `dlpipe
  replay`. Too many flips refuse the promotion (exit 4), and the record says so.

  With push.copy_to, what is live is copied to the store. If that fails, promoting the version again
  copies it; a canary is not copied.

  \b
  Examples:
    dlpipe promote images --to canary --reason "try it on 5 % of the traffic"
    dlpipe promote images 7 --reason "a week without a difference"
    dlpipe promote images 7 --max-flips 0.02 --since 24h
  """
  known = get_task(task)
  folder = Workspace.of(workspace).task(known.name)
  target = staging.target_of(folder, version)
  flips, compared = None, None
  bound = max_flips
  if bound is None:
    bound = told_max_flips(folder, target, tell=lambda said: click.echo(said, err=True))
  live = max(list_versions(folder.serving), default=None)
  if target == live and stage == stages.STABLE and mirror.is_missing(folder):
    address = mirror.copy_live(folder)
    if as_json:
      echo_json({"task": known.name, "version": target, "copied_to": address})
    else:
      click.echo(f"{known.name}: version {target} is live already; copied to {address}")
    return
  if bound is not None and live is None:
    click.echo("Nothing is live, so no answer can flip: no request is replayed.", err=True)
  elif bound is not None and target is not None and target != live:
    compared = replayed(
      known, workspace, candidate=target, against=live, max_flips=bound, **options
    )
    flips = _flips(compared, bound)
    if compared.doubt:
      click.echo(compared.doubt, err=True)
    if compared.ruling is not None and not compared.ruling.passed:
      staging.refuse(folder, target, reason=reason, flips=flips)
      if as_json:
        echo_json({"task": known.name, "version": target, "replay": compared.to_json()})
      raise ModelRefusedError(_refusal(target, compared, bound))
  elif bound is None and (said := [name for name, value in options.items() if value]):
    names = ", ".join(f"--{name.removesuffix('_dir').replace('_', '-')}" for name in said)
    raise click.UsageError(f"{names}: is for a replay. Give --max-flips, too, or leave it out.")
  done = staging.promote(folder, target, stage=stage, reason=reason, flips=flips)
  told = tell_of_stage(folder, done.served_as, stage)
  if told is not None:
    click.echo(told, err=True)
  copied = staging.copy_live(folder)
  if as_json:
    found = {"task": known.name, **done.to_json(), "serving_dir": str(folder.serving)}
    if compared is not None:
      found["replay"] = compared.to_json()
    if copied.address is not None:
      found["copied_to"] = copied.address
    echo_json(found)
    copied.require()
    return
  for line in lines(known, compared) if compared is not None else ():
    click.echo(line)
  _show(known.name, folder, done, stage, copied.address)
  copied.require()


def _show(
  task: str, folder: TaskFolder, done: staging.Promotion, stage: str, address: str | None
) -> None:
  is_canary = stage == stages.CANARY
  if is_canary:
    click.echo(
      f"{task}: version {done.version} is the canary; version {done.live} is live and "
      "answers whoever names neither."
    )
  else:
    number = f", as version {done.served_as}" if done.served_as != done.version else ""
    click.echo(f"{task}: version {done.version} is live{number}.")
  click.echo(f"Labels for servers are in {folder.models_config}")
  if address is not None:
    but = "; the canary is not" if is_canary else ""
    click.echo(f"What is live is copied to {address}{but}")


def _flips(done: replaying.Replayed, bound: float) -> stages.Flips:
  return stages.Flips(
    against=done.against,
    max_flips=bound,
    rate=done.found.rate,
    interval=done.found.interval,
    sampled=done.found.sampled,
    report=str(done.report),
  )


def _refusal(version: int, done: replaying.Replayed, bound: float) -> str:
  return (
    f"Version {version} is not promoted: the flip rate must be at most {bound:g}. {done.sentence}\n"
    f"The flipped requests are in {done.report}\nIf they are meant to flip, promote with a larger "
    "--max-flips and a --reason."
  )
