"""One class of several: a softmax over a vocabulary of labels, judged by accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlpipe.records import FeatureValue, Rejected
from pipeline.params import Params
from pipeline.problem import MEASURED_ON_SUCH, Problem, usual_words
from pipeline.problems.certainty.words import with_doubts
from pipeline.sources.class_counts import require_labels
from pipeline.sources.labels import label_text
from pipeline.task import MetricGate

if TYPE_CHECKING:
  import tensorflow_transform as tft

WORST_RECALL = "worst_recall"
WORST_NAME = "worst_class"  # which class has the metric `worst_recall`, and by how many rows
WORST_ROWS = 20  # of eval; a recall by fewer is chance


def read_label(cell: Any, options: Mapping[str, Any]) -> str:
  """Returns the text that names the class.

  Raises:
    ValueError: the value is not a line of text; the quarantine stores the message.
  """
  del options
  return label_text(cell)


def require(
  answers: Iterable[FeatureValue | Rejected],
  *,
  source: str,
  advice: str,
  options: Mapping[str, Any],
) -> None:
  """Reads answers until two classes have two records each, and at least 5,000 if there are so many.

  Args:
    answers: the results of `read_label`, or the reason why a row cannot be used.
    source: the input, for messages.
    advice: advice for the user if a class is missing, such as to name another column.
    options: the data options.

  Raises:
    BadInputError: there are fewer than two classes, or fewer than two with two records.
  """
  del options
  labels = (each if isinstance(each, Rejected) else str(each) for each in answers)
  require_labels(labels, source=source, advice=advice)


def units(tft_output: Any, vocabulary: str) -> int:
  """Returns the number of logits of a model for each row."""
  return tft_output.vocabulary_size_by_name(vocabulary)


def compile_args(params: Params) -> dict[str, Any]:
  """Returns the loss for logits and integer labels, and the accuracy to monitor.

  A task whose `Params` has a setting `label_smoothing` trains with it.
  """
  import keras

  from pipeline.problems.smoothing import SmoothedCrossentropy

  smoothing = getattr(params, "label_smoothing", 0.0)
  return {
    "loss": SmoothedCrossentropy(smoothing)
    if smoothing
    else keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
  }


def answer(
  tft_output: tft.TFTransformOutput, vocabulary: str, options: Mapping[str, Any]
) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
  """Returns the graph function from `[batch, classes]` logits to the outputs of `class_outputs`."""
  from pipeline.problems.classification_outputs import class_outputs

  del options
  outputs = class_outputs(tft_output, vocabulary)
  return lambda logits, features: outputs(logits)


def shown(found: Any, names: Callable[[], list[str]]) -> dict[str, Any]:
  """Returns `labels`, `confusion` and `per_class`; empty if there is no confusion matrix."""
  if not found.confusion:
    return {}
  labels = names()
  confusion = confusion_rows(found, labels)
  return {"labels": labels, "confusion": confusion, "per_class": per_class(confusion, labels)}


def confusion_rows(found: Any, labels: Sequence[str]) -> list[list[float]]:
  """Returns the confusion matrix: a row for each true label, a column for each predicted one."""
  size = len(labels)
  counts = [[0.0] * size for _ in range(size)]
  for (actual, predicted), count in found.confusion.items():
    if 0 <= actual < size and 0 <= predicted < size:
      counts[actual][predicted] += count
  return counts


def per_class(confusion: Sequence[Sequence[float]], labels: Sequence[str]) -> list[dict[str, Any]]:
  """Computes each label's precision and recall from the confusion matrix; nan if undefined.

  `interval` is the 95 % interval of the recall, for so many rows of the label.
  """
  from pipeline.problems import intervals

  found = []
  for index, label in enumerate(labels):
    right = confusion[index][index]
    actual = sum(confusion[index])
    predicted = sum(row[index] for row in confusion)
    found.append(
      {
        "label": label,
        "precision": right / predicted if predicted else math.nan,
        "recall": right / actual if actual else math.nan,
        "count": int(actual),
        "interval": intervals.share(right, actual),
      }
    )
  return found


PROBLEM = Problem(
  name="classes",
  read_label=read_label,
  require=require,
  has_classes=True,
  has_one_class=True,
  label_id_key="label_id",
  vocabulary="labels",
  compile_args=f"{__name__}.compile_args",
  units=f"{__name__}.units",
  monitor=("val_accuracy", "max"),
  answer=f"{__name__}.answer",
  calibration="pipeline.problems.calibration.of_classes",
  certainty="pipeline.problems.certainty.sets.ClassSets",
  prediction_key="scores",
  metrics="pipeline.problems.classification_metrics.classification_metrics",
  rows="pipeline.problems.rows.of_classes",
  shown=f"{__name__}.shown",
  baseline="pipeline.suspects.cheap.of_classes",
  answer_keys=("label",),
  contradicts=True,
  words=with_doubts(usual_words),
  limits=(
    (
      "It knows no other labels than those it was trained on: whatever it is asked, it answers "
      "with one of them."
    ),
    MEASURED_ON_SUCH,
  ),
)

# The gates of every classifier; a task adds more.
GATES = (
  MetricGate(
    metric="skill",
    best=1,
    bound=0.3,
    reason="a model worth serving avoids a good part of the errors that always guessing the "
    "commonest class makes",
  ),
  MetricGate(
    metric="accuracy",
    best=1,
    max_regression=0.01,
    reason="a new version may not be worse than the one it replaces, but for chance",
  ),
  MetricGate(
    metric=WORST_RECALL,
    best=1,
    bound=0.1,
    optional=True,
    reason="a class that the model answers for fewer than one in ten of its rows is not learned, "
    "however good the average is",
  ),
)
