"""`check_data`: the whole data check as one JSON-serialisable value, kept for the next time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from components.dotted_paths import load_function
from components.records import SPLITS
from pipeline.checks import findings, originals
from pipeline.checks.description import IndescribableError
from pipeline.checks.examples import Row, read_examples
from pipeline.checks.findings import Finding
from pipeline.checks.survey import MAX_COMPARED, Survey
from pipeline.task import Task
from pipeline.user_functions import code_fingerprint

_SHOWN_REASONS, _SHOWN_RECORDS = 10, 5


def check_data(
  task: Task,
  *,
  examples: pathlib.Path,
  quarantine: pathlib.Path,
  data_path: str,
  kept: pathlib.Path,
) -> dict[str, Any]:
  """Says what there is to know about the examples of a run.

  Args:
    task: whose data it is.
    examples: directory of the `Examples` artifact.
    quarantine: directory of the `Quarantine` artifact.
    data_path: the input; files of their own are named by their path in it.
    kept: folder where results are kept by artifact and code.

  Returns:
    `examples` {split: count}; `labels` {split: {label: count}} or None; `lengths` {measure:
    {min, p5, median, p95, max}}; `findings` [{name, level, count, what, advice, details, examples
    [[{split, label, input, file}]]}], warnings first; `quarantined` [{reason, count, records}];
    `compared`, how many inputs near-duplicates were looked for among.
  """
  file = kept / f"{_key(task, examples, data_path)}.json"
  if file.exists():
    return json.loads(file.read_text(encoding="utf-8"))
  result = _check(task, examples, quarantine, data_path)
  kept.mkdir(parents=True, exist_ok=True)
  partial = file.with_suffix(".part")
  partial.write_text(json.dumps(result), encoding="utf-8")
  partial.replace(file)
  return result


def _key(task: Task, examples: pathlib.Path, data_path: str) -> str:
  code = code_fingerprint(__name__, *([task.describe] if task.describe else []))
  facts = (str(examples), data_path, task.describe, task.input_key, task.label_key, code)
  return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _check(
  task: Task, examples: pathlib.Path, quarantine: pathlib.Path, data_path: str
) -> dict[str, Any]:
  describe = load_function(task.describe) if task.describe else None
  has_classes = task.vocabulary is not None

  def rows() -> Iterable[Row]:
    return read_examples(examples, input_key=task.input_key, label_key=task.label_key)

  survey = Survey(describe, has_classes=has_classes)
  for row in rows():
    survey.add(row)
  labels = findings.labels(survey) if has_classes else None
  found = [
    *findings.duplicates(survey, has_classes=has_classes),
    *findings.unusable(survey),
    *(findings.balance(labels) if labels else []),
  ]
  found.sort(key=lambda finding: finding.level != findings.WARNING)
  wanted = {number for finding in found for example in finding.examples for number in example}
  shown = _shown_rows(rows(), wanted, describe, data_path)
  counts = np.bincount(survey.splits, minlength=len(SPLITS)).tolist()
  return {
    "examples": dict(zip(SPLITS, counts, strict=True)),
    "labels": labels,
    "lengths": findings.lengths(survey),
    "findings": [_finding_json(finding, shown) for finding in found],
    "quarantined": _quarantined(quarantine),
    "compared": min(sum(counts), MAX_COMPARED),
  }


def _finding_json(finding: Finding, shown: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
  examples = [[shown[number] for number in example] for example in finding.examples]
  return {**dataclasses.asdict(finding), "details": list(finding.details), "examples": examples}


def _shown_rows(
  rows: Iterable[Row], wanted: set[int], describe: Any, data_path: str
) -> dict[int, dict[str, Any]]:
  """What to show of the rows with these numbers; reads on only as far as the last of them."""
  values: dict[int, bytes] = {}
  shown: dict[int, dict[str, Any]] = {}
  last = max(wanted, default=-1)
  for number, row in enumerate(rows if wanted else ()):
    if number in wanted:
      values[number] = row.value
      shown[number] = {
        "split": row.split,
        "label": row.label[:200].decode("utf-8", "replace"),
        "input": _excerpt(row.value, describe),
      }
    if number == last:
      break
  for number, path in originals.find(data_path, values).items():
    shown[number]["file"] = path
  return shown


def _excerpt(value: bytes, describe: Any) -> str:
  if describe is not None:
    try:
      return describe(value).excerpt
    except IndescribableError:
      return f"{len(value):,} bytes"
  return f"{len(value):,} bytes"


def _quarantined(directory: pathlib.Path) -> list[dict[str, Any]]:
  """Reasons, the commonest first, each with some of its records."""
  summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
  reasons = sorted(summary["reasons"].items(), key=lambda item: (-item[1], item[0]))
  records: dict[str, list[str]] = {reason: [] for reason, _ in reasons[:_SHOWN_REASONS]}
  with (directory / "rejected.jsonl").open(encoding="utf-8") as file:
    for line in file:
      rejected = json.loads(line)
      of_reason = records.get(rejected["reason"])
      if of_reason is not None and len(of_reason) < _SHOWN_RECORDS:
        of_reason.append(rejected["origin"])
  return [
    {"reason": reason, "count": count, "records": records[reason]}
    for reason, count in reasons[:_SHOWN_REASONS]
  ]
