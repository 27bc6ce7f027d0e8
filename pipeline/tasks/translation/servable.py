"""The rule for valid inputs of the translation task, in graph: for every signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from pipeline.tasks.translation.sources import records
from pipeline.text import servable


def faults(values: tf.Tensor, options: Mapping[str, Any]) -> tf.Tensor:
  """Returns the fault of each text: `[batch]` string to `[batch]` string; empty for a valid text.

  Args:
    values: any bytes.
    options: the data option `max_chars`.
  """
  return servable.faults(values, what=records.INPUT, max_chars=records.max_chars(options))
