"""Carries out the tests of a suite on a model: a function for each kind of test."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pipeline.behaviour import copied, pictures
from pipeline.behaviour.asking import Answer, Given
from pipeline.behaviour.inputs import Compared, Measuring, shown_answer
from pipeline.behaviour.results import Case, Step, Tested, worst
from pipeline.behaviour.suite import (
  FEWEST,
  PICTURE_CHANGES,
  TEXT_CHANGES,
  Copying,
  Corruption,
  Direction,
  Invariance,
  Minimum,
  MinimumCase,
  Test,
  filled,
  slots,
)
from pipeline.problems import intervals

_SHOWN = 5  # failed cases of a test
_SLACK = 1e-6  # of scores, for rounding
_BIG_LOSS = 0.5  # of a quality; an answer that loses less is still about right
_CLASSES = 10  # that a message names


def tested(of: Measuring, test: Test) -> Tested:
  """Carries out one test."""
  said = Tested(
    name=test.name,
    kind=test.kind,
    what=in_words(test),
    reason=test.reason,
    optional=test.optional,
    left_out=of.left_out(test.only_if),
  )
  return said if said.left_out else _KINDS[type(test)](of, test, said)


def in_words(test: Test) -> str:
  """Returns what a test asks for."""
  if isinstance(test, Copying):
    return f"{test.what} of the input must stand in the answer"
  if isinstance(test, Minimum):
    return "cases with their right answers"
  name = test.change.name
  done = f"{name}: {TEXT_CHANGES.get(name) or PICTURE_CHANGES[name]}"
  if isinstance(test, Invariance):
    return f"the answer must stay the same ({done})"
  if isinstance(test, Corruption):
    return f"right answers must stay right ({done})"
  whose = " or ".join(test.score_of or ()) or "the label"
  by = "at least" if test.score in ("falls", "rises") else "but for"
  return f"the score of {whose} {_spaced(test.score)}, {by} {test.by:g} ({done})"


def _invariance(of: Measuring, test: Invariance, said: Tested) -> Tested:
  found, refused = of.compared(test.name, test.change, test.strength, _given(of, test))
  failed = [each for each in found if not _is_same(each, test.within * of.spread)]
  cases = [of.case(each, "the same answer") for each in failed[:_SHOWN]]
  return _counted(said, test, len(found), len(failed), cases, refused)


def _direction(of: Measuring, test: Direction, said: Tested) -> Tested:
  found, refused = of.compared(test.name, test.change, test.strength, _given(of, test))
  known = [name for name in test.score_of or () if name in of.model.classes]
  if test.score_of and found and not known:
    has = ", ".join(of.model.classes[:_CLASSES]) or "none"
    missing = f"the model has no class {' or '.join(test.score_of)}; it has {has}"
    return dataclasses.replace(said, unmeasured=missing)
  tried = 0
  failed = []
  for each in found:
    name = known[0] if known else each.given.label_text
    moved = _moved(each, name, of)
    if moved is None:  # the label is no class of the model
      continue
    tried += 1
    if not _goes(moved, test):
      failed.append((each, f"{name} {_spaced(test.score)}, and moved by {moved:+.3f}"))
  cases = [of.case(each, words) for each, words in failed[:_SHOWN]]
  return _counted(said, test, tried, len(failed), cases, refused)


def _corruption(of: Measuring, test: Corruption, said: Tested) -> Tested:
  steps: list[Step] = []
  cases: list[Case] = []
  refused = 0
  for strength, bound in enumerate(test.at_most, start=1):
    found, more = of.compared(test.name, test.change, strength, of.pool)
    refused += more
    said = dataclasses.replace(said, refused_inputs=refused)
    if len(found) < FEWEST:
      return dataclasses.replace(said, unmeasured=_too_few(len(found)))
    before = np.array([each.before.quality for each in found])
    lost = before - np.array([each.after.quality for each in found])
    if not before.mean():
      return dataclasses.replace(said, unmeasured="no answer is right before the change")
    big = [n for n in np.argsort(-lost, kind="stable").tolist() if lost[n] > _BIG_LOSS]
    step = Step(
      strength=strength,
      tried=len(found),
      failed=len(big),
      value=float(lost.mean() / before.mean()),
      bound=bound,
      interval=_interval_of_loss(before, lost),
      quality=(float(before.mean()), float((before - lost).mean())),
    )
    steps.append(step)
    if worst(steps) in (step, None):
      cases = [of.case(found[n], found[n].given.label_text) for n in big[:_SHOWN]]
  return dataclasses.replace(said, steps=tuple(steps), cases=tuple(cases))


def _interval_of_loss(before: np.ndarray, lost: np.ndarray) -> tuple[float, float] | None:
  """Returns the interval of the part of `before` that was lost; the rows are paired."""
  if np.isin(lost, (-1, 0, 1)).all():
    low, high = intervals.paired_shares(float((lost > 0).sum()), float((lost < 0).sum()), len(lost))
  else:
    low, high = intervals.mean(float(lost.sum()), float(np.square(lost).sum()), len(lost))
  # No more than all can be lost.
  found = float(low / before.mean()), min(float(high / before.mean()), 1.0)
  return found if all(map(math.isfinite, found)) else None


def _minimum(of: Measuring, test: Minimum, said: Tested) -> Tested:
  asked: list[tuple[Given, list[str], list[str]]] = []
  for case in test.cases:
    if case.text is None:
      asked.append((_picture(case), list(case.answer or ()), list(case.contains or ())))
      continue
    for text, chosen in of.filled(test.name, [case.text], test.words):
      right, held = (
        [filled(each, test.words, {**dict.fromkeys(slots(each), 0), **chosen}) for each in some]
        for some in (case.answer or (), case.contains or ())
      )
      asked.append((Given(text.encode()), right, held))
  answers = of.asked([given for given, _, _ in asked])
  failed = [
    (given, found, right, held)
    for (given, right, held), found in zip(asked, answers, strict=True)
    if found is None or not _is_right(str(found.predicted), right, held)
  ]
  cases = [
    of.with_inputs(Case(wanted=_wanted(of, right, held), after=shown_answer(found)), given)
    for given, found, right, held in failed[:_SHOWN]
  ]
  return _counted(said, test, len(asked), len(failed), cases, 0)


def _picture(case: MinimumCase) -> Given:
  if case.colour is not None:
    return Given(pictures.of_one_colour(case.colour), (), f"a picture all {case.colour}")
  return Given(base64.b64decode(case.content or ""), (), case.file or "")


def _wanted(of: Measuring, right: Sequence[str], held: Sequence[str]) -> str:
  if not right:
    return f"a text with {', '.join(held)}"
  unknown = of.model.classes and not {*right} & {*of.model.classes}
  has = f" (which is no class of the model: {', '.join(of.model.classes[:_CLASSES])})"
  return " or ".join(right) + (has if unknown else "")


def _copying(of: Measuring, test: Copying, said: Tested) -> Tested:
  asked: list[tuple[Given, list[str]]] = []
  for given in _given(of, test):
    wanted = copied.tokens(given.text, test.what)
    if test.texts is None:
      kept = copied.tokens(given.label_text, test.what)
      wanted = [each for each in wanted if each in kept]
    if wanted:
      asked.append((given, wanted))
  asked = asked[: of.suite.rows]
  answers = of.asked([given for given, _ in asked])
  tried = sum(each is not None for each in answers)
  failed = []
  for (given, wanted), found in zip(asked, answers, strict=True):
    said_text = str(found.predicted) if found is not None else ""
    missing = [each for each in wanted if not copied.holds(said_text, each)]
    if found is not None and missing:
      failed.append((given, found, missing))
  cases = [
    of.with_inputs(Case(wanted=_wanted(of, (), missing), after=shown_answer(found)), given)
    for given, found, missing in failed[:_SHOWN]
  ]
  return _counted(said, test, tried, len(failed), cases, len(asked) - tried)


_KINDS: Mapping[type, Callable[..., Tested]] = {
  Invariance: _invariance,
  Direction: _direction,
  Corruption: _corruption,
  Minimum: _minimum,
  Copying: _copying,
}


def _given(of: Measuring, test: Invariance | Direction | Copying) -> Sequence[Given]:
  """Returns the inputs of a test before any change: its own texts, or rows of eval."""
  if test.texts is None:
    return of.pool
  return [Given(text.encode()) for text, _ in of.filled(test.name, test.texts, test.words)]


def _counted(
  said: Tested,
  test: Invariance | Direction | Minimum | Copying,
  tried: int,
  failed: int,
  cases: Sequence[Case],
  refused: int,
) -> Tested:
  """Returns what came of a test whose cases hold or fail."""
  said = dataclasses.replace(said, refused_inputs=refused)
  own = isinstance(test, Minimum) or test.texts is not None
  if tried < (1 if own else FEWEST):
    few = "it applies to none of its own inputs" if own else _too_few(tried)
    return dataclasses.replace(said, unmeasured=few)
  step = Step(
    tried=tried,
    failed=failed,
    value=failed / tried,
    bound=test.at_most,
    interval=intervals.share(failed, tried),
  )
  return dataclasses.replace(said, steps=(step,), cases=tuple(cases))


def _too_few(tried: int) -> str:
  return f"it applies to {tried} rows of eval, and fewer than {FEWEST} tell nothing"


def _is_right(predicted: str, right: Sequence[str], held: Sequence[str]) -> bool:
  if right:
    return _one_spaced(predicted) in map(_one_spaced, right)
  return all(each in predicted for each in held)


def _is_same(of: Compared, within: float) -> bool:
  before, after = of.before.predicted, of.after.predicted
  if isinstance(before, float) and isinstance(after, float):
    return abs(before - after) <= within + _SLACK
  return _one_spaced(str(before)) == _one_spaced(str(after))


def _moved(compared: Compared, name: str, of: Measuring) -> float | None:
  """Returns by how much a class's score, or a number in spreads, rose; None without the class."""
  before, after = compared.before, compared.after
  if before.scores is None or after.scores is None:
    return _number(after) / of.spread - _number(before) / of.spread
  if name not in of.model.classes:
    return None
  place = of.model.classes.index(name)
  return after.scores[place] - before.scores[place]


def _number(answer: Answer) -> float:
  return float(answer.predicted)


def _goes(moved: float, test: Direction) -> bool:
  """Returns whether a score moved as a test wants it."""
  wanted = moved if test.score in ("rises", "does_not_rise") else -moved
  if test.score in ("rises", "falls"):
    return wanted >= test.by - _SLACK
  return wanted <= test.by + _SLACK


def _spaced(words: str) -> str:
  return words.replace("_", " ")


def _one_spaced(text: str) -> str:
  return " ".join(text.split())
