"""Runs requests that arrive together as one.

Each set of inputs and outputs of each version has a queue. A batch runs when it is full, or when
its first request has waited long enough. The same threads run the batches of all queues.
Source: tensorflow_serving/batching/batching_session.cc, tensorflow/core/kernels/batching_util/
shared_batch_scheduler.h.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from serving.batching.batch_arrays import batch_size, join, split
from serving.batching.parameters import BatchOptions
from serving.errors import (
  Internal,
  InvalidArgument,
  ResourceExhausted,
  ServingError,
  Unavailable,
  error_of_code,
)
from serving.models.sessions import Runnable
from serving.models.tensors import Array

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(eq=False, slots=True)
class _Task:
  feeds: Mapping[str, Array]
  size: int
  deadline: float | None
  queued_at: float
  done: threading.Lock
  outputs: list[Array] | None = None
  error: ServingError | None = None

  def finish(self, outputs: list[Array] | None, error: ServingError | None = None) -> None:
    self.outputs, self.error = outputs, error
    self.done.release()


@dataclasses.dataclass(eq=False, slots=True)
class _Batch:
  tasks: list[_Task]
  size: int
  ready_at: float


class _Queue:
  """Batches of one set of inputs and outputs; the last one may still grow."""

  def __init__(self, runner: Runnable, fetches: Sequence[str], options: BatchOptions):
    self.runner = runner
    self.fetches = fetches
    self.options = options
    self.batches: collections.deque[_Batch] = collections.deque()

  def add(self, task: _Task) -> None:
    """Puts a task into the last batch, or into a new one."""
    last = self.batches[-1] if self.batches else None
    limit = self.options.max_execution_size
    if last is None or last.size + task.size > limit:
      if len(self.batches) >= self.options.max_enqueued_batches:
        raise Unavailable("The batch scheduling queue to which this task was submitted is full")
      if last is not None:
        last.ready_at = 0.0
      last = _Batch([], 0, task.queued_at + self.options.timeout_s)
      self.batches.append(last)
    last.tasks.append(task)
    last.size += task.size
    if last.size >= limit:
      last.ready_at = 0.0


class BatchScheduler:
  """The threads that run the batches of all models."""

  def __init__(self, threads: int, on_batch: Callable[[float], None] | None = None):
    """Starts the threads.

    Args:
      threads: how many batches run side by side.
      on_batch: told how many seconds the first request of each batch waited.
    """
    self._queues: collections.deque[_Queue] = collections.deque()
    self._changed = threading.Condition()
    self._on_batch = on_batch
    for number in range(threads):
      threading.Thread(target=self._work, name=f"batch {number}", daemon=True).start()

  def open(self, queue: _Queue) -> None:
    """Adds a queue."""
    with self._changed:
      self._queues.append(queue)

  def close(self, queue: _Queue) -> None:
    """Removes a queue if it is empty."""
    with self._changed:
      self._queues.remove(queue)

  def submit(self, queue: _Queue, task: _Task) -> None:
    """Queues a task.

    Raises:
      Unavailable: the queue is full.
    """
    with self._changed:
      queue.add(task)
      self._changed.notify()

  def _work(self) -> None:
    while True:
      queue, batch = self._take()
      try:
        if self._on_batch is not None:
          self._on_batch(time.monotonic() - batch.tasks[0].queued_at)
        _run(queue, batch)
      except Exception as err:
        _LOG.exception("A batch failed")
        for task in batch.tasks:
          if task.done.locked():
            task.finish(None, Internal(f"{type(err).__name__}: {err}"))

  def _take(self) -> tuple[_Queue, _Batch]:
    with self._changed:
      while True:
        now, wait_s = time.monotonic(), None
        for _ in range(len(self._queues)):
          queue = self._queues[0]
          self._queues.rotate(-1)
          if not queue.batches:
            continue
          if queue.batches[0].ready_at <= now:
            return queue, queue.batches.popleft()
          left = queue.batches[0].ready_at - now
          wait_s = left if wait_s is None else min(wait_s, left)
        self._changed.wait(wait_s)


class BatchingRunner(Runnable):
  """Runs requests in batches on another `Runnable`."""

  def __init__(self, runner: Runnable, scheduler: BatchScheduler, options: BatchOptions):
    """Waits for requests.

    Args:
      runner: runs a batch.
      scheduler: the threads that do so.
      options: how batches are put together.
    """
    self._runner = runner
    self._scheduler = scheduler
    self._options = options
    self._queues: dict[tuple[tuple[str, ...], tuple[str, ...]], _Queue] = {}
    self._opening = threading.Lock()

  def run(
    self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_s: float | None = None
  ) -> list[Array]:
    size = batch_size(feeds)
    options = self._options
    if size <= options.max_execution_size:
      return self._wait([self._submit(feeds, fetches, size, timeout_s)])[0]
    if not options.splits_large:
      raise InvalidArgument(
        f"Task size {size} is larger than maximum input batch size {options.max_batch_size}"
      )
    step = options.max_execution_size
    tasks = []
    for start in range(0, size, step):
      part = {name: array[start : start + step] for name, array in feeds.items()}
      tasks.append(self._submit(part, fetches, min(step, size - start), timeout_s))
    return [np.concatenate(parts) for parts in zip(*self._wait(tasks), strict=True)]

  def close(self) -> None:
    for queue in self._queues.values():
      self._scheduler.close(queue)
    self._runner.close()

  def _submit(
    self, feeds: Mapping[str, Array], fetches: Sequence[str], size: int, timeout_s: float | None
  ) -> _Task:
    key = (tuple(sorted(feeds)), tuple(fetches))
    queue = self._queues.get(key)
    if queue is None:
      with self._opening:
        queue = self._queues.get(key)
        if queue is None:
          queue = _Queue(self._runner, fetches, self._options)
          self._scheduler.open(queue)
          self._queues[key] = queue
    now = time.monotonic()
    task = _Task(feeds, size, None if timeout_s is None else now + timeout_s, now, threading.Lock())
    task.done.acquire()
    self._scheduler.submit(queue, task)
    return task

  def _wait(self, tasks: Sequence[_Task]) -> list[list[Array]]:
    for task in tasks:
      task.done.acquire()
    results = []
    for task in tasks:
      if task.error is not None:
        # Each caller gets its own error, because raising adds a traceback to it.
        raise error_of_code(task.error.grpc_code, task.error.message)
      results.append(task.outputs or [])
    return results


def _run(queue: _Queue, batch: _Batch) -> None:
  """Runs a batch and finishes every task; no error and no caller that left stops the thread."""
  now = time.monotonic()
  tasks = []
  for task in batch.tasks:
    if task.deadline is not None and task.deadline < now:
      task.finish(None, ResourceExhausted("Run() timeout exceeded while waiting in batching queue"))
    else:
      tasks.append(task)
  if not tasks:
    return
  deadlines = [task.deadline for task in tasks]
  timeout_s = None if None in deadlines else max(d for d in deadlines if d is not None) - now
  sizes = [task.size for task in tasks]
  total = next((s for s in queue.options.allowed_sizes if s >= sum(sizes)), sum(sizes))
  try:
    feeds = join([task.feeds for task in tasks], size=total, pads=queue.options.pads_inputs)
    outputs = queue.runner.run(feeds, queue.fetches, timeout_s)
    parts = split(outputs, sizes, total)
  except ServingError as err:
    for task in tasks:
      task.finish(None, err)
    return
  for task, part in zip(tasks, parts, strict=True):
    task.finish(part)
