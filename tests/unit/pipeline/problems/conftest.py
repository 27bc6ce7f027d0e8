"""TFMA's combiners fed by hand, without a pipeline around them."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def combined():
  """Returns a function that runs a combiner over rows and returns what it emits by name.

  Arguments: the combiner's class; rows of label and prediction; names of what it emits beside
  value, interval and change. Rows are split in two, whose accumulators are merged.
  """
  from tensorflow_model_analysis.metrics import metric_types

  def run(combiner, rows, *more):
    names = ("value", "interval", "change", *more)
    made = combiner(None, *(metric_types.MetricKey(name=name) for name in names))
    accumulators = []
    for part in (rows[::2], rows[1::2]):
      accumulator = made.create_accumulator()
      for label, prediction in part:
        element = metric_types.StandardMetricInputs(
          label=np.asarray(label),
          prediction=np.asarray(prediction, np.float32),
          example_weight=np.array([1.0]),
        )
        accumulator = made.add_input(accumulator, element)
      accumulators.append(accumulator)
    found = made.extract_output(made.merge_accumulators(accumulators))
    return {key.name: value for key, value in found.items()}

  return run
