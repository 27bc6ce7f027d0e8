"""How a combiner becomes a TFMA metric: what its own metrics repeat for each class."""

from __future__ import annotations

from collections.abc import Callable

import apache_beam as beam
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2


def computations(
  make: Callable[..., beam.CombineFn], *more: str
) -> Callable[..., metric_types.MetricComputations]:
  """What a `tfma.metrics.Metric` is built with.

  Args:
    make: called with the `EvalConfig` and a `MetricKey` for each value; combines a slice's rows.
    more: names of values beside the metric's own.
  """

  def computed(
    eval_config: config_pb2.EvalConfig | None = None,
    name: str = "",
    model_name: str = "",
    output_name: str = "",
  ) -> metric_types.MetricComputations:
    keys = [
      metric_types.MetricKey(name=each, model_name=model_name, output_name=output_name)
      for each in (name, *more)
    ]
    combiner = make(eval_config, *keys)
    return [metric_types.MetricComputation(keys=keys, preprocessors=None, combiner=combiner)]

  return metric_util.merge_per_key_computations(computed)
