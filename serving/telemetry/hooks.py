"""What both faces report of requests; the metrics and the request log listen."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import ServingError
from serving.models.servable import Run
from serving.telemetry.sampling import Answer


class Hooks:
  """Ignores every report. The server uses the subclass `Telemetry`.

  Attributes:
    id_header: the header, and key of gRPC's metadata, by which callers name their requests; empty
      if nobody wants to know.
  """

  id_header: str = ""

  def answered(self, api: str, protocol: str, model: str, seconds: float, run: Run) -> None:
    """Takes note of a request that got its answer after so many seconds."""

  def refused(
    self, api: str, protocol: str, model: str, error: ServingError, run: Run | None = None
  ) -> None:
    """Takes note of a request that got an error; `run` is None if it did not come so far."""

  def log(
    self,
    record: Callable[[], prediction_log_pb2.PredictionLog],
    answer: Callable[[], Answer],
    run: Run,
  ) -> None:
    """Takes a request that got its answer, for the log.

    Args:
      record: makes what is written; called later, in another thread, if it is to be written.
      answer: makes what decides whether it is.
      run: how the request ran.
    """

  def totals(self, names: Iterable[str]) -> dict[str, float]:
    """Returns the sums over all labels of those named counters that exist."""
    return {}

  def exposition(self) -> bytes:
    """Returns all metrics in Prometheus' text format."""
    return b""
