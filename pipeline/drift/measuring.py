"""Measures rows, wherever they come from: examples of a run, logged requests, answers.

This is the only definition of what is measured; a `Profile` of anything is made of its results.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pipeline.drift.measures import features, pictures, texts
from pipeline.drift.profile import Measured, Numbers, Profile, Sketch
from pipeline.problems.certainty.record import OUTPUTS

# How many rows are measured: of so many a share is known to about one percent. Pictures cost more.
MOST_TEXTS, MOST_PICTURES = 10_000, 2_000
_SCORE, _LABEL, _LABELS, _SCORES = "score", "label", "labels", "scores"
_THRESHOLD = 0.5  # as `pipeline.problems.labels` has it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """What is known of a row; what is None is not measured.

  Attributes:
    value: the input as a caller sends it: the bytes of a text in UTF-8, or of a file.
    labels: the values of its label.
    answer: the outputs of the model by name.
  """

  value: bytes | None = None
  labels: Sequence[Any] | None = None
  answer: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
  """What the rows of a task are.

  Attributes:
    is_text: whether inputs are texts; else they are pictures.
    has_classes: whether labels and answers name classes.
    has_one_class: whether each row has exactly one.
  """

  is_text: bool
  has_classes: bool
  has_one_class: bool

  @property
  def most_rows(self) -> int:
    """How many rows are measured at most."""
    return MOST_TEXTS if self.is_text else MOST_PICTURES


class Measure:
  """Measures rows of one task.

  Args:
    kind: what they are.
    known: the words that count as known; None measures no share of unknown ones.
  """

  def __init__(self, kind: Kind, *, known: Collection[str] | None = None):
    self._kind = kind
    self._known = known

  def of(self, row: Row) -> tuple[Measured, list[str] | None]:
    """Returns the features of a row, and the words of a text."""
    found: dict[str, float | str | Sequence[str]] = {}
    words = None
    if row.value is not None and self._kind.is_text:
      text = row.value.decode("utf-8", "replace")
      words = texts.words_of(text)
      found |= texts.measure(text, words)
      if self._known is not None:
        found |= texts.unknown(words, self._known)
    elif row.value is not None:
      found |= pictures.measure(row.value)
    if row.labels is not None:
      found |= _labels(row.labels, self._kind)
    if row.answer:
      found |= _answer(row.answer, self._kind)
    return found, words

  def profile(self, rows: Iterable[Row]) -> Profile:
    """Returns what rows look like; holds a few numbers of each until then."""
    sketch = Sketch()
    for row in rows:
      sketch.add(*self.of(row))
    return sketch.profile()


def with_unknown_words(
  profile: Profile, values: Iterable[bytes | None], known: Collection[str]
) -> Profile:
  """Returns a profile with the share of unknown words in texts.

  Args:
    profile: the profile.
    values: the texts.
    known: the words that count as known.
  """
  found = [
    share for value in values for share in texts.unknown(texts.words_in(value), known).values()
  ]
  if not found:
    return profile
  edges = features.FEATURES[features.UNKNOWN].edges
  numbers = {features.UNKNOWN: Numbers.of(edges, found)}
  return profile.also(Profile(rows=0, numbers=numbers, names={}))


def _labels(values: Sequence[Any], kind: Kind) -> Measured:
  if kind.has_classes:
    return {features.LABEL_MIX: [_text(value) for value in values]}
  if not values:
    return {}
  if isinstance(values[0], (bytes, str)):
    return {features.LABEL_LENGTH: len(_text(values[0]).split())}
  return {features.LABEL_VALUE: float(values[0])}


def _answer(answer: Mapping[str, Any], kind: Kind) -> Measured:
  """Returns the features of a row's outputs: of the main one, and of its score."""
  if kind.has_classes and not kind.has_one_class:
    named = zip(answer.get(_LABELS) or (), answer.get(_SCORES) or (), strict=False)
    return {features.ANSWER_MIX: [_text(label) for label, score in named if score >= _THRESHOLD]}
  found: dict[str, float | str | Sequence[str]] = {}
  score = answer.get(_SCORE)
  if isinstance(score, (int, float)):
    found[features.SCORE] = float(score)
    found[features.NO_NUMBER] = float(not math.isfinite(score))
  name = main_output(answer)
  main = answer[name] if name is not None else None
  if kind.has_classes and main is not None:
    found[features.ANSWER_MIX] = _text(main)
  elif isinstance(main, (str, bytes)):
    found[features.ANSWER_LENGTH] = len(_text(main).split())
  elif main is not None:
    found[features.ANSWER_VALUE] = float(main)
    found[features.NO_NUMBER] = float(not math.isfinite(main))
  return found


def main_output(answer: Mapping[str, Any]) -> str | None:
  """Returns the output that says the answer as data do: `label`, else a text, else a number.

  What a model says of its doubts, such as the text `decision`, is no answer.

  >>> main_output({"decision": "unsure", "low": 1.0, "high": 5.0, "value": 3.0})
  'value'
  """
  single = {
    name: value
    for name, value in answer.items()
    if isinstance(value, (str, bytes, int, float)) and name not in (_SCORE, *OUTPUTS)
  }
  texts_first = [name for name, value in single.items() if isinstance(value, (str, bytes))]
  names = [*(name for name in single if name == _LABEL), *texts_first, *single]
  return names[0] if names else None


def _text(value: Any) -> str:
  return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
