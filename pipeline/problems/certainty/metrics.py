"""TFMA metrics of what a model says it does not know: `coverage` and `accepted_accuracy`.

They read the outputs `set`, `low`, `high` and `decision` beside the one that other metrics read. A
model without them has no value, such as one that is older. TFMA imports the classes by name, so
this module must be importable on Beam workers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from dlpipe.fingerprint import code_fingerprint
from pipeline.problems import intervals
from pipeline.problems.certainty.kept import ACCEPTED_NAME, ACCURACY, COVERAGE, SIZE_NAME
from pipeline.problems.certainty.record import ACCEPTED, DECISION, HIGH, LOW, SET
from pipeline.problems.labels import NONE, THRESHOLD
from pipeline.problems.paired_metrics import PairedCombiner, paired_metric


def of_classes() -> list[config_pb2.MetricConfig]:
  """Returns the metrics of rows of one class."""
  return _named({"ClassCoverage": COVERAGE, "AcceptedAccuracy": ACCURACY})


def of_labels() -> list[config_pb2.MetricConfig]:
  """Returns the metrics of rows of several labels."""
  return _named({"LabelCoverage": COVERAGE, "AcceptedLabels": ACCURACY})


def of_number() -> list[config_pb2.MetricConfig]:
  """Returns the metric of numbers."""
  return _named({"IntervalCoverage": COVERAGE})


def _named(named: Mapping[str, str]) -> list[config_pb2.MetricConfig]:
  code = code_fingerprint(__name__)
  return [
    config_pb2.MetricConfig(
      class_name=name, module=__name__, config=json.dumps({"name": metric, "code": code})
    )
    for name, metric in named.items()
  ]


class ClassCoverage(metric_types.Metric):
  """The share of rows whose label is in the set; also emits the mean `set_size`."""

  def __init__(self, name: str = COVERAGE, code: str = ""):
    """`code` is this module's fingerprint: an edited metric is computed again."""
    super().__init__(paired_metric(_ClassCoverage, SIZE_NAME), name=name)


class LabelCoverage(metric_types.Metric):
  """The mean part of a row's labels that its set holds; also emits the mean `set_size`."""

  def __init__(self, name: str = COVERAGE, code: str = ""):
    """`code` as for `ClassCoverage`."""
    super().__init__(paired_metric(_LabelCoverage, SIZE_NAME), name=name)


class IntervalCoverage(metric_types.Metric):
  """The share of rows whose label lies between `low` and `high`."""

  def __init__(self, name: str = COVERAGE, code: str = ""):
    """`code` as for `ClassCoverage`."""
    super().__init__(paired_metric(_IntervalCoverage), name=name)


class AcceptedAccuracy(metric_types.Metric):
  """The accuracy of the accepted answers; also emits `accepted`, their part of all answers."""

  def __init__(self, name: str = ACCURACY, code: str = ""):
    """`code` as for `ClassCoverage`."""
    super().__init__(paired_metric(_AcceptedClasses, ACCEPTED_NAME), name=name)


class AcceptedLabels(metric_types.Metric):
  """The same of several labels, all of which must be right."""

  def __init__(self, name: str = ACCURACY, code: str = ""):
    """`code` as for `ClassCoverage`."""
    super().__init__(paired_metric(_AcceptedSets, ACCEPTED_NAME), name=name)


class _Answered(NamedTuple):
  """A row: its label, and a model's outputs by name; none if the model has only one."""

  label: np.ndarray
  outputs: Mapping[str, Any]


class _Combiner(PairedCombiner):
  """Reads all outputs of a model."""

  def answered(self, element: Any) -> _Answered:
    """Returns a row as this model answers it."""
    found = element.get_predictions(self._model)
    label = np.ravel(element.get_labels(self._model))
    return _Answered(label, found if isinstance(found, Mapping) else {})


class _CoverageCombiner(_Combiner):
  """Accumulates `[4]`: rows, the sum of what is held of each and of its square, sizes of sets."""

  needs: tuple[str, ...] = (SET,)

  def held(self, row: _Answered) -> float | None:
    """Returns the part of a row's labels that its set holds; None without labels."""
    raise NotImplementedError

  def create_accumulator(self) -> np.ndarray:
    return np.zeros(4)

  def add_input(self, accumulator, element):
    row = self.answered(element)
    if all(name in row.outputs for name in self.needs):
      part = self.held(row)
      if part is not None:
        size = np.count_nonzero(_texts(row.outputs[SET])) if SET in self.needs else 0
        accumulator += (1, part, part * part, size)
    return accumulator

  def extract_output(self, accumulator):
    rows, total, squares, sizes = accumulator.tolist()
    interval = intervals.mean_share(total, squares, rows)
    more = [sizes / rows if rows else math.nan] if SET in self.needs else []
    return self.output(total / rows if rows else math.nan, interval, intervals.NONE, *more)


class _ClassCoverage(_CoverageCombiner):
  def held(self, row: _Answered) -> float | None:
    return float(bool(_names(row) & {*_texts(row.outputs[SET]).tolist()}))


class _LabelCoverage(_CoverageCombiner):
  def held(self, row: _Answered) -> float | None:
    """Returns the share of a row's labels in its set; one that the model lacks (-2) is in none."""
    count = int((row.label != NONE).sum())
    held = len(_names(row) & {*_texts(row.outputs[SET]).tolist()})
    return held / count if count else None


class _IntervalCoverage(_CoverageCombiner):
  needs = (LOW, HIGH)

  def held(self, row: _Answered) -> float | None:
    low, high = (float(np.ravel(row.outputs[name])[0]) for name in (LOW, HIGH))
    return float(low <= float(row.label[0]) <= high)


class _AcceptedCombiner(_Combiner):
  """Accumulates `[3]`: rows, those that are accepted, and those of them that are right."""

  def is_right(self, row: _Answered) -> bool:
    """Returns whether the answer is right."""
    raise NotImplementedError

  def create_accumulator(self) -> np.ndarray:
    return np.zeros(3)

  def add_input(self, accumulator, element):
    row = self.answered(element)
    if DECISION in row.outputs:
      is_accepted = _texts(row.outputs[DECISION])[0] == ACCEPTED
      accumulator += (1, is_accepted, is_accepted and self.is_right(row))
    return accumulator

  def extract_output(self, accumulator):
    rows, accepted, right = accumulator.tolist()
    return self.output(
      right / accepted if accepted else math.nan,
      intervals.share(right, accepted),
      intervals.NONE,
      accepted / rows if rows else math.nan,
    )


class _AcceptedClasses(_AcceptedCombiner):
  def is_right(self, row: _Answered) -> bool:
    return int(np.argmax(row.outputs["scores"])) == int(row.label[0])


class _AcceptedSets(_AcceptedCombiner):
  def is_right(self, row: _Answered) -> bool:
    answer = {*np.flatnonzero(np.ravel(row.outputs["scores"]) >= THRESHOLD).tolist()}
    return answer == {int(label) for label in row.label if label != NONE}


def _names(row: _Answered) -> set[str]:
  """Returns the names of a row's labels that the model knows."""
  names = _texts(row.outputs["labels"])
  return {str(names[label]) for label in row.label.astype(int) if 0 <= label < len(names)}


def _texts(values: Any) -> np.ndarray:
  flat = np.ravel(values)
  return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in flat], object)
