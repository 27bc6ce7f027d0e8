"""A number, such as a price or an age: learnt in standard deviations, answered in its unit."""

from __future__ import annotations

import decimal
import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dlpipe.errors import BadInputError
from dlpipe.records import FeatureValue, Rejected, is_part
from dlpipe.words import shortest
from pipeline.params import DataOptions, Params
from pipeline.problem import WITHOUT_CLASSES, Problem
from pipeline.problems.certainty.words import with_doubts
from pipeline.sources import encoding
from pipeline.sources.class_counts import names
from pipeline.task import MetricGate

if TYPE_CHECKING:
  import tensorflow_transform as tft

TARGET = "target"  # transformed: [1] float32, the label in standard deviations from the mean
MEAN, DEVIATION = "target_mean", "target_deviation"  # transformed: float32, statistics of train
POINTS_NAME = "answers"  # label and answer of some rows, from `number_metrics`

# 1,5 and 1.234,50: digits in another notation.
_OTHERWISE = re.compile(r"[+-]?\d+([ ',.\u00a0\u202f]\d+)+")
# 45 years and $ 7: a number with one word or sign at one side.
_UNIT = re.compile(r"[^\W\d_]{1,12}\.?|[^\w\s]{1,3}")
_NUMBER = re.compile(r"[+-]?\d[\d',.\u00a0\u202f]*")


class Options(DataOptions):
  """The data options of a regression task: none beside those of its input."""


def read_label(cell: Any, options: Mapping[str, Any]) -> float:
  """Returns the number in a cell, rounded to float32.

  >>> [read_label(cell, {}) for cell in (3, "2.50", " -1e3 ")]
  [3.0, 2.5, -1000.0]

  Raises:
    ValueError: the value is not a finite float32; the quarantine stores the message.
  """
  del options
  if isinstance(cell, bytes):
    cell = cell.decode("utf-8", "replace")
  if cell is None or (isinstance(cell, str) and not cell.strip()):
    raise ValueError("the number is missing")
  if isinstance(cell, bool) or not isinstance(cell, (str, int, float, decimal.Decimal)):
    raise ValueError(f"the label is no number, but of type {type(cell).__name__}")
  try:
    value = float(cell) if "_" not in str(cell) else math.nan
  except (ValueError, OverflowError):
    value = math.nan
  if math.isnan(value) and isinstance(cell, float):
    raise ValueError("the number is missing")  # numeric tables mark a missing value by nan
  if math.isnan(value):
    raise ValueError(f"{names([str(cell)])} is no number{_how_to_write(str(cell).strip())}")
  try:
    [narrow] = struct.unpack("f", struct.pack("f", value))
  except OverflowError:
    narrow = math.inf
  if math.isinf(narrow):
    raise ValueError(f"{names([str(cell)])} is no finite number that float32 can hold")
  return narrow


def _how_to_write(text: str) -> str:
  """Returns how to write what is meant for a number; empty if it looks like none."""
  if _OTHERWISE.fullmatch(text):
    return "; write it with a point and without marks between thousands, such as 1234.5"
  number = _NUMBER.search(text)
  if number and _UNIT.fullmatch((text[: number.start()] + text[number.end() :]).strip()):
    return "; write the number alone, without a unit, such as 1234.5"
  return ""


def require(
  answers: Iterable[FeatureValue | Rejected],
  *,
  source: str,
  advice: str,
  options: Mapping[str, Any],
) -> None:
  """Reads answers until two of them differ; reads none of a part of an input.

  Args:
    answers: the results of `read_label`, or the reason why a row cannot be used.
    source: the input, for messages.
    advice: advice for the user if numbers are missing, such as to name another column.
    options: the data options.

  Raises:
    BadInputError: all numbers are equal, or there are none.
  """
  del options
  if is_part():
    return
  first: Any = None
  rejected: Rejected | None = None
  for each in answers:
    if isinstance(each, Rejected):
      rejected = rejected or each
    elif first is None:
      first = each
    elif each != first:
      return
  unused = f"; {rejected.origin} cannot be used: {rejected.reason}" if rejected else ""
  remedy = encoding.remedy(rejected.reason) if rejected else ""
  found = "none" if first is None else f"{shortest(first)} alone"
  raise BadInputError(
    f"Expected at least two different numbers in {source!r}. Found: {found}{unused}. "
    f"{remedy or advice}"
  )


def label_features(label: Any, other: Any) -> dict[str, Any]:
  """Computes the label features that a `preprocessing_fn` returns.

  Args:
    label: `[batch, 1]` float32, the raw label; dense or sparse.
    other: `[batch, ...]`, the raw input, dense or sparse; a served model gets it without a label.

  Returns:
    `target` `[batch, 1]` float32, and `target_mean` and `target_deviation`, `[batch]` float32 each.
  """
  import tensorflow as tf
  import tensorflow_transform as tft

  dense = tf.sparse.to_dense(label) if isinstance(label, tf.SparseTensor) else label
  values = tf.cast(tf.reshape(dense, [-1]), tf.float64)
  mean, deviation = tft.mean(values), tf.sqrt(tft.var(values))
  deviation = tf.where(deviation > 0, deviation, tf.ones_like(deviation))
  rows = other.dense_shape[:1] if isinstance(other, tf.SparseTensor) else tf.shape(other)[:1]
  return {
    TARGET: tf.cast((values - mean) / deviation, tf.float32)[:, tf.newaxis],
    MEAN: tf.fill(rows, tf.cast(mean, tf.float32)),
    DEVIATION: tf.fill(rows, tf.cast(deviation, tf.float32)),
  }


def units(tft_output: tft.TFTransformOutput, vocabulary: str | None = None) -> int:
  """Returns the number of outputs of a model for each row."""
  del tft_output, vocabulary
  return 1


def compile_args(params: Params) -> dict[str, Any]:
  """Returns the squared error; its best constant is the mean, with which `skill` compares."""
  import keras

  return {
    "loss": keras.losses.MeanSquaredError(),
    "metrics": [keras.metrics.MeanAbsoluteError(name="mae")],
  }


def answer(
  tft_output: tft.TFTransformOutput, vocabulary: str, options: Mapping[str, Any]
) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
  """Returns the graph function from `[batch, 1]` outputs to `value` `[batch]` float32."""
  import tensorflow as tf

  def outputs(said: tf.Tensor, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    scaled = tf.cast(tf.reshape(said, [-1]), tf.float32)
    return {"value": scaled * features[DEVIATION] + features[MEAN]}

  return outputs


def shown(found: Any, names: Callable[[], list[str]]) -> dict[str, Any]:
  """Returns `answers` for the report: `[[label, prediction], ...]`."""
  flat = found.arrays.get(POINTS_NAME, [])
  return {"answers": [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]}


def words(outputs: Mapping[str, Any]) -> list[str]:
  """Formats the outputs with six significant digits."""
  return [f"{name} {value:.6g}" for name, value in outputs.items()]


PROBLEM = Problem(
  name="number",
  read_label=read_label,
  require=require,
  has_classes=False,
  label_id_key=TARGET,
  compile_args=f"{__name__}.compile_args",
  units=f"{__name__}.units",
  answer=f"{__name__}.answer",
  serving_keys=(MEAN, DEVIATION),
  certainty="pipeline.problems.certainty.interval.Interval",
  prediction_key="value",
  compares_raw_label=True,
  metrics="pipeline.problems.number_metrics.number_metrics",
  rows="pipeline.problems.rows.of_number",
  shown=f"{__name__}.shown",
  survey="pipeline.checks.numbers.Survey",
  baseline="pipeline.suspects.cheap.of_number",
  contradicts=False,
  unread=WITHOUT_CLASSES,
  words=with_doubts(words),
  limits=(
    "It answers with a number for any input; `low` and `high` are equally far from it for all.",
    "Its metrics hold for inputs like those of the data below, and for numbers in their range.",
  ),
)

GATES = (
  MetricGate(
    metric="skill",
    best=1,
    bound=0.1,
    max_regression=0.02,
    reason="a model worth serving explains a part of how rows differ from the mean, which any "
    "constant leaves open; a new version may not explain less, but for chance",
  ),
)
