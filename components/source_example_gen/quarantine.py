"""Collects counts and rejected records of the shards into the `Quarantine` artifact.

Each shard leaves one JSON file with its counts; `collect` merges them, copies the rejected files
and writes `summary.json` and `rejected.jsonl`. Nothing here raises because of a bad record.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfx.dsl.io import fileio

from components.source_example_gen.summary import REJECTED_FILE, LostClass, Summary
from dlpipe.records import SPLITS, Rejected, class_names

KEPT_BYTES = 64 << 20  # copies are for looking at; beyond this they are only listed
FILES_DIR = "files"
_MAX_REASONS = 100
_SHOWN = 5


@dataclasses.dataclass(kw_only=True)
class ShardReport:
  """The counts and rejected records of one shard.

  Attributes:
    examples: records written, by split.
    labels: records written, by split and label; empty if labels are not counted.
    rejected: rows of `rejected.jsonl`; a row's `source` is the file still to be copied.
    relabelled: the origins of records with a new label.
    classes: records that the source gave, by class, if there are new labels.
  """

  examples: dict[str, int]
  labels: dict[str, dict[str, int]]
  rejected: list[dict[str, Any]]
  relabelled: list[str] = dataclasses.field(default_factory=list)
  classes: dict[str, int] = dataclasses.field(default_factory=dict)

  def to_json(self) -> str:
    return json.dumps(dataclasses.asdict(self))

  @classmethod
  def from_json(cls, text: str) -> ShardReport:
    return cls(**json.loads(text))


def keep_data(rejected: Rejected, *, root: str, name: str, budget: int) -> tuple[dict, int]:
  """Returns the row of a rejected record, and what its data leave of `budget` bytes."""
  row: dict[str, Any] = {"origin": rejected.origin, "reason": rejected.reason}
  if rejected.label is not None:
    row["label"] = rejected.label
  if rejected.data is not None and len(rejected.data) <= budget:
    row["file"] = f"{FILES_DIR}/{name}"
    fileio.makedirs(os.path.join(root, FILES_DIR))
    with fileio.open(os.path.join(root, FILES_DIR, name), "wb") as f:
      f.write(rejected.data)
    budget -= len(rejected.data)
  elif rejected.file is not None:
    row["source"] = rejected.file
  return row, budget


def collect(root: str, reports: Sequence[ShardReport], recognized: Mapping[str, Any]) -> Summary:
  """Writes the artifact's files; returns the summary.

  Args:
    root: the artifact's directory.
    reports: those of the shards.
    recognized: the layout that the source recognized, as `SourcePlan.recognition` returns it.
  """
  rows = [row for report in reports for row in report.rejected]
  _copy_files(root, rows)
  reasons = collections.Counter(row["reason"] for row in rows)
  relabelled = sum(len(report.relabelled) for report in reports)
  said = list(recognized.get("sentences") or ())
  said += of_relabel(relabelled)
  labels = {s: _sum(r.labels.get(s, {}) for r in reports) for s in SPLITS}
  summary = Summary(
    examples={s: sum(r.examples.get(s, 0) for r in reports) for s in SPLITS},
    quarantined=len(rows),
    relabelled=relabelled,
    labels=labels,
    reasons=dict(reasons.most_common(_MAX_REASONS)),
    recognized={**recognized, "sentences": said} if said else dict(recognized),
    lost=lost_classes(labels, recognized.get("classes") or {}, rows),
  )
  fileio.makedirs(root)
  with fileio.open(os.path.join(root, Summary.FILE), "w") as f:
    f.write(summary.to_text())
  with fileio.open(os.path.join(root, REJECTED_FILE), "w") as f:
    f.write("".join(json.dumps(row) + "\n" for row in rows))
  return summary


_OF_RELABEL = "labels come from data.relabel"


def of_relabel(count: int) -> list[str]:
  """Says how many labels come from the file of new ones; nothing if none does."""
  return [f"{count:,} {_OF_RELABEL}"] if count else []


def is_of_relabel(sentence: str) -> bool:
  """Returns whether `of_relabel` said it."""
  return sentence.endswith(_OF_RELABEL)


def lost_classes(
  labels: Mapping[str, Mapping[str, int]],
  named: Mapping[str, int],
  rejected: Iterable[Mapping[str, Any]],
) -> dict[str, LostClass]:
  """Returns the classes of the input without a usable example.

  Args:
    labels: records written, by split and label; without any, there is nothing to compare with.
    named: classes that the source named before reading, such as class folders, to their inputs.
    rejected: rows of `rejected.jsonl`; some have a `label`, or several.
  """
  read = {_plain(label) for counts in labels.values() for label, n in counts.items() if n}
  if not read:
    return {}
  reasons: dict[str, collections.Counter[str]] = {
    label: collections.Counter() for label, n in named.items() if n and _plain(label) not in read
  }
  for row in rejected:
    for label in class_names(row.get("label")):
      if _plain(label) not in read:
        reasons.setdefault(label, collections.Counter())[row["reason"]] += 1
  return {
    label: LostClass(
      inputs=named.get(label) or sum(count.values()),
      named=label in named,
      reasons=dict(count.most_common(3)),
    )
    for label, count in sorted(reasons.items())
  }


def _plain(label: str) -> str:
  """Returns the label as any source writes it: composed, without blanks around it."""
  return unicodedata.normalize("NFC", label).strip()


def nothing_usable(data_path: str, reports: Sequence[ShardReport]) -> str:
  """Returns the message of a run whose every record was rejected."""
  rows = [row for report in reports for row in report.rejected]
  lines = [f"None of the {len(rows)} records of {data_path} can be used."]
  lines.extend(f"  {row['origin']}: {row['reason']}" for row in rows[:_SHOWN])
  if len(rows) > _SHOWN:
    lines.append(f"  and {len(rows) - _SHOWN} more")
  lines.append("Mend these records, or point --data at others.")
  return "\n".join(lines)


def _copy_files(root: str, rows: Iterable[dict[str, Any]]) -> None:
  remaining = KEPT_BYTES
  for number, row in enumerate(rows):
    source = row.pop("source", None)
    if source is None:
      continue
    try:
      size = os.path.getsize(source)
      if size > remaining:
        continue
      safe = re.sub(r"[^\w.-]", "_", os.path.basename(source), flags=re.ASCII)[-100:]
      target = f"{FILES_DIR}/{number:06d}-{safe}"
      fileio.makedirs(os.path.join(root, FILES_DIR))
      fileio.copy(source, os.path.join(root, target), overwrite=True)
    except (OSError, ValueError) as err:
      row["not_kept"] = f"the file could not be copied: {err}"
      continue
    remaining -= size
    row["file"] = target


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
  total: collections.Counter[str] = collections.Counter()
  for count in counts:
    total.update(count)
  return dict(sorted(total.items()))
