"""What a running node tells listeners, and for how long."""

import logging

import pytest

from dlpipe import nodes, progress
from dlpipe.errors import BadInputError, BusyError
from pipeline.execution import events, node, node_events


def test_progress_becomes_events_only_while_a_node_runs():
  heard = []
  logger = logging.getLogger(progress.LOGGER_NAME)
  handlers, level = list(logger.handlers), logger.level
  with node_events.progress_to(heard.append, "Trainer"):
    progress.report("half", step=1, steps=2)
  progress.report("afterwards")
  assert heard == [events.Progress("Trainer", "half", {"step": 1, "steps": 2})]
  assert (logger.handlers, logger.level) == (handlers, level)


@pytest.mark.parametrize(
  ("state", "error", "expected"),
  [
    (nodes.FAILED, OSError("connection lost"), True),
    # The store alone knows why.
    (nodes.FAILED, None, True),
    (nodes.FAILED, BadInputError("row 3"), False),
    (nodes.FAILED, BusyError("locked"), True),
    (nodes.COMPLETE, None, False),
    (nodes.SKIPPED, None, False),
  ],
)
def test_only_what_nobody_can_mend_is_worth_a_second_attempt(state, error, expected):
  outcome = node.NodeOutcome(
    state=state, execution_id=None, seconds=0.0, peak_rss_mb=0.0, error=error
  )
  assert node_events.is_retriable(outcome) is expected
