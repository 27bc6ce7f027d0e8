"""Runs the nodes of a pipeline in processes of their own, several at a time.

A node starts when those it waits for are done, a processor is free and the memory suffices. Its
process is forked from this one, which has imported everything and must not have used TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import selectors
import time
from typing import Any

from tfx.proto.orchestration import pipeline_pb2

from dlpipe import errors, nodes
from dlpipe.causes import user_error
from dlpipe.workspace import TaskFolder
from pipeline.execution import events, forks, memory, node, node_events
from pipeline.execution.options import RunOptions
from pipeline.runs.store.metadata_stores import ConnectionConfig


class NodeProcessError(Exception):
  """The error of a node in its process, or how the process ended."""


@dataclasses.dataclass
class _Running:
  """A node at work."""

  node_id: str
  child: int
  attempt: int
  started: float
  expected_mb: float
  unread: bytes = b""
  outcome: node.NodeOutcome | None = None


def run_nodes(
  compiled: pipeline_pb2.Pipeline,
  store: ConnectionConfig,
  *,
  listener: events.Listener,
  options: RunOptions,
  folder: TaskFolder,
) -> dict[str, node.NodeOutcome]:
  """Runs every node that can run; after a failure, only those end that have begun.

  Args:
    compiled: a pipeline whose runtime parameters are bound.
    store: the metadata store.
    listener: receives the events of all nodes, mixed.
    options: memory and retries.
    folder: the task's folder in the workspace, which keeps how much memory nodes needed.

  Returns:
    The outcome of every node by id, in the pipeline's order.
  """
  forks.warm_up()
  return _Schedule(compiled, store, listener, options, folder).run()


class _Schedule:
  """The state of one run."""

  def __init__(
    self,
    compiled: pipeline_pb2.Pipeline,
    store: ConnectionConfig,
    listener: events.Listener,
    options: RunOptions,
    folder: TaskFolder,
  ):
    self._compiled, self._store, self._listener = compiled, store, listener
    self._options, self._folder = options, folder
    self._upstream = {
      each.pipeline_node.node_info.id: set(each.pipeline_node.upstream_nodes)
      for each in compiled.nodes
    }
    self._outcomes: dict[str, node.NodeOutcome] = {}
    self._running: dict[int, _Running] = {}  # by the pipe's file descriptor
    self._selector = selectors.DefaultSelector()
    self._budget_mb = options.memory_mb or memory.available_mb()
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    self._processors = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1

  def run(self) -> dict[str, node.NodeOutcome]:
    try:
      while self._start_what_can() or self._running:
        for key, _ in self._selector.select():
          self._read(key.fd)
    finally:
      for each in self._running.values():
        forks.kill(each.child)
        os.waitpid(each.child, 0)
      self._selector.close()
    memory.remember(
      self._folder,
      {
        node_id: outcome.peak_rss_mb
        for node_id, outcome in self._outcomes.items()
        if outcome.state == nodes.COMPLETE and outcome.peak_rss_mb
      },
    )
    for node_id in self._upstream:
      if node_id not in self._outcomes:
        self._outcomes[node_id] = node_events.skipped()
        self._listener(node_events.finished(node_id, self._outcomes[node_id]))
    return {node_id: self._outcomes[node_id] for node_id in self._upstream}

  def _start_what_can(self) -> bool:
    """Starts nodes until one has to wait; returns whether any was started."""
    if any(o.state == nodes.FAILED for o in self._outcomes.values()):
      return False
    started = False
    at_work = {each.node_id for each in self._running.values()}
    for node_id, upstream in self._upstream.items():
      if node_id in self._outcomes or node_id in at_work or not upstream <= set(self._outcomes):
        continue
      expected = memory.expected_mb(self._folder, node_id)
      held = sum(each.expected_mb for each in self._running.values())
      # One node is always let in: less memory than it needs is the user's to see.
      if self._running and (
        len(self._running) >= self._processors or held + expected > self._budget_mb
      ):
        break
      if node.is_to_run(self._compiled, node_id):
        self._listener(events.ComponentStarted(node_id))
      self._start(node_id, attempt=0, expected_mb=expected)
      started = True
    return started

  def _start(self, node_id: str, *, attempt: int, expected_mb: float) -> None:
    reading, writing = os.pipe()

    def body() -> int:
      os.close(reading)
      with os.fdopen(writing, "w", buffering=1, encoding="utf-8") as channel:
        _work(self._compiled, node_id, self._store, channel)
      return 0

    child = forks.start(body)
    os.close(writing)
    self._running[reading] = _Running(node_id, child, attempt, time.monotonic(), expected_mb)
    self._selector.register(reading, selectors.EVENT_READ)

  def _read(self, descriptor: int) -> None:
    running = self._running[descriptor]
    data = os.read(descriptor, 1 << 16)
    *lines, running.unread = (running.unread + data).split(b"\n")
    for line in lines:
      message = json.loads(line)
      if "message" in message:
        self._listener(events.Progress(running.node_id, message["message"], message["fields"]))
      else:
        running.outcome = _decoded(message)
    if not data:
      self._selector.unregister(descriptor)
      os.close(descriptor)
      del self._running[descriptor]
      _, status = os.waitpid(running.child, 0)
      self._ended(running, status)

  def _ended(self, running: _Running, status: int) -> None:
    outcome = running.outcome
    if outcome is None:
      outcome = node.NodeOutcome(
        state=nodes.FAILED,
        execution_id=None,
        seconds=time.monotonic() - running.started,
        peak_rss_mb=0.0,
        error=NodeProcessError(
          f"the process of {running.node_id} {forks.ending(os.waitstatus_to_exitcode(status))}"
        ),
      )
    retries = self._options.retries
    if running.attempt < retries and node_events.is_retriable(outcome):
      attempt = running.attempt + 1
      self._listener(node_events.retrying(running.node_id, outcome, attempt, retries))
      self._start(running.node_id, attempt=attempt, expected_mb=running.expected_mb)
      return
    self._outcomes[running.node_id] = outcome
    self._listener(node_events.finished(running.node_id, outcome))
    if outcome.state == nodes.FAILED:
      logging.getLogger("dlpipe").error("%s failed.", running.node_id, exc_info=outcome.error)


def _work(
  compiled: pipeline_pb2.Pipeline, node_id: str, store: ConnectionConfig, channel: Any
) -> None:
  """Runs a node in the forked process; writes its progress and its outcome to the parent."""

  def send(message: dict[str, Any]) -> None:
    channel.write(json.dumps(message, default=str) + "\n")

  def tell(event: events.Event) -> None:
    if isinstance(event, events.Progress):
      send({"message": event.message, "fields": dict(event.fields)})

  with node_events.progress_to(tell, node_id):
    outcome = node.run_node(compiled, node_id, store)
  if outcome.error is not None:
    logging.getLogger("dlpipe").error("%s raised.", node_id, exc_info=outcome.error)
  send(_encoded(outcome))


def _encoded(outcome: node.NodeOutcome) -> dict[str, Any]:
  """Returns an outcome as JSON, with the kind and the message of its error."""
  values = {field.name: getattr(outcome, field.name) for field in dataclasses.fields(outcome)}
  if outcome.error is not None:
    known = user_error(outcome.error)
    values["error"] = {
      "kind": type(known or outcome.error).__name__,
      "message": str(known or outcome.error),
    }
  return values


def _decoded(values: dict[str, Any]) -> node.NodeOutcome:
  error = values.pop("error")
  if error is None:
    return node.NodeOutcome(**values)
  known = getattr(errors, error["kind"], None)
  raised = (
    known(error["message"]) if known else NodeProcessError(f"{error['kind']}: {error['message']}")
  )
  return node.NodeOutcome(**values, error=raised)
