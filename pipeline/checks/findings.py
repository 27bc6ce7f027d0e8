"""Draws findings from a survey: what repeats or contradicts itself, leaks, is out of balance."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.records import SPLITS, TRAIN
from pipeline.checks.survey import SHOWN, Survey

WARNING, NOTE = "warning", "note"
_PERCENTILES = {"min": 0, "p5": 5, "median": 50, "p95": 95, "max": 100}
_IMBALANCE = 10
_FEW = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
  """One thing to know about the data.

  Attributes:
    name: for programs.
    level: WARNING, or NOTE where it may well be as it should.
    count: how many rows or labels it is about.
    what: a sentence that begins with the count.
    advice: what to do.
    examples: rows to look at, each example one or two that belong together.
    details: lines to show as they are, where rows say nothing.
  """

  name: str
  level: str
  count: int
  what: str
  advice: str
  examples: tuple[tuple[int, ...], ...] = ()
  details: tuple[str, ...] = ()


def lengths(survey: Survey) -> dict[str, dict[str, float]]:
  """Percentiles by the measure's name."""
  return {
    name: {key: float(np.percentile(values, part)) for key, part in _PERCENTILES.items()}
    for name, values in survey.lengths.items()
  }


def labels(survey: Survey) -> dict[str, dict[str, int]]:
  """Examples by split and label."""
  found: dict[str, dict[str, int]] = {}
  for code, split in enumerate(SPLITS):
    values, counts = np.unique(survey.labels[survey.splits == code], return_counts=True)
    names = {
      survey.label_names.get(value, "?"): count
      for value, count in zip(values.tolist(), counts.tolist(), strict=True)
    }
    found[split] = dict(sorted(names.items()))
  return found


def duplicates(survey: Survey, *, has_classes: bool) -> list[Finding]:
  """Findings about inputs that are equal, or nearly so."""
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
  if has_classes:
    found += [
      _finding("contradictions", contradicting, _Pairs(equal, targets)),
      _finding("near_contradictions", near_contradicting, _Pairs(near, targets)),
    ]
  else:
    found.append(_finding("several_answers", contradicting, _Pairs(equal, targets)))
  return [finding for finding in found if finding.count]


def unusable(survey: Survey) -> list[Finding]:
  """Findings about inputs that are empty or cannot be read."""
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
    readable = np.delete(np.arange(len(survey.splits)), unreadable)
    empty = readable[(measures == 0).any(axis=0)]
    if len(empty):
      examples = tuple((int(row),) for row in empty[:SHOWN])
      found.append(dataclasses.replace(_of("empty", len(empty)), examples=examples))
  return found


def balance(counts: dict[str, dict[str, int]]) -> list[Finding]:
  """Findings about labels that are rare, missing or unknown."""
  train = counts.get(TRAIN, {})
  if not train:
    return []
  held_out = {split: each for split, each in counts.items() if split != TRAIN and each}
  unknown = {name for each in held_out.values() for name in each} - set(train)
  missing = {name for each in held_out.values() for name in set(train) - set(each)}
  rare = {name for name, count in train.items() if count < _FEW}
  found = [
    _about_labels("unknown_labels", unknown, counts),
    _about_labels("missing_labels", missing, counts),
    _about_labels("rare_labels", rare, counts),
  ]
  ratio = max(train.values()) / min(train.values())
  if ratio >= _IMBALANCE and not rare:
    finding = _about_labels("imbalance", {max(train, key=train.__getitem__)}, counts)
    what = f"The commonest label has {ratio:,.0f} times the examples of the rarest."
    found.append(dataclasses.replace(finding, what=what))
  return [finding for finding in found if finding.count]


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
  "unknown_labels": (
    WARNING,
    "in val or eval that train does not have",
    "The model can never answer so. Add training examples or remove the label.",
  ),
  "missing_labels": (
    WARNING,
    "that val or eval has no example of",
    (
      "Nothing is known about how well they are predicted. Add examples, or raise "
      "data.val_fraction and data.eval_fraction."
    ),
  ),
  "rare_labels": (
    WARNING,
    f"with fewer than {_FEW} training examples",
    "Hardly anything can be learnt from so few. Add examples, or merge labels.",
  ),
  "imbalance": (
    NOTE,
    "far commoner than the rarest",
    "Accuracy hides how the rare labels fare; watch the metrics by label in the report.",
  ),
}


def _of(name: str, count: int) -> Finding:
  level, what, advice = _WORDS[name]
  noun = "label" if name.endswith("labels") or name == "imbalance" else "input"
  sentence = f"{count:,} {noun}{'s' if count != 1 else ''} {what}."
  return Finding(name=name, level=level, count=count, what=sentence, advice=advice)


def _about_labels(name: str, which: set[str], counts: dict[str, dict[str, int]]) -> Finding:
  shown = sorted(which)[:SHOWN]
  details = tuple(
    f"{label!r}: " + ", ".join(f"{split} {each.get(label, 0):,}" for split, each in counts.items())
    for label in shown
  )
  return dataclasses.replace(_of(name, len(which)), details=details)


class _Pairs:
  """Picks for a row one of its group that differs from it, or simply another one."""

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
  """`[rows]` numbers that are equal where all columns are."""
  found = np.zeros(len(columns[0]), np.int64)
  for column in columns:
    values, dense = np.unique(column, return_inverse=True)
    found = found * len(values) + dense
  return found


def _again(group: np.ndarray) -> np.ndarray:
  """`[rows]` bool: whether an earlier row is of the same group."""
  _, first = np.unique(group, return_index=True)
  found = np.ones(len(group), bool)
  found[first] = False
  return found


def _varies(group: np.ndarray, column: np.ndarray) -> np.ndarray:
  """`[rows]` bool: whether the row's group has more than one value in a column."""
  low = np.full(group.max() + 1, np.iinfo(np.uint64).max, np.uint64)
  high = np.zeros(group.max() + 1, np.uint64)
  np.minimum.at(low, group, column)
  np.maximum.at(high, group, column)
  return (low != high)[group]


def _first_split(group: np.ndarray, splits: np.ndarray) -> np.ndarray:
  """`[groups]`: the earliest split that has a row of the group."""
  found = np.full(group.max() + 1, len(SPLITS), np.uint8)
  np.minimum.at(found, group, splits)
  return found
