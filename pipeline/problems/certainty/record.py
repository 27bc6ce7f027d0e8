"""`Certainty`: what val says about how far a model's answers can be trusted.

The command line imports it, so it imports no framework.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
from typing import ClassVar

from dlpipe.artifact_files import ArtifactFile

FOLDER = "assets.extra"  # beside a SavedModel

# Outputs of a served model.
SET, LOW, HIGH = "set", "low", "high"
FAMILIARITY, DECISION = "familiarity", "decision"
OUTPUTS = (SET, LOW, HIGH, FAMILIARITY, DECISION)
ACCEPTED, UNSURE = "accepted", "unsure"  # decisions

# An input of the kind that was trained on is less familiar in one case of a hundred.
STRANGE = 0.01


def least_rows(coverage: float) -> int:
  """Returns how few rows of val can keep a coverage.

  >>> least_rows(0.9), least_rows(0.95), least_rows(0.99)
  (9, 19, 99)
  """
  return math.ceil(coverage / (1 - coverage) - 1e-9)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Familiarity(ArtifactFile):
  """How inputs are compared with those of train.

  Attributes:
    evidence: what of an input is compared, in words.
    units: how many numbers that are.
    train_rows: the rows of train that say what is familiar.
    val_rows: the rows of val that say how far away a familiar input may be.
    reason: why there is no output `familiarity`; None if there is one.
  """

  evidence: str = ""
  units: int = 0
  train_rows: int = 0
  val_rows: int = 0
  reason: str | None = None

  @property
  def sentence(self) -> str:
    """The familiarity, for a person."""
    if self.reason is not None:
      return f"familiarity is left out: {self.reason}"
    return (
      f"familiarity by {self.units} numbers of {self.evidence}, from {self.train_rows:,} train and "
      f"{self.val_rows:,} val rows"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certainty(ArtifactFile):
  """`certainty.json`, and a part of `history.json`.

  Attributes:
    coverage: how often a set or an interval is to hold the label; None if there are neither.
    is_asked: whether the user asked for that coverage.
    rows: the rows of val that count: if rows may have several labels, those with any.
    bound: the least score of a label in the set, or half the width of the interval in standard
      deviations; None if val has too few rows for the coverage, so that a set holds every label.
    size: the mean number of labels in a set, on val; None without sets.
    accepted_accuracy: how often an accepted answer is to be right, as the user wants it; None
      accepts an answer if the set holds nothing beside it.
    accepted_from: the least score of an accepted answer, if an accuracy is wanted; None accepts
      none.
    accepted: the part of the val rows that would be accepted, before familiarity is asked.
    familiarity: how inputs are compared with those of train.
    reason: why there are neither sets nor an interval; None if there are.
  """

  FILE: ClassVar[str] = "certainty.json"

  coverage: float | None = None
  is_asked: bool = False
  rows: int = 0
  bound: float | None = None
  size: float | None = None
  accepted_accuracy: float | None = None
  accepted_from: float | None = None
  accepted: float | None = None
  familiarity: Familiarity = Familiarity()
  reason: str | None = None

  @classmethod
  def beside(cls, model_dir: pathlib.Path) -> Certainty | None:
    """Reads the file beside a SavedModel; returns None if there is none."""
    return cls.read(model_dir / FOLDER)

  def write(self, model_dir: pathlib.Path) -> None:
    """Writes the file beside a SavedModel."""
    path = model_dir / FOLDER / self.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(self.to_text(allow_nan=False), encoding="utf-8")

  @property
  def sentence(self) -> str:
    """Sets or interval, and what is accepted, for a person.

    >>> Certainty(coverage=0.95, rows=12, size=3.0).sentence
    'sets hold every label: val has 12 rows, and 0.95 takes 19'
    """
    return "; ".join([self._of_sets, *([self._of_accepted] if self.accepted is not None else [])])

  @property
  def sentences(self) -> tuple[str, str]:
    """All of it, for a person."""
    return self.sentence, self.familiarity.sentence

  @property
  def least_rows(self) -> int:
    """How few rows of val can keep the coverage; 0 if none is asked."""
    return 0 if self.coverage is None else least_rows(self.coverage)

  @property
  def _of_sets(self) -> str:
    if self.reason is not None or self.coverage is None:
      return f"no sets: {self.reason}"
    what = "an interval" if self.size is None else "sets"
    if self.bound is None:
      told = f"val has {self.rows:,} rows, and {self.coverage:g} takes {self.least_rows:,}"
      if self.rows >= self.least_rows:
        what = "answers that are no numbers" if self.size is None else "labels that get no score"
        told = f"too many of the {self.rows:,} val rows have {what}"
      return f"no interval: {told}" if self.size is None else f"sets hold every label: {told}"
    held = f"{what} for a coverage of {self.coverage:g}, from {self.rows:,} val rows"
    if self.size is None:
      return held
    if self.size == 1:
      return f"{held}: each is the answer alone, which is right as often or more"
    return f"{held}: {self.size:.3g} labels on average"

  @property
  def _of_accepted(self) -> str:
    if self.accepted_accuracy is None:
      return f"{self.accepted:.1%} of the answers are alone in their set and accepted"
    wanted = f"an accuracy of {self.accepted_accuracy:g}"
    if self.accepted_from is None:
      return f"no answer is accepted: no score gives {wanted} on {self.rows:,} val rows"
    return (
      f"{self.accepted:.1%} of the answers are accepted, from a score of {self.accepted_from:.3g}, "
      f"for {wanted}"
    )
