"""The events of a running node: its progress, its end, and that it is tried again."""

from __future__ import annotations

import contextlib
import logging

from dlpipe import nodes, progress
from dlpipe.causes import user_error
from dlpipe.errors import BusyError
from pipeline.execution import events, node


def skipped() -> node.NodeOutcome:
  """Returns the outcome of a node that is never run."""
  return node.NodeOutcome(state=nodes.SKIPPED, execution_id=None, seconds=0.0, peak_rss_mb=0.0)


def finished(node_id: str, outcome: node.NodeOutcome) -> events.ComponentFinished:
  """Returns the event for an outcome."""
  error = None
  if outcome.error is not None:
    known = user_error(outcome.error)
    error = str(known or f"{type(outcome.error).__name__}: {outcome.error}").split("\n", 1)[0]
  return events.ComponentFinished(
    node_id, outcome.state, outcome.seconds, outcome.peak_rss_mb, error
  )


def is_retriable(outcome: node.NodeOutcome) -> bool:
  """Returns whether a second attempt may succeed: not if a user has to mend something first."""
  if outcome.state != nodes.FAILED:
    return False
  known = user_error(outcome.error)
  return known is None or isinstance(known, BusyError)


def retrying(
  node_id: str, outcome: node.NodeOutcome, attempt: int, retries: int
) -> events.Progress:
  """Logs a failed attempt and says that another follows."""
  logging.getLogger("dlpipe").warning(
    "%s failed and is tried again (%d of %d).", node_id, attempt, retries, exc_info=outcome.error
  )
  return events.Progress(
    node_id,
    f"failed, tried again ({attempt} of {retries})",
    {"attempt": attempt, "retries": retries},
  )


def progress_to(listener: events.Listener, node_id: str) -> contextlib.AbstractContextManager[None]:
  """Turns what `dlpipe.progress` logs into events while a node runs."""
  return progress.forwarded(
    lambda message, fields: listener(events.Progress(node_id, message, fields))
  )
