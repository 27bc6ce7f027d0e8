"""Runs the nodes of a pipeline one after another, in this process."""

from __future__ import annotations

import logging

from tfx.proto.orchestration import pipeline_pb2

from dlpipe import nodes
from pipeline.execution import events, node, node_events
from pipeline.execution.options import RunOptions
from pipeline.runs.store.metadata_stores import ConnectionConfig


def run_nodes(
  compiled: pipeline_pb2.Pipeline,
  store: ConnectionConfig,
  *,
  listener: events.Listener,
  options: RunOptions,
) -> dict[str, node.NodeOutcome]:
  """Runs every node, up to the first that fails for good.

  Args:
    compiled: a pipeline whose runtime parameters are bound.
    store: the metadata store.
    listener: receives the events of each node.
    options: how often a node is tried again.

  Returns:
    The outcome of every node by id; those after a failure are SKIPPED.
  """
  ids = node.node_ids(compiled)
  outcomes: dict[str, node.NodeOutcome] = {}
  for node_id in ids:
    if node.is_to_run(compiled, node_id):
      listener(events.ComponentStarted(node_id))
    with node_events.progress_to(listener, node_id):
      outcome = node.run_node(compiled, node_id, store)
      for attempt in range(1, options.retries + 1):
        if not node_events.is_retriable(outcome):
          break
        listener(node_events.retrying(node_id, outcome, attempt, options.retries))
        outcome = node.run_node(compiled, node_id, store)
    outcomes[node_id] = outcome
    listener(node_events.finished(node_id, outcome))
    if outcome.state == nodes.FAILED:
      logging.getLogger("dlpipe").error("%s failed.", node_id, exc_info=outcome.error)
      break
  for node_id in ids[len(outcomes) :]:
    outcomes[node_id] = node_events.skipped()
    listener(node_events.finished(node_id, outcomes[node_id]))
  return outcomes
