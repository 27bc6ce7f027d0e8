"""Looks for labels that are likely wrong among the examples of a run, with a cheap model.

`dlpipe check --labels` shows the result. Texts are scored by their words, pictures by their edges
and colours, each row by a model that has not seen it, and confident learning ranks them.
"""

from __future__ import annotations

import dataclasses
import pathlib
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.rows.examples import RawExample, batches, first_bytes, read_examples
from pipeline.suspects import confident, features, out_of_fold
from pipeline.suspects.supported import require_classes
from pipeline.task import Task

MAX_ROWS = 20_000  # of more, those with the smallest hashes: a random part of the data
_BATCH = 64
_MIN_OF_CLASS = 5  # rows; classes with fewer are left out, because nothing can be learnt of them
_MAX_CLASSES = 200
_EXCERPT = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suspect:
  """One row whose label is likely wrong.

  Attributes:
    origin: where the row came from.
    split: its split.
    label: its label.
    suggested: the label that the scores suggest.
    label_score: the score of its label, 0 to 1.
    suggested_score: the score of the suggested label.
    input: the beginning of a text; empty for a file.
    number: the row's number among all examples.
  """

  origin: str
  split: str
  label: str
  suggested: str
  label_score: float
  suggested_score: float
  input: str
  number: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Suspects:
  """The result of the search.

  Attributes:
    looked_at: number of rows that were scored.
    of: number of rows in the data.
    left_out: what was not scored, as sentences.
    accuracy: the share of rows whose label the cheap model would give.
    majority: the share of the commonest label.
    likely: the rows whose label is likely wrong, the likeliest first.
  """

  looked_at: int
  of: int
  left_out: tuple[str, ...]
  accuracy: float
  majority: float
  likely: tuple[Suspect, ...]

  def to_json(self) -> dict[str, Any]:
    """Returns the object that `dlpipe check --json` prints."""
    found = dataclasses.asdict(self)
    return {**found, "left_out": list(self.left_out), "likely": list(found["likely"])}


def search(task: Task, examples: pathlib.Path, total: int) -> Suspects:
  """Looks for labels that are likely wrong.

  Args:
    task: the task; its problem must have one class a row.
    examples: directory of the `Examples` artifact.
    total: the number of its examples.

  Raises:
    BadInputError: the task's answers are not one class of several.
  """
  require_classes(task)
  is_text = task.input.kind == "text"
  rows = _Rows(is_text=is_text, share=MAX_ROWS / max(total, MAX_ROWS))
  for batch in batches(read_examples(examples), _BATCH):
    rows.add(batch, task.input.key, task.label_key)
  return rows.suspects()


class _Rows:
  """Features and facts of the rows that were read; never the rows themselves."""

  def __init__(self, *, is_text: bool, share: float):
    self._is_text = is_text
    self._share = share
    self._features: list[Any] = []
    self._unreadable = 0
    self._read = 0
    self.kept: list[tuple[int, str, str, str, str]] = []  # number, origin, split, label, excerpt
    self._folds: list[np.ndarray] = []

  def add(self, batch: Sequence[RawExample], input_key: str, label_key: str) -> None:
    """Takes the next rows; leaves some out if there are many."""
    first, self._read = self._read, self._read + len(batch)
    values = [each.values(input_key, label_key) for each in batch]
    taken = [
      place
      for place, (value, _) in enumerate(values)
      if zlib.crc32(first_bytes(value)) < self._share * 2**32
    ]
    if not taken:
      return
    inputs = [first_bytes(values[place][0]) for place in taken]
    labels = [_text(values[place][1]) for place in taken]
    found, readable = features.of_inputs(inputs, is_text=self._is_text, parts=True)
    self._features.append(found)
    self._folds.append(out_of_fold.folds(inputs)[readable])
    self._unreadable += int((~readable).sum())
    for place in np.flatnonzero(readable).tolist():
      each = batch[taken[place]]
      excerpt = inputs[place][:_EXCERPT].decode("utf-8", "replace") if self._is_text else ""
      self.kept.append(
        (first + taken[place], each.origin.origin, each.split, labels[place], excerpt)
      )

  def suspects(self) -> Suspects:
    """Scores all rows that were kept, and ranks them."""
    labels = np.array([row[3] for row in self.kept], object)
    names, given, counts = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    common = np.flatnonzero(counts >= _MIN_OF_CLASS)
    common = common[np.argsort(-counts[common], kind="stable")][:_MAX_CLASSES]
    taken = np.flatnonzero(np.isin(given, common))
    left_out = self._left_out(len(names) - len(common), len(self.kept) - len(taken))
    if len(common) < 2:
      return Suspects(
        looked_at=0, of=self._read, left_out=left_out, accuracy=0, majority=0, likely=()
      )
    place = np.full(len(names), -1)
    place[common] = np.arange(len(common))
    known = place[given[taken]]
    fold, inputs = np.concatenate(self._folds)[taken], features.joined(self._features)[taken]
    learn = out_of_fold.of_sparse if self._is_text else out_of_fold.of_dense
    scores = learn(inputs, known, fold, len(common))
    ranking = confident.ranked(known, scores)
    likely = []
    for row in ranking.order[: ranking.count].tolist():
      number, origin, split, label, excerpt = self.kept[taken[row]]
      suggested = int(ranking.suggested[row])
      likely.append(
        Suspect(
          origin=origin,
          split=split,
          label=label,
          suggested=str(names[common[suggested]]),
          label_score=round(float(scores[row, known[row]]), 4),
          suggested_score=round(float(scores[row, suggested]), 4),
          input=excerpt,
          number=number,
        )
      )
    return Suspects(
      looked_at=len(taken),
      of=self._read,
      left_out=left_out,
      accuracy=float((scores.argmax(1) == known).mean()),
      majority=float(np.bincount(known).max() / len(known)),
      likely=tuple(likely),
    )

  def _left_out(self, classes: int, rows: int) -> tuple[str, ...]:
    said = []
    if self._share < 1:
      said.append(f"only {len(self.kept):,} of {self._read:,} examples were looked at")
    if self._unreadable:
      said.append(f"{self._unreadable:,} inputs cannot be read as pictures")
    if classes:
      said.append(
        f"{classes:,} labels with fewer than {_MIN_OF_CLASS} examples, or beyond the "
        f"{_MAX_CLASSES} commonest, were left out with their {rows:,} examples"
      )
    return tuple(said)


def _text(values: Sequence[Any]) -> str:
  if not len(values):
    return ""
  return values[0].decode("utf-8", "replace") if isinstance(values[0], bytes) else str(values[0])
