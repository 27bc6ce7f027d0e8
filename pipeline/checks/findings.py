"""Finds duplicates, contradictions, leaks and unreadable inputs in a survey."""

from __future__ import annotations

import dataclasses

import numpy as np

from dlpipe.records import SPLITS
from pipeline.checks.finding import NOTE, WARNING, Finding
from pipeline.checks.survey import SHOWN, Survey

_PERCENTILES = {"min": 0, "p5": 5, "median": 50, "p95": 95, "max": 100}


def lengths(survey: Survey) -> dict[str, dict[str, float]]:
  """Returns percentiles by the measure's name, such as `{"words": {"min": 1.0, ...}}`."""
  return {
    name: {key: float(np.percentile(values, part)) for key, part in _PERCENTILES.items()}
    for name, values in survey.lengths.items()
  }


def duplicates(survey: Survey, *, contradicts: bool) -> list[Finding]:
  """Returns findings about inputs that are equal or nearly equal.

  Args:
    survey: the examples.
    contradicts: whether equal inputs with different labels contradict each other.
  """
  splits, contents, targets = survey.splits, survey.contents, survey.labels
  if not len(splits):
    return []
  _, equal = np.unique(contents, return_inverse=True)
  near = survey.near_groups()
  again = _again(_combined(equal, targets, splits))
  contradicting = _varies(equal, targets)
  leaking = _first_split(equal, splits)[equal] < splits
  near_leaking = (_first_split(near, splits)[near] < splits) & ~leaking
  near_again = _again(_combined(near, splits)) & ~_again(_combined(equal, splits))
  near_contradicting = _varies(near, targets) & ~contradicting
  found = [
    _finding("leaks", leaking, _Pairs(equal, splits)),
    _finding("near_leaks", near_leaking, _Pairs(near, splits)),
    _finding("repeated", again, _Pairs(_combined(equal, targets, splits))),
    _finding("near_repeated", near_again, _Pairs(_combined(near, splits), equal)),
  ]
  if contradicts:
    found += [
      _finding("contradictions", contradicting, _Pairs(equal, targets)),
      _finding("near_contradictions", near_contradicting, _Pairs(near, targets)),
    ]
  else:
    found.append(_finding("several_answers", contradicting, _Pairs(equal, targets)))
  return [finding for finding in found if finding.count]


def unusable(survey: Survey) -> list[Finding]:
  """Returns findings about inputs that are empty or cannot be read."""
  found = []
  unreadable = survey.unreadable
  if len(unreadable):
    found.append(
      dataclasses.replace(
        _of("unreadable", len(unreadable)),
        examples=tuple((int(row),) for row in unreadable[:SHOWN]),
        details=tuple(sorted(set(survey.faults))),
      )
    )
  if survey.lengths:
    measures = np.stack(list(survey.lengths.values()))
    empty = survey.readable[(measures == 0).any(axis=0)]
    if len(empty):
      examples = tuple((int(row),) for row in empty[:SHOWN])
      found.append(dataclasses.replace(_of("empty", len(empty)), examples=examples))
  return found


# name: level, what (after the count; for one and for many), advice
_WORDS: dict[str, tuple[str, str, str]] = {
  "leaks": (
    WARNING,
    "in val or eval with an equal one in another split",
    (
      "A model is judged by what it has learnt by heart. Remove them from one side, or give the "
      "data without splits: drawn ones keep equal inputs together."
    ),
  ),
  "near_leaks": (
    WARNING,
    "in val or eval with a near-copy in another split",
    (
      "Results will look better than they are. Look at the examples; remove true copies from one "
      "side."
    ),
  ),
  "repeated": (
    WARNING,
    "repeated with the same label in the same split",
    (
      "Repeated rows count more than others in training and in metrics. Remove them unless that is "
      "meant."
    ),
  ),
  "near_repeated": (
    NOTE,
    "with a near-copy in the same split",
    "Where they are copies of one original, keep one of them.",
  ),
  "contradictions": (
    WARNING,
    "labelled in more than one way",
    "No model can be right about both. Decide on one label, or remove them.",
  ),
  "near_contradictions": (
    WARNING,
    "labelled unlike a near-copy",
    "Often one of the labels is a mistake. Look at the examples.",
  ),
  "several_answers": (
    NOTE,
    "with more than one answer",
    (
      "Fine where several answers are right; all of them stand in the same split where splits are "
      "drawn."
    ),
  ),
  "unreadable": (WARNING, "that cannot be read", "Mend or remove them."),
  "empty": (WARNING, "without content", "Remove them; there is nothing to learn from."),
}


def _of(name: str, count: int) -> Finding:
  level, what, advice = _WORDS[name]
  sentence = f"{count:,} input{'s' if count != 1 else ''} {what}."
  return Finding(name=name, level=level, count=count, what=sentence, advice=advice)


class _Pairs:
  """For a row, picks another row of its group; if `differs_by` is given, one that differs in it."""

  def __init__(self, group: np.ndarray, differs_by: np.ndarray | None = None):
    self.group = group
    self._differs_by = differs_by

  def pick(self, row: int) -> tuple[int, ...]:
    members = np.flatnonzero(self.group == self.group[row])
    if self._differs_by is None:
      others = members[members != row]
    else:
      others = members[self._differs_by[members] != self._differs_by[row]]
    return (int(others[0]), row) if len(others) else (row,)


def _finding(name: str, rows: np.ndarray, pairs: _Pairs) -> Finding:
  numbers = np.flatnonzero(rows)
  _, first = np.unique(pairs.group[numbers], return_index=True)
  shown = numbers[np.sort(first)[:SHOWN]]
  examples = tuple(pairs.pick(int(row)) for row in shown)
  return dataclasses.replace(_of(name, len(numbers)), examples=examples)


def _combined(*columns: np.ndarray) -> np.ndarray:
  """Returns `[rows]` numbers; two rows have equal numbers if all their columns are equal."""
  found = np.zeros(len(columns[0]), np.int64)
  for column in columns:
    values, dense = np.unique(column, return_inverse=True)
    found = found * len(values) + dense
  return found


def _again(group: np.ndarray) -> np.ndarray:
  """Returns `[rows]` bool: whether an earlier row belongs to the same group."""
  _, first = np.unique(group, return_index=True)
  found = np.ones(len(group), bool)
  found[first] = False
  return found


def _varies(group: np.ndarray, column: np.ndarray) -> np.ndarray:
  """Returns `[rows]` bool: whether the row's group has more than one value in `column`."""
  low = np.full(group.max() + 1, np.iinfo(np.uint64).max, np.uint64)
  high = np.zeros(group.max() + 1, np.uint64)
  np.minimum.at(low, group, column)
  np.maximum.at(high, group, column)
  return (low != high)[group]


def _first_split(group: np.ndarray, splits: np.ndarray) -> np.ndarray:
  """Returns `[groups]` uint8: the first split that has a row of the group."""
  found = np.full(group.max() + 1, len(SPLITS), np.uint8)
  np.minimum.at(found, group, splits)
  return found
