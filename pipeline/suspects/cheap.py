"""Cheap models for every kind of answer, and what a network is worth beside them.

Each `of_...` is the field `baseline` of a kind of problem. It learns from some rows of train, is
asked about some of eval, and is compared with the network row by row.
"""

from __future__ import annotations

import collections
import itertools
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dlpipe.records import EVAL, TRAIN
from pipeline.problems import intervals
from pipeline.problems.rows import LABEL_LIST, PREDICTED_LIST
from pipeline.rows import predictions
from pipeline.rows.examples import Value, batches, first_bytes, read_some
from pipeline.suspects import features, out_of_fold
from pipeline.suspects.baseline import Baseline

# Rows that the cheap model sees and is asked about; more would cost more than the answer is worth.
TRAIN_ROWS, EVAL_ROWS = 3_000, predictions.SAMPLED
_MAX_CLASSES = 200
_BATCH = 64
_WORDS, _EDGES = "words and pairs of words", "edges and colours"


class _Described(NamedTuple):
  """Rows of train and then of eval that can be used.

  Attributes:
    features: `[rows, features]`, dense or sparse.
    labels: the values of each row's raw label.
    is_eval: `[rows]` bool.
    places: of each row of eval, its number among those that `read_some` yields.
  """

  features: Any
  labels: list[Sequence[Value]]
  is_eval: np.ndarray
  places: list[int]


def of_classes(examples: pathlib.Path, told: Mapping[str, Any], said: pa.Table) -> Baseline | None:
  """Compares a network with a cheap classifier.

  Args:
    examples: directory of the `Examples` artifact.
    told: the result of `pipeline.rows.predictions.parameters`.
    said: what the network says of the rows of eval that `read_some` yields, in their order.

  Returns:
    The result; None if there are no rows, fewer than two classes or too many, or no pictures.
  """
  rows = _described(examples, told, need_label=True)
  given = [values[0] for values in rows.labels]
  of_train = collections.Counter(itertools.compress(given, ~rows.is_eval))
  if not rows.is_eval.any() or not 2 <= len(of_train) <= _MAX_CLASSES:
    return None
  names = {label: number for number, (label, _) in enumerate(of_train.most_common())}
  # An eval row whose label train lacks counts as wrong, whatever is answered.
  numbers = np.array([names.get(label, 0) for label in given])
  known = np.array([label in names for label in given])
  learn = out_of_fold.of_sparse if told["is_text"] else out_of_fold.of_dense
  scores = learn(rows.features, numbers, rows.is_eval.astype(np.int64) - 1, len(names))
  right = ((scores.argmax(1) == numbers) & known)[rows.is_eval]
  constant = ((numbers == 0) & known)[rows.is_eval]
  network = np.array(said["right"].take(rows.places).to_pylist(), bool)
  gained, lost = (int(each.sum()) for each in (network & ~right, right & ~network))
  return _compared(
    rows,
    told,
    measure="accuracy",
    cheap=right,
    network=network,
    constant=float(constant.mean()),
    interval=intervals.paired_shares(gained, lost, len(right)),
  )


def of_labels(examples: pathlib.Path, told: Mapping[str, Any], said: pa.Table) -> Baseline | None:
  """Compares a network that answers with several labels, by each row's F1; as `of_classes`."""
  rows = _described(examples, told, need_label=False)
  of_train = collections.Counter(
    label
    for values, is_eval in zip(rows.labels, rows.is_eval, strict=True)
    if not is_eval
    for label in values
  )
  learnt = int((~rows.is_eval).sum())
  if not rows.is_eval.any() or not of_train:
    return None
  names = [label for label, _ in of_train.most_common(_MAX_CLASSES)]
  targets = np.array([[name in values for name in names] for values in rows.labels], np.float32)
  chosen = _ridge(rows, targets, is_text=told["is_text"]) >= 0.5
  truth = [{*values} for values in itertools.compress(rows.labels, rows.is_eval)]
  usual = {name for name in names if of_train[name] > learnt / 2}
  cheap = [
    _f1({name for name, is_in in zip(names, row, strict=True) if is_in}, wanted)
    for row, wanted in zip(chosen, truth, strict=True)
  ]
  lists = (said[name].take(rows.places).to_pylist() for name in (PREDICTED_LIST, LABEL_LIST))
  network = [_f1({*predicted}, {*given}) for predicted, given in zip(*lists, strict=True)]
  constant = float(np.mean([_f1(usual, wanted) for wanted in truth]))
  return _compared(
    rows,
    told,
    measure="f1",
    cheap=np.array(cheap),
    network=np.array(network),
    constant=constant,
  )


def of_number(examples: pathlib.Path, told: Mapping[str, Any], said: pa.Table) -> Baseline | None:
  """Compares a network that answers with a number, by its absolute error; as `of_classes`."""
  rows = _described(examples, told, need_label=True)
  numbers = np.array([float(values[0]) for values in rows.labels])
  if not rows.is_eval.any() or len(numbers[~rows.is_eval]) < 2:
    return None
  mean, spread = numbers[~rows.is_eval].mean(), numbers[~rows.is_eval].std() or 1.0
  learnt = _ridge(rows, (numbers[:, np.newaxis] - mean) / spread, is_text=told["is_text"])
  wanted = numbers[rows.is_eval]
  off = np.abs(np.asarray(learnt).reshape(-1) * spread + mean - wanted)
  network = np.abs(said["predicted"].take(rows.places).to_numpy() - wanted)
  constant = float(np.abs(np.median(numbers[~rows.is_eval]) - wanted).mean())
  if not constant or not np.isfinite(network).all():
    return None
  return _compared(
    rows, told, measure="error", cheap=off, network=network, constant=constant, scale=-constant
  )


def of_text(examples: pathlib.Path, told: Mapping[str, Any], said: pa.Table) -> Baseline | None:
  """Compares a network that answers with texts with copying the input, by chrF; as `of_classes`."""
  from pipeline.problems.translation_metrics import row_chrf

  copied = []
  places = []
  for place, each in enumerate(read_some(examples, EVAL, EVAL_ROWS)):
    texts = [first_bytes(values) for values in each.values(told["input_key"], told["label_key"])]
    if all(texts):
      copied.append(row_chrf(*(text.decode("utf-8", "replace") for text in texts)) / 100)
      places.append(place)
  if not copied:
    return None
  rows = _Described(None, [], np.ones(len(copied), bool), places)
  network = 1 - said["loss"].take(places).to_numpy() / 100
  return _compared(
    rows, told, measure="chrf", cheap=np.array(copied), network=network, model="copying the input"
  )


def _compared(
  rows: _Described,
  told: Mapping[str, Any],
  *,
  measure: str,
  cheap: np.ndarray,
  network: np.ndarray,
  constant: float | None = None,
  interval: intervals.Interval | None = None,
  scale: float = 1.0,
  model: str | None = None,
) -> Baseline:
  """Returns what both are worth; the gain is the mean difference of rows, divided by `scale`."""
  change = (network.astype(np.float64) - cheap.astype(np.float64)) / scale
  found = interval or intervals.mean(change.sum(), np.square(change).sum(), len(change))
  return Baseline(
    model=model or (_WORDS if told["is_text"] else _EDGES),
    measure=measure,
    cheap=float(cheap.mean()),
    network=float(network.mean()),
    constant=constant,
    gain=float(change.mean()),
    interval=found if all(map(math.isfinite, found)) else None,
    train_rows=int((~rows.is_eval).sum()),
    eval_rows=len(change),
  )


def _described(examples: pathlib.Path, told: Mapping[str, Any], *, need_label: bool) -> _Described:
  """Returns the features of some rows of train and of eval.

  Inputs may be large, so few of them are in memory at once.
  """
  parts: list[Any] = []
  labels: list[Sequence[Value]] = []
  is_eval: list[bool] = []
  places: list[int] = []
  for split, count in ((TRAIN, TRAIN_ROWS), (EVAL, EVAL_ROWS)):
    first = 0
    for batch in batches(read_some(examples, split, count), _BATCH):
      values = [each.values(told["input_key"], told["label_key"]) for each in batch]
      usable = [n for n, (_, label) in enumerate(values) if len(label) or not need_label]
      inputs = [first_bytes(values[n][0]) for n in usable]
      if usable:
        found, readable = features.of_inputs(inputs, is_text=told["is_text"])
        kept = [n for n, is_readable in zip(usable, readable, strict=True) if is_readable]
        parts.append(found)
        labels += [tuple(values[n][1]) for n in kept]
        is_eval += [split == EVAL] * len(kept)
        places += [first + n for n in kept] if split == EVAL else []
      first += len(batch)
  return _Described(
    features.joined(parts) if labels else None, labels, np.array(is_eval, bool), places
  )


def _ridge(rows: _Described, targets: np.ndarray, *, is_text: bool) -> np.ndarray:
  """Returns `[eval rows, targets]`: what ridge regression on the rows of train answers."""
  from sklearn.linear_model import Ridge

  known, asked = rows.features[~rows.is_eval], rows.features[rows.is_eval]
  if is_text:
    known, asked = out_of_fold.tf_idf(known, asked)
  return Ridge(alpha=1.0).fit(known, targets[~rows.is_eval]).predict(asked)


def _f1(chosen: set[Any], wanted: set[Any]) -> float:
  if not chosen and not wanted:
    return 1.0
  return 2 * len(chosen & wanted) / (len(chosen) + len(wanted))
