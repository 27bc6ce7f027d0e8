"""`Look` chooses what the page of `dlpipe check` shows of the data beside its findings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlpipe.records import SPLITS, TRAIN
from pipeline.checks.description import Row
from pipeline.checks.looks.odd import SHOWN, Odd, odd_inputs
from pipeline.checks.survey import Survey

_BINS = 20
_MOST_LABELS, _OF_LABEL = 40, 6
_REPEATED = 10
_LABEL_BYTES = 200


class Samples:
  """The first examples of each class, which come in arbitrary order, and how many there are.

  Args:
    has_classes: whether labels name classes; otherwise the first examples of all are kept.
  """

  def __init__(self, *, has_classes: bool):
    self._has_classes = has_classes
    self._rows: dict[bytes, list[int]] = {}
    self._counts: dict[bytes, int] = {}

  def add(self, number: int, row: Row) -> None:
    """Takes the next example; those of train are chosen from."""
    if row.split != TRAIN:
      return
    label = row.label[:_LABEL_BYTES] if self._has_classes else b""
    self._counts[label] = self._counts.get(label, 0) + 1
    kept = self._rows.setdefault(label, [])
    most = _OF_LABEL if self._has_classes else SHOWN
    # A data set with an own label for each row has no classes to show.
    if len(kept) < most and len(self._rows) <= 10 * _MOST_LABELS:
      kept.append(number)

  def chosen(self) -> dict[str, list[int]]:
    """Returns numbers of examples by class, the commonest class first."""
    ordered = sorted(self._rows, key=lambda label: (-self._counts[label], label))[:_MOST_LABELS]
    return {label.decode("utf-8", "replace"): self._rows[label] for label in ordered}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
  """What to show.

  Attributes:
    samples: numbers of examples by class.
    odd: what looks odd.
    repeated: the inputs that occur most often: how often, and the number of the first.
    distributions: by measure, `edges` of bins and counts by split.
  """

  samples: Mapping[str, list[int]]
  odd: list[Odd]
  repeated: list[tuple[int, int]]
  distributions: list[dict[str, Any]]

  @classmethod
  def of(cls, survey: Survey, samples: Samples) -> Look:
    """Chooses from the measures of all examples."""
    rows, lengths, looks = survey.readable, survey.lengths, survey.looks
    shown = {**lengths, **{name: looks[name] for name in looks if name != "familiar"}}
    return cls(
      samples=samples.chosen(),
      odd=odd_inputs(rows, lengths, looks, survey.scripts),
      repeated=_repeated(survey.contents),
      distributions=[
        _distribution(name, values, survey.splits[rows]) for name, values in shown.items()
      ],
    )

  def numbers(self) -> set[int]:
    """Returns the numbers of all examples that are shown."""
    found = {number for numbers in self.samples.values() for number in numbers}
    found |= {int(number) for each in self.odd for number in each.rows[:SHOWN]}
    return found | {number for _, number in self.repeated}

  def to_json(self, shown: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the page's part of the check.

    Args:
      shown: returns the fields of an example by its number.
    """
    return {
      "samples": {
        label: [shown(number) for number in numbers] for label, numbers in self.samples.items()
      },
      "odd": [
        {
          "name": each.name,
          "what": each.what,
          "why": each.why,
          "count": len(each.rows),
          "rows": [
            {**shown(int(number)), "value": value}
            for number, value in zip(each.rows[:SHOWN], each.values[:SHOWN], strict=True)
          ],
        }
        for each in self.odd
      ],
      "repeated": [{"count": count, **shown(number)} for count, number in self.repeated],
      "distributions": self.distributions,
    }


def _repeated(contents: np.ndarray) -> list[tuple[int, int]]:
  _, first, counts = np.unique(contents, return_index=True, return_counts=True)
  most = np.argsort(-counts, kind="stable")[:_REPEATED]
  return [(int(counts[place]), int(first[place])) for place in most if counts[place] > 1]


def _distribution(name: str, values: np.ndarray, splits: np.ndarray) -> dict[str, Any]:
  """Returns counts by bin and split; the outermost bins hold what lies outside of 99 in 100."""
  low, high = (float(np.percentile(values, part)) if len(values) else 0.0 for part in (0.5, 99.5))
  edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
  inside = np.clip(values, edges[0], edges[-1])
  counts = {
    split: np.histogram(inside[splits == place], edges)[0].tolist()
    for place, split in enumerate(SPLITS)
  }
  return {"name": name, "edges": edges.tolist(), "splits": counts}
