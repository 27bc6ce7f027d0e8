"""The rows of `predictions.parquet` by kind of problem: what a model said of each example.

Each function is the field `rows` of a `Problem`. It takes `labels`, the values of the raw label
feature of each row, and `outputs`, the arrays of the signature `serving_examples` by name, and
returns a table of one row for each. Every kind has the columns `label`, `predicted`, `loss` and
`right`; the greater `loss`, the more is wrong. A model that says what it does not know adds `set`,
`low`, `high`, `familiarity` and `decision`, as far as it has them. The metadata of the schema say
what reports show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dlpipe.records import labels_in_words
from pipeline.problems.certainty.record import DECISION, FAMILIARITY, HIGH, LOW, SET

# Keys of the schema's metadata.
LABELS = b"labels"  # JSON: the names of the places in `scores`
MEASURE = b"measure"  # the column that a report shows beside label and prediction
SHOWN_AS = b"shown_as"  # SAMPLES, or absent for mistakes
SAMPLES = b"samples"

LABEL_LIST, PREDICTED_LIST = "label_list", "predicted_list"

_LIST, _TEXTS = pa.list_(pa.float32()), pa.list_(pa.string())
Labels = Sequence[Sequence[Any]]
Outputs = Mapping[str, np.ndarray]


def of_classes(labels: Labels, outputs: Outputs) -> pa.Table:
  """Returns rows of one class of several.

  Returns:
    `label` and `predicted` string; `score` float, of the prediction; `scores` list of float; `loss`
    double, the negative logarithm of the label's score, infinite for a label that the model does
    not know; `right` bool.
  """
  names = _texts(outputs["labels"][0])
  place = {name: number for number, name in enumerate(names)}
  truth = [_text(values[0]) if len(values) else "" for values in labels]
  said, scores = _texts(outputs["label"]), outputs["scores"]
  of_label = np.array(
    [scores[row, place[label]] if label in place else 0 for row, label in enumerate(truth)],
    np.float64,
  )
  return pa.table(
    {
      "label": pa.array(truth, pa.string()),
      "predicted": pa.array(said, pa.string()),
      "score": pa.array(outputs["score"].astype(np.float32)),
      "scores": pa.array(list(scores.astype(np.float32)), _LIST),
      "loss": pa.array(_negative_log(of_label)),
      "right": pa.array([a == b for a, b in zip(truth, said, strict=True)], pa.bool_()),
      **_doubts(outputs),
    }
  ).replace_schema_metadata({LABELS: json.dumps(names), MEASURE: b"score"})


def of_labels(labels: Labels, outputs: Outputs) -> pa.Table:
  """Returns rows of several labels.

  Returns:
    `label` and `predicted` string, labels joined by ` | `; `label_list` and `predicted_list`, the
    same as lists of string; `score` float, the certainty of the surest wrong label, 0 if all are
    right; `scores` list of float; `loss` double, the mean binary
    cross-entropy over the model's labels, infinite if the row has an unknown label; `right` bool,
    whether every label is right.
  """
  from pipeline.problems.labels import THRESHOLD

  names = _texts(outputs["labels"][0])
  truth = [{_text(value) for value in values} for values in labels]
  scores = outputs["scores"].astype(np.float64)
  is_true = np.array([[name in row for name in names] for row in truth], bool).reshape(scores.shape)
  unknown = np.array([bool(row - {*names}) for row in truth], bool)
  chosen = scores >= THRESHOLD
  sure = np.where(chosen != is_true, np.where(is_true, 1 - scores, scores), 0).max(1, initial=0)
  loss = _negative_log(np.where(is_true, scores, 1 - scores)).mean(1)
  given = [sorted(row) for row in truth]
  said = [sorted(np.array(names, object)[row]) for row in chosen]
  return pa.table(
    {
      "label": pa.array(map(labels_in_words, given), pa.string()),
      "predicted": pa.array(map(labels_in_words, said), pa.string()),
      LABEL_LIST: pa.array(given, _TEXTS),
      PREDICTED_LIST: pa.array(said, _TEXTS),
      "score": pa.array(np.where(unknown, 1, sure).astype(np.float32)),
      "scores": pa.array(list(scores.astype(np.float32)), _LIST),
      "loss": pa.array(np.where(unknown, np.inf, loss)),
      "right": pa.array((chosen == is_true).all(1) & ~unknown),
      **_doubts(outputs),
    }
  ).replace_schema_metadata({LABELS: json.dumps(names), MEASURE: b"score"})


def of_number(labels: Labels, outputs: Outputs) -> pa.Table:
  """Returns rows of numbers.

  Returns:
    `label` and `predicted` float, as the data and the model have them, so that a condition such as
    `label == 19.99` finds 19.99; `off` double, their distance; `loss` double, its square, or
    infinity if the prediction is not finite; `right` bool, whether both are equal.
  """
  truth = np.array([float(values[0]) if len(values) else np.nan for values in labels], np.float64)
  said = outputs["value"].astype(np.float64).reshape(-1)
  off = np.abs(said - truth)
  loss = np.where(np.isfinite(said), np.square(off), np.inf)
  return pa.table(
    {
      "label": pa.array(truth.astype(np.float32)),
      "predicted": pa.array(said.astype(np.float32)),
      "off": pa.array(off),
      "loss": pa.array(loss),
      "right": pa.array(off == 0),
      **_doubts(outputs),
    }
  ).replace_schema_metadata({MEASURE: b"off"})


def of_text(labels: Labels, outputs: Outputs) -> pa.Table:
  """Returns rows of texts.

  Returns:
    `label` and `predicted` string; `score` float, the model's; `chrf` double, chrF2 of the
    prediction with the label as the reference, 0 to 100; `loss` double, 100 minus `chrf`; `right`
    bool, whether both are equal.
  """
  from pipeline.problems.translation_metrics import row_chrf

  truth = [_text(values[0]) if len(values) else "" for values in labels]
  said = _texts(outputs["translation"])
  chrf = np.array([row_chrf(a, b) for a, b in zip(said, truth, strict=True)], np.float64)
  return pa.table(
    {
      "label": pa.array(truth, pa.string()),
      "predicted": pa.array(said, pa.string()),
      "score": pa.array(outputs["score"].astype(np.float32)),
      "chrf": pa.array(chrf),
      "loss": pa.array(100 - chrf),
      "right": pa.array([a == b for a, b in zip(truth, said, strict=True)], pa.bool_()),
    }
  ).replace_schema_metadata({MEASURE: b"chrf", SHOWN_AS: SAMPLES})


def _doubts(outputs: Outputs) -> dict[str, pa.Array]:
  """Returns the columns of what the model does not know, of the outputs that it has.

  Returns:
    `set` list of string, the labels of the set; `low` and `high` float; `familiarity` float;
    `decision` string.
  """
  found: dict[str, pa.Array] = {}
  if SET in outputs:
    sets = [[name for name in _texts(row) if name] for row in outputs[SET]]
    found[SET] = pa.array(sets, _TEXTS)
  for name in (LOW, HIGH, FAMILIARITY):
    if name in outputs:
      found[name] = pa.array(outputs[name].astype(np.float32))
  if DECISION in outputs:
    found[DECISION] = pa.array(_texts(outputs[DECISION]), pa.string())
  return found


def _negative_log(scores: np.ndarray) -> np.ndarray:
  with np.errstate(divide="ignore"):
    return -np.log(scores)


def _texts(values: Any) -> list[str]:
  return [_text(value) for value in values]


def _text(value: Any) -> str:
  return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
