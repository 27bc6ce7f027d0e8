"""Finds rare, missing, unknown, similar and unbalanced labels from their counts."""

from __future__ import annotations

import collections
import unicodedata
from collections.abc import Collection, Mapping

from dlpipe.records import TRAIN
from pipeline.checks.finding import NOTE, WARNING, Finding
from pipeline.sources.labels import alike_labels, drawn

Counts = Mapping[str, Mapping[str, int]]

_SHOWN = 5
_IMBALANCE = 10
_FEW = 10

# name: level, what (after the count), advice
_WORDS = {
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
  "single_labels": (
    WARNING,
    "with a single example",
    (
      "Where the splits are drawn it is in train, so nothing judges it. Add examples, or correct "
      "the label where it is a slip."
    ),
  ),
  "rare_labels": (
    WARNING,
    f"with fewer than {_FEW} training examples",
    "Hardly anything can be learnt from so few. Add examples, or merge labels.",
  ),
  "alike_labels": (
    WARNING,
    "that a person takes for another one",
    "Each spelling is a class of its own. Give them one spelling where they are one class.",
  ),
  "imbalance": (
    NOTE,
    "far commoner than the rarest",
    "Accuracy hides how the rare labels fare; watch the metrics by label in the report.",
  ),
}


def about_labels(counts: Counts) -> list[Finding]:
  """Returns findings from the counts by split and label; none if train has no labels.

  >>> [finding.what for finding in about_labels({"train": {"a": 20, "A": 20}, "eval": {"a": 3}})]
  ['1 label that val or eval has no example of.', '2 labels that a person takes for another one.']
  """
  train = counts.get(TRAIN, {})
  if not train:
    return []
  held_out = {split: each for split, each in counts.items() if split != TRAIN and each}
  everywhere = _everywhere(counts)
  unknown = {name for each in held_out.values() for name in each} - set(train)
  single = {name for name, count in everywhere.items() if count == 1}
  missing = {name for each in held_out.values() for name in set(train) - set(each)} - single
  rare = {name for name, count in train.items() if count < _FEW} - single
  found = [
    _finding("unknown_labels", unknown, counts),
    _finding("missing_labels", missing, counts),
    _finding("single_labels", single, counts),
    _finding("rare_labels", rare, counts),
    *_alike(everywhere),
  ]
  ratio = max(train.values()) / min(train.values())
  if ratio >= _IMBALANCE and not rare and not single:
    what = f"The commonest label has {ratio:,.0f} times the examples of the rarest."
    commonest = {max(train, key=train.__getitem__)}
    found.append(_finding("imbalance", commonest, counts, what=what))
  return [finding for finding in found if finding.count]


def _everywhere(counts: Counts) -> dict[str, int]:
  found: dict[str, int] = {}
  for each in counts.values():
    for label, count in each.items():
      found[label] = found.get(label, 0) + count
  return found


def _alike(everywhere: Mapping[str, int]) -> list[Finding]:
  groups = alike_labels(everywhere)
  details = []
  for group in groups:
    same = collections.Counter(map(drawn, group))
    names = (ascii(label) if same[drawn(label)] > 1 else written(label) for label in group)
    counted = zip(names, group, strict=True)
    details.append(", ".join(f"{name} {everywhere[label]:,}" for name, label in counted))
  labels = [label for group in groups for label in group]
  return [_finding("alike_labels", labels, {}, details=details)]


def written(label: str) -> str:
  """Returns the label in quotes, with combining marks escaped so that they are visible.

  >>> written("d\u00e9j\u00e0") != written("de\u0301ja\u0300")
  True
  """
  return "".join(f"\\u{ord(c):04x}" if unicodedata.combining(c) else c for c in repr(label))


def _finding(
  name: str,
  which: Collection[str],
  counts: Counts,
  *,
  what: str | None = None,
  details: Collection[str] | None = None,
) -> Finding:
  level, words, advice = _WORDS[name]
  if details is None:
    details = [
      f"{label!r}: " + ", ".join(f"{s} {each.get(label, 0):,}" for s, each in counts.items())
      for label in sorted(which)[:_SHOWN]
    ]
  count = len(which)
  return Finding(
    name=name,
    level=level,
    count=count,
    what=what or f"{count:,} label{'s' if count != 1 else ''} {words}.",
    advice=advice,
    details=tuple(details)[:_SHOWN],
  )
