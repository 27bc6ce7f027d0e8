"""`Notice`: what people are told of a run. Imports no framework."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from pipeline.runs import result as results
from pipeline.runs import summary
from pipeline.runs.result import RunResult
from pipeline.settings.telling import DRIFT, FAILED, PUSHED, REFUSED

_EVENTS = {
  results.PUSHED: PUSHED,
  results.REFUSED_DATA: REFUSED,
  results.REFUSED_MODEL: REFUSED,
  results.FAILED: FAILED,
}


class NotToldError(Exception):
  """Somebody could not be told; the message says why, without any secret."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Notice:
  """What people are told.

  Attributes:
    events: of `notify.events`; empty if there is nothing to tell.
    subject: one line.
    text: some lines, the subject first.
    document: the JSON that a webhook and a command get: `events`, `task`, `run_id`, `text`, and
      `run`, which is what `dlpipe run --json` prints.
  """

  events: tuple[str, ...]
  subject: str
  text: str
  document: dict[str, Any]


def notice_of(result: RunResult) -> Notice:
  """Returns what people are told of a run."""
  events = [_EVENTS[result.state]] if result.state in _EVENTS else []
  drifts = list(_drifts(result))
  if drifts:
    events.append(DRIFT)
  subject = f"{result.task}: {summary.verdict(result)}"
  lines = [subject]
  if result.error and not summary.gates_say_it(result):
    lines.append(result.error)
  lines += [summary.gate_sentence(gate) for gate in result.gates if not gate.passed]
  lines += [said for said in drifts if said not in lines]
  lines.append(f"Run {result.run_id}")
  if result.report:
    lines.append(f"Report {result.report}")
  # A file's name that is not UTF-8 is escaped, as in messages.
  subject, text = (
    each.encode("utf-8", "backslashreplace").decode() for each in (subject, "\n".join(lines))
  )
  document = {
    "events": events,
    "task": result.task,
    "run_id": result.run_id,
    "text": text,
    "run": result.to_json(),
  }
  return Notice(events=tuple(events), subject=subject, text=text, document=document)


def _drifts(result: RunResult) -> Iterator[str]:
  """Yields a sentence for each verdict and each warning on drift."""
  for gate in result.gates:
    if gate.metric.startswith(DRIFT) and not gate.passed:
      yield summary.gate_sentence(gate)
  for finding in result.warnings:
    if str(finding["name"]).startswith(DRIFT):
      yield str(finding["what"])
