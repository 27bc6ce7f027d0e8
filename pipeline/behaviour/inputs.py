"""`Measuring`: a model with the inputs that tests ask it about, before and after a change."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.behaviour import pictures, texts
from pipeline.behaviour.asking import Answer, Given, Model
from pipeline.behaviour.results import Case
from pipeline.behaviour.suite import Change, OnlyIf, Suite, choices, filled, slots

_LONGEST = 200  # characters of an input or an answer that are shown


class Compared(NamedTuple):
  """An input before and after a change, and the answers to both."""

  given: Given
  changed: Given
  before: Answer
  after: Answer


class Measuring:
  """A model and the rows of eval that it is asked about; none as it was is asked twice."""

  def __init__(self, model: Model, suite: Suite, pool: Sequence[Given], *, is_text: bool):
    """Takes what every test needs.

    Args:
      model: the model.
      suite: the tests.
      pool: rows of eval, pictures as `pictures.encoded` has them; a test takes the first
        `suite.rows` to which it applies.
      is_text: whether inputs are texts; else they are pictures.
    """
    self.model = model
    self.suite = suite
    self.pool = pool
    self.is_text = is_text
    self._answers: dict[Given, Answer | None] = {}

  @functools.cached_property
  def spread(self) -> float:
    """Standard deviation of labels that are numbers; 1 if there are none, or they are equal."""
    labels = [each.label[0] for each in self.pool if each.label]
    numbers = [label for label in labels if isinstance(label, (int, float))]
    return float(np.std(numbers or [0])) or 1.0

  def left_out(self, only_if: OnlyIf) -> str:
    """Returns why a test makes no sense here; empty if it does."""
    if only_if.classes is not None:
      self._learn_classes()
      others = sorted({*self.model.classes} - {*only_if.classes})
      if others:
        return (
          f"it is for the classes {', '.join(only_if.classes)}, and the model has {others[0]!r}"
        )
    if only_if.words is not None:
      words = {word.casefold() for word in only_if.words}
      rows = [each.text for each in self.pool[: self.suite.rows]]
      held = sum(bool(words & texts.words_of(row)) for row in rows)
      if not rows or 2 * held < len(rows):
        return (
          f"it is for texts with words such as {', '.join(only_if.words)}, and {held} of "
          f"{len(rows)} rows have one"
        )
    return ""

  def _learn_classes(self) -> None:
    """Asks about rows until the model has answered one, which tells its classes."""
    for each in self.pool[: self.suite.rows]:
      if self.model.classes:
        return
      self.asked([each])

  def asked(self, given: Sequence[Given]) -> list[Answer | None]:
    """Returns the answer to each input; None for one that the model refuses."""
    new = list(dict.fromkeys(each for each in given if each not in self._answers))
    self._answers.update(zip(new, self.model.answers(new), strict=True))
    return [self._answers[each] for each in given]

  def rng(self, test: str, number: int) -> random.Random:
    """Returns the generator of one row in one test; it does not depend on other rows or tests."""
    return random.Random(f"{self.suite.seed} {test} {number}")

  def filled(
    self, test: str, written: Sequence[str], words: Mapping[str, tuple[str, ...]]
  ) -> list[tuple[str, dict[str, int]]]:
    """Returns texts with every choice of their slots' words, or as many as there are rows."""
    # Many slots of many words have more texts than memory holds, so few are ever filled.
    ends = list(itertools.accumulate(choices(text, words) for text in written))
    numbers: Sequence[int] = range(ends[-1])
    if len(numbers) > self.suite.rows:
      numbers = self.rng(test, 0).sample(numbers, self.suite.rows)
    found = []
    for number in numbers:
      place = bisect.bisect_right(ends, number)
      text = written[place]
      rest = number - (ends[place] - choices(text, words))
      chosen: dict[str, int] = {}
      for name in reversed(slots(text)):
        rest, chosen[name] = divmod(rest, len(words[name]))
      found.append((filled(text, words, chosen), chosen))
    return found

  def compared(
    self, test: str, change: Change, strength: int, given: Sequence[Given]
  ) -> tuple[list[Compared], int]:
    """Asks about the first inputs that a change changes, before and after it.

    Returns:
      The pairs, and how many the model refuses as no valid inputs, which are not among them.
    """
    pairs = list(itertools.islice(self._pairs(test, change, strength, given), self.suite.rows))
    before = self.asked([pair[0] for pair in pairs])
    after = self.model.answers([pair[1] for pair in pairs])
    found = [
      Compared(*pair, was, is_now)
      for pair, was, is_now in zip(pairs, before, after, strict=True)
      if was is not None and is_now is not None
    ]
    return found, len(pairs) - len(found)

  def _pairs(
    self, test: str, change: Change, strength: int, given: Sequence[Given]
  ) -> Iterator[tuple[Given, Given]]:
    for number, each in enumerate(given):
      rng = self.rng(test, number)
      before = each.data
      if self.is_text:
        before = each.text.encode()  # bytes that are no UTF-8 are mended alike
        after = texts.changed(each.text, change, strength=strength, rng=rng).encode()
      elif (picture := pictures.opened(each.data)) is not None:
        after = pictures.encoded(pictures.changed(picture, change, strength=strength, rng=rng))
      else:
        continue
      if after != before:
        yield each, each._replace(data=after)

  def case(self, of: Compared, wanted: str) -> Case:
    """Returns a failed case of a change."""
    shown = Case(wanted=wanted, before=shown_answer(of.before), after=shown_answer(of.after))
    return self.with_inputs(shown, of.given, of.changed)

  def with_inputs(self, case: Case, *inputs: Given) -> Case:
    """Returns a case with what people see of its inputs; the last one was asked."""
    case = dataclasses.replace(case, origin=inputs[-1].origin)
    if not self.is_text:
      shown = tuple(pictures.thumbnail(each.data) for each in inputs)
      return dataclasses.replace(case, pictures=shown)
    asked = [_cut(each.text) for each in inputs]
    return dataclasses.replace(case, given=asked[0] if len(asked) > 1 else "", changed=asked[-1])


def shown_answer(answer: Answer | None) -> str:
  """Returns an answer as people see it."""
  if answer is None:
    return "refused as no valid input"
  said = answer.predicted
  return f"{said:.6g}" if isinstance(said, float) else _cut(said)


def _cut(text: str) -> str:
  return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
