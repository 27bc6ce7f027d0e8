"""A cheap model's accuracy on eval, beside which a run's model shows what it is worth."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from dlpipe.artifact_files import ArtifactFile
from dlpipe.records import EVAL, TRAIN
from pipeline.rows.examples import RawExample, Value, batches, first_bytes, read_examples
from pipeline.suspects import features, out_of_fold

# Rows that the cheap model sees and is asked about; more would cost more than the answer is worth.
_TRAIN_ROWS, _EVAL_ROWS = 3_000, 1_000
_MAX_CLASSES = 200
_BATCH = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Baseline(ArtifactFile):
  """What a cheap model and a constant are right about.

  Attributes:
    model: what the cheap model looks at, in words.
    accuracy: the part of the eval rows that it is right about.
    majority: the part of these rows that have train's commonest label.
    train_rows: the rows that it has learnt from.
    eval_rows: the rows that it was asked about.
  """

  FILE: ClassVar[str] = "baseline.json"

  model: str
  accuracy: float
  majority: float
  train_rows: int
  eval_rows: int


def measure(examples: pathlib.Path, told: Mapping[str, Any]) -> Baseline | None:
  """Trains a cheap model on some rows of train and asks it about some of eval.

  Args:
    examples: directory of the `Examples` artifact.
    told: the result of `pipeline.rows.predictions.parameters`.

  Returns:
    The result; None if there are no rows, fewer than two classes or too many, or no pictures.
  """
  described, labels, is_eval = _described(examples, told)
  of_train = collections.Counter(
    label for label, is_held in zip(labels, is_eval, strict=True) if not is_held
  )
  if not is_eval.any() or not 2 <= len(of_train) <= _MAX_CLASSES:
    return None
  names = {label: number for number, (label, _) in enumerate(of_train.most_common())}
  # An eval row whose label train lacks counts as wrong, whatever is answered.
  given = np.array([names.get(label, 0) for label in labels])
  known = np.array([label in names for label in labels])
  learn = out_of_fold.of_sparse if told["is_text"] else out_of_fold.of_dense
  scores = learn(described, given, is_eval.astype(np.int64) - 1, len(names))
  right = (scores.argmax(1) == given) & known
  return Baseline(
    model="words and pairs of words" if told["is_text"] else "edges and colours",
    accuracy=round(float(right[is_eval].mean()), 4),
    majority=round(float(((given == 0) & known)[is_eval].mean()), 4),
    train_rows=int((~is_eval).sum()),
    eval_rows=int(is_eval.sum()),
  )


def _described(
  examples: pathlib.Path, told: Mapping[str, Any]
) -> tuple[Any, list[Value], np.ndarray]:
  """Returns the features of rows, their labels, and which rows are of eval.

  Inputs may be large, so few of them are in memory at once.
  """
  parts: list[Any] = []
  labels: list[Value] = []
  is_eval: list[bool] = []
  rows = itertools.chain(_some(examples, TRAIN, _TRAIN_ROWS), _some(examples, EVAL, _EVAL_ROWS))
  for batch in batches(rows, _BATCH):
    values = [each.values(told["input_key"], told["label_key"]) for each in batch]
    usable = [n for n, (_, label) in enumerate(values) if len(label)]
    if not usable:
      continue
    inputs = [first_bytes(values[n][0]) for n in usable]
    found, readable = features.of_inputs(inputs, is_text=told["is_text"])
    kept = [n for n, is_readable in zip(usable, readable, strict=True) if is_readable]
    parts.append(found)
    labels += [values[n][1][0] for n in kept]
    is_eval += [batch[n].split == EVAL for n in kept]
  return features.joined(parts) if labels else None, labels, np.array(is_eval, bool)


def _some(examples: pathlib.Path, split: str, count: int) -> Iterable[RawExample]:
  """Yields about so many rows of a split, the first of each file: a random part of it."""
  files = len(list((examples / f"Split-{split}").glob("*.gz"))) or 1
  return read_examples(examples, (split,), most_of_file=-(-count // files))
