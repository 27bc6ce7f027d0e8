"""`dlpipe doctor` reports what is wrong with this environment, and how to mend it."""

from __future__ import annotations

import shlex
import textwrap

import click

from dlpipe.workspace import from_env
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import json_option
from pipeline.doctor.environment import Finding, judge
from pipeline.doctor.environment_facts import gather
from pipeline.doctor.workspace_findings import look

_WIDTH = 80
_STATE_WIDTH, _NAME_WIDTH = 9, 17


@click.command(short_help="Say what is wrong with the environment.")
@click.option(
  "--workspace",
  type=LocalPath(),
  metavar="DIR",
  help="Where runs will write. Default: $DLPIPE_WORKSPACE, else ./workspace.",
)
@json_option
def doctor(workspace: str | None, as_json: bool) -> None:
  """Say what is wrong with this environment and how to mend it.

  Looks at Python, the C library, installed versions, memory, disk and GPU, and loads neither
  TensorFlow nor TFX. Where the workspace has runs, it holds what is served to its digests, and
  looks at the metadata store, artifacts, checkpoints and leftovers. Exits with 1 where something
  is broken; a warning does not fail.
  """
  place = f" --workspace {shlex.quote(workspace)}" if workspace else ""
  if workspace is None:
    workspace = from_env()
  findings = [*judge(gather(workspace)), *look(workspace, place=place)]
  ok = not any(finding.state == "broken" for finding in findings)
  if as_json:
    echo_json({"ok": ok, "checks": [finding.to_json() for finding in findings]})
  else:
    click.echo("\n".join(line for finding in findings for line in render(finding)))
    click.echo(summary(findings))
  if not ok:
    raise click.exceptions.Exit(1)


def render(finding: Finding) -> list[str]:
  """Returns lines of at most 80 columns: state, name, facts, and remedy."""
  head = f"{finding.state:<{_STATE_WIDTH}}{finding.name:<{_NAME_WIDTH}}"
  indent = " " * len(head)
  lines = _wrap(finding.found, head, indent)
  if finding.remedy:
    lines += _wrap(finding.remedy, f"{indent}-> ", f"{indent}   ")
  return lines


def _wrap(text: str, first: str, rest: str) -> list[str]:
  return textwrap.wrap(
    text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
  )


def summary(findings: list[Finding]) -> str:
  """Returns the closing line."""
  broken = sum(finding.state == "broken" for finding in findings)
  warnings = sum(finding.state == "warning" for finding in findings)
  if broken:
    return f"Broken: {broken}. Mend what is marked so first."
  if warnings:
    return f"Fine, with warnings: {warnings}."
  return "Fine."
