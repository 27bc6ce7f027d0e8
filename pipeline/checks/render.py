"""Renders the data check as text: the lines that `dlpipe check` prints after those of the run."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from typing import Any

from pipeline.checks.finding import WARNING

_INDENT = " " * 12
_SHOWN_LABELS = 8
_LABEL_CHARACTERS = 30


def lines(check: Mapping[str, Any], *, width: int = 100) -> list[str]:
  """Returns lines on balance, lengths, unusual inputs, findings, and quarantined records.

  Args:
    check: the result of `check_data`, or of `examine` with the `page`.
    width: width of the lines in characters.
  """
  shown = [""]
  if check["labels"]:
    shown += _labelled("Labels", _balance(check["labels"], check["examples"]), width)
  shown += _labelled("Lengths", _lengths(check["lengths"]), width)
  if check["met"]:
    met = ", ".join(f"{count:,} {name}" for name, count in check["met"].items())
    shown += _labelled("Met", [met], width)
  for finding in check["findings"]:
    head = "Warning" if finding["level"] == WARNING else "Note"
    shown += _labelled(head, [finding["what"]], width)
    for example in finding["examples"]:
      shown += _example(example, width)
    shown += [f"{_INDENT}  {_cut(detail, width - 14)}" for detail in finding["details"]]
    shown += _wrapped(finding["advice"], width)
  for reason in check["quarantined"]:
    what = f"{reason['count']:,} quarantined: {reason['reason']}"
    shown += _labelled("Bad records", [what], width)
    shown += [f"{_INDENT}  {_cut(record, width - 14)}" for record in reason["records"]]
  shown += _labelled("Data check", [_verdict(check)], width)
  if "page" in check:
    shown.append(f"{'Page':<12}{_place(check['page'])}")
  return shown


def _verdict(check: Mapping[str, Any]) -> str:
  warnings = sum(finding["level"] == WARNING for finding in check["findings"])
  total = sum(check["examples"].values())
  verdict = f"{warnings} warning{'s' if warnings != 1 else ''} in {total:,} examples"
  if check["compared"] < total:
    verdict += f"; near-duplicates were looked for among the first {check['compared']:,}"
  of_labels = {"wrong_labels", "unjudged_labels"}
  if "suspects" in check and of_labels.isdisjoint(each["name"] for each in check["findings"]):
    verdict += f"; none of {check['suspects']['looked_at']:,} labels looks wrong"
  return verdict


def _balance(labels: Mapping[str, Mapping[str, int]], examples: Mapping[str, int]) -> list[str]:
  """Returns a line for each split: its labels, with the share of the rows that have each."""
  rows = []
  for split, counts in labels.items():
    if not counts:
      continue
    total = examples[split]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if len(ordered) > _SHOWN_LABELS:
      most, fewest = ordered[0], ordered[-1]
      shown = f"{len(ordered)} labels, from {_of_label(*fewest)} to {_of_label(*most)}"
    else:
      shown = ", ".join(f"{_of_label(*each)} ({each[1] / total:.0%})" for each in ordered)
    rows.append(f"{split:<6}{shown}")
  return rows


def _of_label(label: str, count: int) -> str:
  return f"{_cut(label, _LABEL_CHARACTERS)!r} {count:,}"


def _lengths(lengths: Mapping[str, Mapping[str, float]]) -> list[str]:
  shown = []
  for name, each in lengths.items():
    if each["min"] == each["max"]:
      shown.append(f"{name}: always {each['min']:,.0f}")
    else:
      shown.append(
        f"{name}: {each['min']:,.0f} to {each['max']:,.0f}, median {each['median']:,.0f}, nine in "
        f"ten from {each['p5']:,.0f} to {each['p95']:,.0f}"
      )
  return shown


def _example(rows: list[Mapping[str, str]], width: int) -> list[str]:
  shown = []
  for number, row in enumerate(rows):
    where = _place(row["file"]) if "file" in row else row["input"]
    if "origin" in row:
      where = f"{row['origin']}: {where}"
    mark = "- " if number == 0 else "  "
    room = width - len(f"{_INDENT}{mark}{row['split']}:  []")
    named = row["label"]
    if "suggested" in row:
      named = (
        f"{_cut(named, _LABEL_CHARACTERS)}, rather {_cut(row['suggested'], _LABEL_CHARACTERS)}"
      )
    label = _cut(named, max(_LABEL_CHARACTERS, room - len(where)))
    shown.append(f"{_INDENT}{mark}{row['split']}: {_cut(where, room - len(label))} [{label}]")
  return shown


def _place(path: str) -> str:
  """Returns the path relative to the current directory if that is shorter."""
  return min(path, os.path.relpath(path), key=len) if os.path.isabs(path) else path


def _cut(text: str, room: int) -> str:
  line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
  return line if len(line) <= room else f"{line[: max(room - 1, 1)]}…"


def _wrapped(text: str, width: int) -> list[str]:
  return textwrap.wrap(text, width, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _labelled(label: str, texts: list[str], width: int) -> list[str]:
  shown = []
  for text in texts:
    first, *rest = textwrap.wrap(
      text, width - len(_INDENT), break_long_words=False, break_on_hyphens=False
    ) or [""]
    shown += [f"{label:<12}{first}", *(f"{_INDENT}{line}" for line in rest)]
    label = ""
  return shown
