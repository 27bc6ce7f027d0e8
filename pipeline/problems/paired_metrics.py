"""TFMA metrics with confidence intervals, for one model or for two that are compared.

Beside its value, a metric emits `<name>_interval`, `[2]` float64, and `<name>_change`, `[2]`: the
interval of the candidate's value minus the baseline's; nan if there is none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from dlpipe.fingerprint import code_fingerprint
from pipeline.problems import intervals
from pipeline.problems.intervals import Interval

INTERVAL, CHANGE = "_interval", "_change"


class Scored(NamedTuple):
  """A row as one model reads it.

  Attributes:
    label: the true answer: the class's id, or the text.
    prediction: `[classes]` float scores, or the text.
    content: bytes by which the bootstrap identifies the row.
  """

  label: Any
  prediction: Any
  content: bytes


class PairedCombiner(beam.CombineFn):
  """Reads the rows of one model, and of the model with which it is compared."""

  def __init__(
    self,
    eval_config: config_pb2.EvalConfig | None,
    key: metric_types.MetricKey,
    interval: metric_types.MetricKey,
    change: metric_types.MetricKey,
    *more: metric_types.MetricKey,
  ):
    self._eval_config = eval_config
    self._keys = (key, interval, change, *more)
    self._model = key.model_name
    names = [] if eval_config is None else [s.name for s in eval_config.model_specs]
    is_compared = key.model_name == constants.CANDIDATE_KEY and constants.BASELINE_KEY in names
    self._baseline = constants.BASELINE_KEY if is_compared else None

  def rows(self, element: metric_types.StandardMetricInputs) -> tuple[Scored, Scored | None]:
    """Returns the row of this model, and the baseline's row if this is a candidate, else None."""
    row = self._row(element, self._model)
    return row, None if self._baseline is None else self._row(element, self._baseline)

  def read(self, label: Any, prediction: Any) -> Scored:
    """Reads a class's id and the scores; subclasses read other labels."""
    scores = np.ravel(prediction)
    found = int(np.ravel(label)[0])
    return Scored(found, scores, b"%d " % found + np.asarray(scores, np.float32).tobytes())

  def output(self, value: float, interval: Interval, change: Interval, *more: Any) -> dict:
    """Returns the result of `extract_output`: each metric key with its value."""
    values = (value, np.array(interval, float), np.array(change, float), *more)
    return dict(zip(self._keys, values, strict=True))

  def averaged(self, sums: np.ndarray, *more: Any) -> dict:
    """Returns the result for numbers from 0: rows, sum, sum of squares; of differences: `[6]`."""
    n, total, squares, pairs, change, change_squares = sums
    return self.output(
      total / n if n else math.nan,
      intervals.mean_from_zero(total, squares, n),
      intervals.mean(change, change_squares, pairs),
      *more,
    )

  def resampled(self, values: np.ndarray, *more: Any) -> dict:
    """Returns the result for `[both models, 1 + replicates]`: the value, then its resamples."""
    interval = intervals.percentiles(values[0, 1:])
    change = intervals.percentiles(values[0, 1:] - values[1, 1:])
    return self.output(float(values[0, 0]), interval, change, *more)

  def merge_accumulators(self, accumulators: Iterable) -> Any:
    """Adds arrays; None stands for no rows. Subclasses with other accumulators override it."""
    found = [each for each in accumulators if each is not None]
    return sum(found[1:], found[0]) if found else None

  def _row(self, element: metric_types.StandardMetricInputs, model: str) -> Scored:
    [(label, prediction, _)] = metric_util.to_label_prediction_example_weight(
      element,
      eval_config=self._eval_config,
      model_name=model,
      output_name=self._keys[0].output_name,
      flatten=False,
      allow_none=False,
    )
    return self.read(label, prediction)


class RightCombiner(PairedCombiner):
  """Computes the share of right rows; accumulates `[5]`: rows, right; paired, gained, lost."""

  def is_right(self, row: Scored) -> int:
    """Returns 1 if the row is right, else 0."""
    raise NotImplementedError

  def create_accumulator(self) -> Any:
    return np.zeros(5, np.int64)

  def add_input(self, accumulator, element):
    row, old = self.rows(element)
    right = self.is_right(row)
    accumulator[:2] += (1, right)
    if old is not None:
      before = self.is_right(old)
      accumulator[2:] += (1, right > before, right < before)
    return accumulator

  def extract_output(self, accumulator):
    count, right, pairs, gained, lost = accumulator.tolist()
    return self.output(
      right / count if count else math.nan,
      intervals.share(right, count),
      intervals.paired_shares(gained, lost, pairs),
    )


def paired_metric(
  make: Callable[..., PairedCombiner], *more: str
) -> Callable[..., metric_types.MetricComputations]:
  """Returns the function with which a `tfma.metrics.Metric` is built.

  Args:
    make: makes the combiner of a slice's rows; called with the `EvalConfig` and a `MetricKey` for
      the value, its interval, its change and each of `more`.
    *more: names of further values.
  """

  def computed(
    eval_config: config_pb2.EvalConfig | None = None,
    name: str = "",
    model_name: str = "",
    output_name: str = "",
  ) -> metric_types.MetricComputations:
    keys = [
      metric_types.MetricKey(name=each, model_name=model_name, output_name=output_name)
      for each in (name, name + INTERVAL, name + CHANGE, *more)
    ]
    combiner = make(eval_config, *keys)
    return [metric_types.MetricComputation(keys=keys, preprocessors=None, combiner=combiner)]

  return metric_util.merge_per_key_computations(computed)


def named_metrics(module: str, named: Mapping[str, str]) -> list[config_pb2.MetricConfig]:
  """Returns the configuration of the number of rows, and of metrics of ours.

  Args:
    module: the module of the metrics, whose code is part of their configuration.
    named: class name to metric name. The class names must differ from those of TFMA's metrics,
      which TFMA would load instead.
  """
  code = code_fingerprint(module)
  count = config_pb2.MetricConfig(
    class_name="ExampleCount", config=json.dumps({"name": "example_count"})
  )
  return [
    count,
    *(
      config_pb2.MetricConfig(
        class_name=name, module=module, config=json.dumps({"name": metric, "code": code})
      )
      for name, metric in named.items()
    ),
  ]
