"""Batches: what is put together, what waits, what is refused."""

import threading
import time

import numpy as np
import pytest

from serving.batching.parameters import BatchOptions
from serving.batching.scheduler import BatchingRunner, BatchScheduler
from serving.errors import (
  FailedPrecondition,
  Internal,
  InvalidArgument,
  ResourceExhausted,
  Unavailable,
)


class Doubles:
  """Doubles what it is fed; waits for `gate` first; keeps the sizes of its runs."""

  def __init__(self):
    self.gate = threading.Event()
    self.gate.set()
    self.started = threading.Semaphore(0)
    self.sizes, self.timeouts_s = [], []
    self.error = None

  def run(self, feeds, fetches, timeout_s=None):
    self.started.release()
    assert self.gate.wait(120)
    self.sizes.append(len(feeds["x"]))
    self.timeouts_s.append(timeout_s)
    if self.error is not None:
      raise self.error
    return [feeds["x"] * 2 for _ in fetches]

  def close(self):
    pass


@pytest.fixture
def graph():
  made = Doubles()
  yield made
  made.gate.set()


def _runner(graph, **options):
  return BatchingRunner(graph, BatchScheduler(1), BatchOptions(threads=1, **options))


class Call(threading.Thread):
  """A request in a thread."""

  def __init__(self, runner, value, rows=1, timeout_s=None, fetches=("y",)):
    super().__init__(daemon=True)
    self.array = np.full((rows, 2), value, np.float32)
    self.outputs, self.error = None, None
    self._arguments = (runner, fetches, timeout_s)
    self.start()

  def run(self):
    runner, fetches, timeout_s = self._arguments
    try:
      self.outputs = runner.run({"x": self.array}, fetches, timeout_s)
    except Exception as err:
      self.error = err

  def answer(self):
    self.join(300)
    assert not self.is_alive()
    return self.outputs


def _hold(runner, graph):
  """A first request that keeps the only thread busy until the gate opens."""
  graph.gate.clear()
  first = Call(runner, 0)
  assert graph.started.acquire(timeout=120)
  return first


def _queued(runner, count):
  """Waits until so many tasks are queued."""
  deadline = time.monotonic() + 120
  while sum(len(b.tasks) for q in runner._queues.values() for b in q.batches) < count:
    assert time.monotonic() < deadline
    time.sleep(0.001)


def test_one_request_alone(graph):
  runner = _runner(graph)
  assert runner.run({"x": np.float32([[1, 2]])}, ["y"])[0].tolist() == [[2, 4]]
  assert graph.sizes == [1]


def test_what_queued_meanwhile_runs_as_one(graph):
  runner = _runner(graph)
  first = _hold(runner, graph)
  calls = [Call(runner, value, rows=value) for value in (1, 2, 3)]
  _queued(runner, 3)
  graph.gate.set()
  for call in calls:
    np.testing.assert_array_equal(call.answer()[0], call.array * 2)
  first.answer()
  assert graph.sizes == [1, 6]


def test_a_batch_is_no_larger_than_allowed_and_padded_to_a_size(graph):
  runner = _runner(graph, max_batch_size=4, max_execution_size=4, allowed_sizes=(2, 4))
  first = _hold(runner, graph)
  calls = []
  for number in range(3):
    calls.append(Call(runner, number, rows=3))
    _queued(runner, number + 1)
  graph.gate.set()
  for call in (first, *calls):
    np.testing.assert_array_equal(call.answer()[0], call.array * 2)
  assert graph.sizes == [2, 4, 4, 4]


def test_a_batch_waits_for_more_until_its_time_is_over_or_it_is_full(graph):
  runner = _runner(graph, max_batch_size=2, max_execution_size=2, timeout_s=0.2)
  started = time.monotonic()
  runner.run({"x": np.float32([[1, 2]])}, ["y"])
  assert 0.2 <= time.monotonic() - started < 120
  runner = _runner(graph, max_batch_size=2, max_execution_size=2, timeout_s=60)
  calls = [Call(runner, value) for value in (1, 2)]
  for call in calls:
    assert call.answer()[0].tolist() == (call.array * 2).tolist()


def test_a_batch_of_an_allowed_size_is_not_padded(graph):
  runner = _runner(graph, max_batch_size=4, max_execution_size=4, allowed_sizes=(2, 4))
  for rows, size in ((1, 2), (2, 2), (3, 4), (4, 4)):
    Call(runner, 1, rows=rows).answer()
    assert graph.sizes[-1] == size


def test_an_observer_that_fails_stops_no_thread(graph):
  waited = []

  def broken_once(seconds):
    waited.append(seconds)
    if len(waited) == 1:
      raise ZeroDivisionError("of a metric")

  scheduler = BatchScheduler(1, on_batch=broken_once)
  runner = BatchingRunner(graph, scheduler, BatchOptions(threads=1))
  first = Call(runner, 1)
  first.answer()
  assert isinstance(first.error, Internal)
  assert str(first.error) == "ZeroDivisionError: of a metric"
  assert Call(runner, 1).answer()[0].tolist() == [[2, 2]]


def test_other_outputs_are_another_batch(graph):
  runner = _runner(graph)
  first = _hold(runner, graph)
  calls = [Call(runner, 1), Call(runner, 2, fetches=("y", "z"))]
  _queued(runner, 2)
  graph.gate.set()
  assert [len(call.answer()) for call in (first, *calls)] == [1, 1, 2]
  assert graph.sizes == [1, 1, 1]


def test_a_full_queue_refuses(graph):
  runner = _runner(graph, max_batch_size=1, max_execution_size=1, max_enqueued_batches=2)
  first = _hold(runner, graph)
  calls = []
  for number in range(2):
    calls.append(Call(runner, number))
    _queued(runner, number + 1)
  with pytest.raises(Unavailable, match="batch scheduling queue .* is full"):
    runner.run({"x": np.float32([[1, 2]])}, ["y"])
  graph.gate.set()
  assert all(call.answer() is not None for call in (first, *calls))


def test_a_request_too_large_is_refused_or_split(graph):
  with pytest.raises(
    InvalidArgument, match="Task size 5 is larger than maximum input batch size 2"
  ):
    _runner(graph, max_batch_size=2, max_execution_size=2).run({"x": np.zeros((5, 2))}, ["y"])
  runner = _runner(graph, max_batch_size=8, max_execution_size=2, splits_large=True)
  rows = np.arange(10, dtype=np.float32).reshape(5, 2)
  np.testing.assert_array_equal(runner.run({"x": rows}, ["y"])[0], rows * 2)
  assert sum(graph.sizes) == 5
  assert max(graph.sizes) == 2


def test_whose_time_is_over_in_the_queue_is_told_and_the_others_run(graph):
  runner = _runner(graph)
  first = _hold(runner, graph)
  late, patient = Call(runner, 1, timeout_s=0.01), Call(runner, 2)
  _queued(runner, 2)
  time.sleep(0.05)
  graph.gate.set()
  assert late.answer() is None
  assert isinstance(late.error, ResourceExhausted)
  assert str(late.error) == "Run() timeout exceeded while waiting in batching queue"
  assert patient.answer()[0].tolist() == [[4, 4]]
  first.answer()
  assert graph.sizes == [1, 1]


@pytest.mark.parametrize(("others", "is_limited"), [((50, 1000), True), ((50, None), False)])
def test_a_batch_has_the_time_of_its_most_patient_request(graph, others, is_limited):
  runner = _runner(graph)
  first = _hold(runner, graph)
  calls = [Call(runner, 1, timeout_s=timeout_s) for timeout_s in others]
  _queued(runner, 2)
  graph.gate.set()
  for call in (first, *calls):
    call.answer()
  [_, given_s] = graph.timeouts_s
  assert (given_s is not None) == is_limited
  assert not is_limited or 500 < given_s <= 1000


@pytest.mark.parametrize(
  ("error", "told"),
  [(FailedPrecondition("no"), FailedPrecondition), (ZeroDivisionError("no"), Internal)],
)
def test_an_error_is_told_to_all_and_the_thread_goes_on(graph, error, told):
  runner = _runner(graph)
  first = _hold(runner, graph)
  calls = [Call(runner, value) for value in (1, 2)]
  _queued(runner, 2)
  graph.error = error
  graph.gate.set()
  for call in (first, *calls):
    call.answer()
  assert [type(call.error) for call in calls] == [told, told]
  assert calls[0].error is not calls[1].error  # raising adds a traceback to it
  graph.error = None
  assert runner.run({"x": np.float32([[1, 2]])}, ["y"])[0].tolist() == [[2, 4]]
