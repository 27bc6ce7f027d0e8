"""The hooks of a running server: counts and times requests, and hands them to the log.

Names and labels of the metrics: tensorflow_serving/servables/tensorflow/util.cc,
tensorflow_serving/batching/batching_session.cc.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable

from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import ServingError
from serving.models.servable import Run
from serving.telemetry.hooks import Hooks
from serving.telemetry.metrics import (
  COUNT_BUCKETS,
  LATENCY_BUCKETS_US,
  Counter,
  Histogram,
  exposition,
)
from serving.telemetry.request_log import RequestLog
from serving.telemetry.sampling import Answer

_PREFIX = "/tensorflow/serving/"
_US = 1e6


class Telemetry(Hooks):
  """Keeps metrics, and logs requests if there is a log."""

  def __init__(self, log: RequestLog | None = None, *, id_header: str = ""):
    """Starts all counters at 0.

    Args:
      log: the request log; None if there is none.
      id_header: the header by which callers name their requests, for the log.
    """
    self._log = log
    self.id_header = id_header.lower() if log is not None else ""
    self._requests = Counter(_PREFIX + "request_count", ("model_name", "status"))
    self._latency = Histogram(
      _PREFIX + "request_latency", ("model_name", "API", "entrypoint"), LATENCY_BUCKETS_US
    )
    self._runtime = Histogram(
      _PREFIX + "runtime_latency", ("model_name", "API", "runtime"), LATENCY_BUCKETS_US
    )
    self._examples = Histogram(_PREFIX + "request_example_counts", ("model",), COUNT_BUCKETS)
    self._example_total = Counter(_PREFIX + "request_example_count_total", ("model",))
    self._warmup = Histogram(
      _PREFIX + "model_warmup_latency", ("model_path", "status"), LATENCY_BUCKETS_US
    )
    self._warmup_records = Counter(_PREFIX + "model_warmup_records_read", ("model_path", "status"))
    self._queued = Histogram(_PREFIX + "batching_session/queuing_latency", (), LATENCY_BUCKETS_US)
    self._batches = Counter(_PREFIX + "batching_session/wrapped_run_count", ())
    self._metrics: tuple[Counter | Histogram, ...] = (
      self._requests, self._latency, self._runtime, self._examples, self._example_total,
      self._warmup, self._warmup_records, self._queued, self._batches,
    )  # fmt: skip

  def answered(self, api: str, protocol: str, model: str, seconds: float, run: Run) -> None:
    self._requests.add((model, "OK"))
    self._latency.add((model, api, protocol), seconds * _US)
    if run.seconds:
      self._runtime.add((model, api, "TF1"), run.seconds * _US)
    if run.examples:
      self._examples.add((model,), run.examples)
      self._example_total.add((model,), run.examples)

  def refused(
    self, api: str, protocol: str, model: str, error: ServingError, run: Run | None = None
  ) -> None:
    self._requests.add((model, error.grpc_code))
    if self._log is not None and run is not None and api and model:
      self._log.refused(model, error, run)

  def warmed_up(self, path: pathlib.Path, status: str, count: int, seconds: float) -> None:
    """Counts the recorded requests that a version answered before it was available."""
    self._warmup.add((str(path), status), seconds * _US)
    self._warmup_records.add((str(path), status), count)

  def batched(self, seconds: float) -> None:
    """Counts a batch that starts to run, and how many seconds its first request waited."""
    self._queued.add((), seconds * _US)
    self._batches.add(())

  def log(
    self,
    record: Callable[[], prediction_log_pb2.PredictionLog],
    answer: Callable[[], Answer],
    run: Run,
  ) -> None:
    if self._log is not None:
      self._log.answered(record, answer, run)

  def totals(self, names: Iterable[str]) -> dict[str, float]:
    known = {metric.name: metric for metric in self._metrics}
    known |= {metric.name.replace(":", "/"): metric for metric in self._metrics}
    return {name: known[name].total() for name in names if name in known}

  def exposition(self) -> bytes:
    return exposition(self._metrics)
