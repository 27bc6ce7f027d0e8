"""Counters and histograms in Prometheus' text format.

Names are TensorFlow's with each character but letters, digits and `_` replaced by `:`.
Source: tensorflow_serving/util/prometheus_exporter.cc.
"""

from __future__ import annotations

import bisect
import re
import threading
from collections.abc import Mapping, Sequence

LATENCY_BUCKETS_US = tuple(10 * 1.8**i for i in range(33))
COUNT_BUCKETS = tuple(float(2**i) for i in range(24))
_MOST_LABELS = 1000
_NO_NAME = re.compile(r"[^A-Za-z0-9_]")
Labels = tuple[str, ...]


class Counter:
  """A number for each combination of labels, which only grows."""

  kind = "counter"

  def __init__(self, name: str, labels: Sequence[str]):
    """Starts without values.

    Args:
      name: TensorFlow's name, such as `/tensorflow/serving/request_count`.
      labels: names of the labels.
    """
    self.name = _NO_NAME.sub(":", name)
    self.labels = tuple(labels)
    self._values: dict[Labels, int] = {}
    self._lock = threading.Lock()

  def add(self, labels: Labels, value: int = 1) -> None:
    """Adds to the number of these labels' values."""
    with self._lock:
      labels = _bounded(labels, self._values)
      self._values[labels] = self._values.get(labels, 0) + value

  def total(self) -> int:
    """Returns the sum over all labels."""
    with self._lock:
      return sum(self._values.values())

  def lines(self) -> list[str]:
    """Its values in Prometheus' format."""
    with self._lock:
      return [
        f"{self.name}{_labels(self.labels, labels)} {value}"
        for labels, value in sorted(self._values.items())
      ]


class _Cells:
  def __init__(self, size: int):
    self.counts = [0] * size
    self.sum = 0.0


class Histogram:
  """How many values fell below each bound, for each combination of labels."""

  kind = "histogram"

  def __init__(self, name: str, labels: Sequence[str], bounds: Sequence[float]):
    """Starts without values.

    Args:
      name: as for `Counter`.
      labels: as for `Counter`.
      bounds: upper bounds of the buckets, ascending.
    """
    self.name = _NO_NAME.sub(":", name)
    self.labels = tuple(labels)
    self._bounds = tuple(bounds)
    self._cells: dict[Labels, _Cells] = {}
    self._lock = threading.Lock()

  def add(self, labels: Labels, value: float) -> None:
    """Adds a value."""
    # A value on a bound belongs to the bucket above: TensorFlow's buckets are [lower, upper).
    bucket = bisect.bisect_right(self._bounds, value)
    with self._lock:
      labels = _bounded(labels, self._cells)
      cells = self._cells.get(labels)
      if cells is None:
        cells = self._cells[labels] = _Cells(len(self._bounds) + 1)
      cells.counts[bucket] += 1
      cells.sum += value

  def total(self) -> int:
    """Returns how many values there were."""
    with self._lock:
      return sum(sum(cells.counts) for cells in self._cells.values())

  def lines(self) -> list[str]:
    """Its values in Prometheus' format: cumulative."""
    found = []
    with self._lock:
      for labels, cells in sorted(self._cells.items()):
        count = 0
        for bound, value in zip((*self._bounds, None), cells.counts, strict=True):
          count += value
          le = "+Inf" if bound is None else f"{bound:g}"
          found.append(f"{self.name}_bucket{_labels((*self.labels, 'le'), (*labels, le))} {count}")
        shown = _labels(self.labels, labels)
        found += [f"{self.name}_sum{shown} {cells.sum:.17g}", f"{self.name}_count{shown} {count}"]
    return found


def exposition(metrics: Sequence[Counter | Histogram]) -> bytes:
  """Returns all metrics as Prometheus reads them."""
  lines = []
  for metric in metrics:
    lines += [f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
  return ("\n".join(lines) + "\n").encode()


def _bounded(labels: Labels, known: Mapping[Labels, object]) -> Labels:
  """Returns the labels, or empty ones if there are too many: callers choose the names of models."""
  if labels in known or len(known) < _MOST_LABELS:
    return labels
  return ("",) * len(labels)


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
  if not names:
    return "{}"
  pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
  return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
  return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
