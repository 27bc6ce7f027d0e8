"""Multi-label answers: a sigmoid for each label of a vocabulary.

A table holds the labels in one column, separated by `|` or `data.label_separator`, or as a list; an
empty cell is a valid row without labels. A source returns a list.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from dlpipe.errors import BadInputError
from dlpipe.records import FeatureValue, Rejected, class_names, is_part
from pipeline.params import DataOptions, Params
from pipeline.problem import MEASURED_ON_SUCH, Problem, usual_words
from pipeline.problems.certainty.words import with_doubts
from pipeline.sources import encoding
from pipeline.sources.class_counts import names
from pipeline.sources.labels import label_text
from pipeline.task import MetricGate

if TYPE_CHECKING:
  import tensorflow_transform as tft

LABEL_IDS = "label_ids"  # transformed: [MOST] int64, NONE after the last, UNKNOWN to train
VOCABULARY = "labels"  # the vocabulary file in the transform graph
SEPARATOR = "|"
MOST = 100  # largest number of labels of a row; shapes in a transform graph are fixed
NONE, UNKNOWN = -1, -2  # in LABEL_IDS
THRESHOLD = 0.5  # smallest score of a label in the answer
COUNTS_NAME = "label_counts"  # the counts of each label, from `label_metrics`

_LOOKED_AT = 5_000  # rows
_OTHER_SEPARATORS = (",", ";", "/", "|", "\t")


class Options(DataOptions):
  """The data options of a multi-label task, whose options extend this class."""

  label_separator: str = Field(
    SEPARATOR, min_length=1, description="tables: what stands between two labels of a row"
  )


def read_label(cell: Any, options: Mapping[str, Any]) -> list[str]:
  """Returns the labels in a cell, each once.

  >>> [read_label(cell, {}) for cell in ("red|round", "", None, [3.0, "red"])]
  [['red', 'round'], [], [], ['3', 'red']]

  Raises:
    ValueError: a label is not a line of text, a label of a list holds the separator, or there are
      more than a hundred labels; the quarantine stores the message.
  """
  if isinstance(cell, bytes):
    cell = cell.decode("utf-8", "replace")
  if cell is None or cell != cell or (isinstance(cell, str) and not cell.strip()):
    return []
  separator = _separator(options)
  parts = cell.split(separator) if isinstance(cell, str) else cell
  each = parts if isinstance(parts, (list, tuple)) else [parts]
  found = sorted({*map(label_text, each)})
  # Answers join labels by it: a table of them would be read back as other labels.
  holding = next((label for label in found if separator in label), None)
  if holding is not None:
    raise ValueError(
      f"the label {holding!r} holds {separator!r}, which stands between labels; write it without, "
      "or name another separator with data.label_separator"
    )
  if len(found) > MOST:
    raise ValueError(f"the row has {len(found)} labels, and {MOST} are the most")
  return found


def _separator(options: Mapping[str, Any]) -> str:
  value = options.get("label_separator", SEPARATOR)
  if not isinstance(value, str) or not value:
    raise BadInputError(
      "data.label_separator must be what stands between two labels, such as '|'. Received: "
      f"label_separator={value!r}"
    )
  return value


def require(
  answers: Iterable[FeatureValue | Rejected],
  *,
  source: str,
  advice: str,
  options: Mapping[str, Any],
) -> None:
  """Reads answers until a label distinguishes rows; reads at least 5,000 if there are so many.

  Of a part of an input it reads none.

  Args:
    answers: the results of `read_label`, or the reason why a row cannot be used.
    source: the input, for messages.
    advice: advice for the user if labels are missing, such as to name another column.
    options: the data options.

  Raises:
    BadInputError: no label distinguishes rows, or the separator of labels is wrong.
  """
  separator = _separator(options)
  if is_part():
    return
  counts: collections.Counter[str] = collections.Counter()
  rejected: Rejected | None = None
  rows = several = 0
  for each in answers:
    if isinstance(each, Rejected):
      rejected = rejected or each
      continue
    found = class_names(each)
    counts.update(found)
    rows, several = rows + 1, several + (len(found) > 1)
    if rows >= _LOOKED_AT and any(1 < count < rows for count in counts.values()):
      break
  if not several:
    _require_separator(counts, separator, source)
  if any(1 < count < rows for count in counts.values()):
    return
  unused = f"{rejected.origin} cannot be used: {rejected.reason}" if rejected else ""
  remedy = encoding.remedy(rejected.reason) if rejected else ""
  found_words = "; ".join(filter(None, [names(counts) or "none", unused]))
  raise BadInputError(
    f"Expected a label in {source!r} that two rows have and another one lacks. Found: "
    f"{found_words}. {remedy or advice}"
  )


def _require_separator(counts: Mapping[str, int], separator: str, source: str) -> None:
  """Raises `BadInputError` if no row has several labels, and most labels look like several."""
  total = sum(counts.values())
  for other in _OTHER_SEPARATORS:
    holding = {label: n for label, n in counts.items() if other in label.strip()}
    if other != separator and 2 * sum(holding.values()) > total:
      raise BadInputError(
        f"No row of {source!r} has two labels with {separator!r} between them, and most have "
        f"{other!r} in their label, such as {names(holding)}. If that separates them, say so with "
        f"--set data.label_separator={other!r}; if each is one label, write it without {other!r}."
      )


def label_features(label: Any, other: Any) -> dict[str, Any]:
  """Computes the label features that a `preprocessing_fn` returns.

  Args:
    label: `[batch, (labels)]` string, the raw labels; sparse, because the feature has no fixed
      shape.
    other: the raw input; not used.

  Returns:
    `label_ids` `[batch, MOST]` int64: the labels' ranks by frequency, ties by name; -2 for a label
    that train lacks; -1 after the last label.
  """
  import tensorflow as tf
  import tensorflow_transform as tft

  del other
  ids = tft.compute_and_apply_vocabulary(
    label, vocab_filename=VOCABULARY, num_oov_buckets=0, default_value=UNKNOWN
  )
  rows = ids.dense_shape[0]
  within = tf.sparse.slice(ids, [0, 0], [rows, MOST])
  padded = tf.sparse.reset_shape(within, tf.stack([rows, tf.constant(MOST, tf.int64)]))
  dense = tf.sparse.to_dense(padded, default_value=NONE)
  return {LABEL_IDS: tf.ensure_shape(dense, [None, MOST])}


def units(tft_output: tft.TFTransformOutput, vocabulary: str = VOCABULARY) -> int:
  """Returns the number of logits of a model for each row."""
  return tft_output.vocabulary_size_by_name(vocabulary)


def binary_cross_entropy(ids: Any, logits: Any) -> Any:
  """Computes the loss of each row, `[batch]`: `ids` `[batch, MOST]`, `logits` `[batch, labels]`."""
  import keras
  from keras import ops

  # Ids are shifted by two: the columns of UNKNOWN and NONE come before those of the labels.
  rows = ops.shape(ids)[0]
  columns = ops.reshape(ops.cast(ids, "int32") - UNKNOWN, (-1,))
  places = ops.stack([ops.repeat(ops.arange(rows), MOST), columns], axis=1)
  hits = ops.scatter(places, ops.ones_like(columns), (rows, ops.shape(logits)[-1] - UNKNOWN))
  truth = ops.cast(hits[:, -UNKNOWN:] > 0, logits.dtype)
  return keras.losses.binary_crossentropy(truth, logits, from_logits=True)


def compile_args(params: Params) -> dict[str, Any]:
  """Returns the mean binary cross-entropy over the labels as the loss, and no metrics."""
  return {"loss": binary_cross_entropy, "metrics": []}


def answer(
  tft_output: tft.TFTransformOutput, vocabulary: str, options: Mapping[str, Any]
) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
  """Returns the graph function from `[batch, labels]` logits to the outputs of a served model.

  Returns:
    A function that returns `label` `[batch]` string, the labels whose score is 0.5 or more, joined
    by the separator of the data, the most frequent in train first; `scores` `[batch, labels]`
    float32, each in [0, 1]; and `labels` `[batch, labels]` string.
  """
  import tensorflow as tf

  known = tf.constant(
    [name.decode() for name in tft_output.vocabulary_by_name(vocabulary)], tf.string
  )
  separator = _separator(options)

  def outputs(logits: tf.Tensor, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    scores = tf.nn.sigmoid(tf.cast(logits, tf.float32))
    labels = tf.repeat(known[tf.newaxis], tf.shape(scores)[0], axis=0)
    chosen = tf.ragged.boolean_mask(labels, scores >= THRESHOLD)
    joined = tf.strings.reduce_join(chosen, axis=1, separator=separator)
    return {"label": joined, "scores": scores, "labels": labels}

  return outputs


def shown(found: Any, names: Callable[[], list[str]]) -> dict[str, Any]:
  """Returns `per_class`: each label's precision, recall and count; nan if undefined."""
  flat = found.arrays.get(COUNTS_NAME, [])
  counts = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
  return {
    "per_class": [
      {
        "label": label,
        "precision": right / (right + extra) if right + extra else math.nan,
        "recall": right / (right + missed) if right + missed else math.nan,
        "count": int(right + missed),
      }
      for label, (right, extra, missed) in zip(names() if flat else (), counts, strict=True)
    ]
  }


def words(outputs: Mapping[str, Any]) -> list[str]:
  """Formats the labels with their scores, highest first; without labels, the highest score."""
  ranked = sorted(zip(outputs["scores"], outputs["labels"], strict=True), reverse=True)
  chosen = [f"{label} {score:.4f}" for score, label in ranked if score >= THRESHOLD]
  if chosen or not ranked:
    return chosen or usual_words(outputs)
  score, label = ranked[0]
  return [f"no label (the nearest is {label} {score:.4f})"]


def answer_in(outputs: Mapping[str, Any]) -> str:
  """Returns the labels of an answer in the order of the alphabet; each model has its own order.

  >>> answer_in({"scores": [0.9, 0.1, 0.7], "labels": ["red", "old", "big"]})
  'big, red'
  """
  pairs = zip(outputs["labels"], outputs["scores"], strict=True)
  return ", ".join(sorted(label for label, score in pairs if score >= THRESHOLD))


PROBLEM = Problem(
  name="labels",
  read_label=read_label,
  require=require,
  has_classes=True,
  label_id_key=LABEL_IDS,
  vocabulary=VOCABULARY,
  options=tuple(Options.model_fields),
  compile_args=f"{__name__}.compile_args",
  units=f"{__name__}.units",
  answer=f"{__name__}.answer",
  calibration="pipeline.problems.calibration.of_labels",
  certainty="pipeline.problems.certainty.sets.LabelSets",
  cache_dtypes={LABEL_IDS: "int32"},
  prediction_key="scores",
  metrics="pipeline.problems.label_metrics.label_metrics",
  rows="pipeline.problems.rows.of_labels",
  shown=f"{__name__}.shown",
  findings="pipeline.checks.gate_findings.of_several_labels",
  baseline="pipeline.suspects.cheap.of_labels",
  contradicts=True,
  words=with_doubts(words),
  answer_keys=("labels", "scores"),
  answer_in=answer_in,
  limits=(
    (
      "It knows no other labels than those it was trained on; an answer without a label says "
      "only that none of them scored high enough."
    ),
    MEASURED_ON_SUCH,
  ),
)

GATES = (
  MetricGate(
    metric="skill",
    best=1,
    bound=0.1,
    max_regression=0.02,
    reason="a model worth serving is nearer to the labels than their shares of the rows, the best "
    "answer that knows nothing of the input; a new version may not be further, but for chance",
  ),
)
