"""What both faces report of requests; the metrics and the request log listen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serving.errors import ServingError
from serving.models.classification import Classes
from serving.models.servable import Run, Servable
from serving.models.tensors import Array


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

  def log_messages(self, api: str, request: Any, response: Any, run: Run) -> None:
    """Takes the messages of a gRPC request that got its answer."""

  def log_predict(
    self,
    servable: Servable,
    signature: str,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    run: Run,
  ) -> None:
    """Takes the arrays of a REST Predict that got its answer."""

  def log_examples(
    self,
    api: str,
    servable: Servable,
    signature: str,
    examples: Sequence[bytes],
    result: Classes | Array,
    run: Run,
  ) -> None:
    """Takes the tf.Examples of a REST Classify or Regress that got its answer, serialized."""

  def totals(self, names: Iterable[str]) -> dict[str, float]:
    """Returns the sums over all labels of those named counters that exist."""
    return {}

  def exposition(self) -> bytes:
    """Returns all metrics in Prometheus' text format."""
    return b""
