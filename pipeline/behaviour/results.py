"""`Behaviour`: what came of the tests of a suite. Imports only the ground."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from dlpipe.artifact_files import ArtifactFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
  """One case that failed.

  Attributes:
    origin: where its row came from; empty for a text of the suite.
    given: the input before the change; empty for a picture.
    changed: the input that was asked; empty for a picture.
    wanted: what the answer had to be, in words.
    before: the answer to the input as it was; empty if nothing was changed.
    after: the answer to the changed input.
    pictures: the input before and after the change as URIs of small pictures, or only after it.
  """

  origin: str = ""
  given: str = ""
  changed: str = ""
  wanted: str = ""
  before: str = ""
  after: str = ""
  pictures: tuple[str, ...] = ()

  @property
  def sentence(self) -> str:
    """The case in a line: `'GREAT film' -> negative where 'great film' -> positive`."""
    asked = repr(self.changed) if self.changed else self.origin or "a picture"
    if self.before:
      before = repr(self.given) if self.given else "the input as it was"
      return f"{asked} -> {self.after} where {before} -> {self.before}"
    return f"{asked} -> {self.after}, and {self.wanted} is right"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
  """What was counted at one strength of a change, or once for a test without strengths.

  Attributes:
    strength: 1 to 3; None for a test without strengths.
    tried: the cases.
    failed: those that failed.
    value: the part that failed; of a corruption, the part of the right answers that was lost.
    bound: the largest value that passes; None if it is only measured.
    passed: whether the bound holds; None without one, and until the gate has judged.
    interval: 95 % confidence interval of the value; None if unknown.
    quality: of a corruption, the part of right answers before and after it.
  """

  strength: int | None = None
  tried: int
  failed: int
  value: float
  bound: float | None
  passed: bool | None = None
  interval: tuple[float, float] | None = None
  quality: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tested:
  """What came of one test.

  Attributes:
    name: the test's name.
    kind: its kind.
    what: what was done, in words.
    reason: why its bound exists.
    steps: the counts; empty if the test was left out or could not be carried out.
    cases: some cases that failed.
    left_out: why the test does not apply to this model or data; empty if it does.
    unmeasured: why it could not be carried out; empty if it was.
    refused_inputs: changed inputs that the model takes for invalid, and that count in no step.
    optional: whether a model passes a test that could not be carried out.
  """

  name: str
  kind: str
  what: str
  reason: str
  steps: tuple[Step, ...] = ()
  cases: tuple[Case, ...] = ()
  left_out: str = ""
  unmeasured: str = ""
  refused_inputs: int = 0
  optional: bool = False

  @property
  def is_beyond(self) -> bool:
    """Whether a bound does not hold."""
    return any(step.passed is False for step in self.steps)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Behaviour(ArtifactFile):
  """`behaviour.json`: every test of a run's suite.

  Attributes:
    rows: how many rows of eval were looked at.
    tests: what came of each test.
    only_measured: why no test refused, such as for a run with --tiny; empty if bounds held.
  """

  FILE: ClassVar[str] = "behaviour.json"

  rows: int = 0
  tests: tuple[Tested, ...] = ()
  only_measured: str = ""


def worst(steps: Sequence[Step]) -> Step | None:
  """Returns the step that is furthest beyond its bound or nearest to it; None without a bound."""
  bounded = [(step.value - step.bound, step) for step in steps if step.bound is not None]
  return max(bounded, key=lambda each: each[0], default=(0.0, None))[1]
