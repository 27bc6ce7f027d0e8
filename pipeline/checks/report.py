"""`check_data` runs the whole data check; caches the result, one JSON-serialisable value."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from components.source_example_gen.summary import REJECTED_FILE, Summary
from dlpipe.disk.whole_files import write_whole
from dlpipe.dotted_paths import load_function
from dlpipe.fingerprint import code_fingerprint
from dlpipe.records import SPLITS
from pipeline.checks import findings, gate_findings
from pipeline.checks.description import Description, IndescribableError, Row, label_bytes
from pipeline.checks.finding import WARNING, Finding
from pipeline.checks.looks.look import Look, Samples
from pipeline.checks.survey import MAX_COMPARED, Survey
from pipeline.checks.text import excerpt
from pipeline.checks.wrong_labels import wrong_labels
from pipeline.rows.examples import read_examples
from pipeline.sources import origins
from pipeline.suspects.search import search
from pipeline.task import Task

_SHOWN_REASONS, _SHOWN_RECORDS = 10, 5
_LABEL_BYTES = 200
_TEXT_BYTES = 2000
_TEXT_CHARACTERS = 400


def check_data(
  task: Task,
  *,
  examples: pathlib.Path,
  quarantine: pathlib.Path,
  gates: Sequence[Mapping[str, Any]],
  kept: pathlib.Path,
  labels: bool = False,
) -> dict[str, Any]:
  """Checks the examples of a run.

  Args:
    task: the run's task.
    examples: directory of the `Examples` artifact.
    quarantine: directory of the `Quarantine` artifact.
    gates: the model's gates, as DataGate receives them.
    kept: folder that caches results by artifact and code, and holds the pictures that a finding
      shows if the input has no file for them.
    labels: whether to look for labels that are likely wrong.

  Returns:
    `examples` {split: count}; `labels` {split: {label: count}} or None; `lengths` {measure:
    {min, p5, median, p95, max}}; `met` {unusual but valid property: count}; `findings` [{name,
    level, count, what, advice, details, examples [[{split, label, input, text,
    file, origin}]]}],
    warnings first; `quarantined` [{reason, count, records}]; `compared`, the number of inputs among
    which near-duplicates were searched; with `labels` also `suspects`, as `Suspects.to_json`;
    `look`, as `Look.to_json`, for the page.

  Raises:
    BadInputError: `labels`, and the task has no classes.
  """
  folder = kept / _key(task, examples, gates, labels)
  file = folder / "check.json"
  if file.exists():
    return json.loads(file.read_text(encoding="utf-8"))
  folder.mkdir(parents=True, exist_ok=True)
  result = _check(task, examples, quarantine, gates, folder, labels)
  write_whole(file, json.dumps(result))
  return result


def _key(
  task: Task, examples: pathlib.Path, gates: Sequence[Mapping[str, Any]], labels: bool
) -> str:
  asked = (task.input.describe, task.problem.findings, task.problem.survey)
  code = code_fingerprint(__name__, *(path for path in asked if path))
  facts = (str(examples), *asked, task.input.key, task.label_key, gates, labels, code)
  return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _check(
  task: Task,
  examples: pathlib.Path,
  quarantine: pathlib.Path,
  gates: Sequence[Mapping[str, Any]],
  folder: pathlib.Path,
  labels: bool,
) -> dict[str, Any]:
  describe = load_function(task.input.describe) if task.input.describe else None
  answers = load_function(task.problem.survey)() if task.problem.survey else None

  def rows() -> Iterator[Row]:
    for each in read_examples(examples):
      value, label = each.values(task.input.key, task.label_key)
      yield Row(each.split, label_bytes(value[:1]), label_bytes(label), each.origin.origin)

  survey = Survey(describe)
  samples = Samples(has_classes=task.problem.has_classes)
  for number, row in enumerate(rows()):
    survey.add(row)
    samples.add(number, row)
    if answers is not None:
      answers.add(row)
  summary = Summary.read(quarantine) or Summary()
  found = [
    *findings.duplicates(survey, contradicts=task.problem.contradicts),
    *findings.unusable(survey),
    *(Finding.of(row) for row in load_function(task.problem.findings)(summary.to_json(), gates)),
    *(answers.findings() if answers is not None else ()),
  ]
  suspects = None
  if labels:
    suspects = search(task, examples, len(survey.splits))
    found += wrong_labels(suspects)
  found.sort(key=lambda finding: finding.level != WARNING)
  look = Look.of(survey, samples)
  wanted = {number for finding in found for example in finding.examples for number in example}
  wanted |= look.numbers()
  shown_rows = _pick(rows(), wanted)
  shown = {
    number: _shown(row, describe, folder / str(number), is_text=task.input.kind == "text")
    for number, row in shown_rows.items()
  }
  counts = np.bincount(survey.splits, minlength=len(SPLITS)).tolist()
  return {
    "examples": dict(zip(SPLITS, counts, strict=True)),
    "labels": gate_findings.labels_by_split(summary.to_json()) or None,
    "lengths": findings.lengths(survey),
    "met": dict(survey.met.most_common()),
    "findings": [_finding_json(finding, shown) for finding in found],
    "quarantined": _quarantined(quarantine, summary.reasons),
    "compared": min(sum(counts), MAX_COMPARED),
    "look": look.to_json(shown.__getitem__),
    **({"suspects": suspects.to_json()} if suspects is not None else {}),
  }


def _finding_json(finding: Finding, shown: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
  examples = [
    [
      {**shown[number], "suggested": finding.suggested[number]}
      if number in finding.suggested
      else shown[number]
      for number in example
    ]
    for example in finding.examples
  ]
  return {**gate_findings.finding_json(finding), "examples": examples}


def _pick(rows: Iterable[Row], wanted: set[int]) -> dict[int, Row]:
  """Returns the rows with these numbers; stops reading after the last of them."""
  found: dict[int, Row] = {}
  for number, row in enumerate(rows if wanted else ()):
    if number in wanted:
      found[number] = row
      if len(found) == len(wanted):
        break
  return found


def _shown(
  row: Row,
  describe: Callable[[bytes], Description] | None,
  kept: pathlib.Path,
  *,
  is_text: bool,
) -> dict[str, str]:
  """Returns the fields of a row to show in a finding.

  Args:
    row: the row.
    describe: the task's function, if any.
    kept: the path to write a picture to, without suffix, if the input has no file for it.
    is_text: whether to show the input as text if `describe` is None.
  """
  shown = {
    "split": row.split,
    "label": row.label[:_LABEL_BYTES].decode("utf-8", "replace"),
    "input": f"{len(row.value):,} bytes",
  }
  place = origins.place(row.origin)
  if row.origin and place.row is not None:
    shown["origin"] = row.origin
  suffix = ""
  if is_text:
    text = row.value[:_TEXT_BYTES].decode("utf-8", "replace")
    shown["input"] = excerpt(text)
    if len(text) > len(shown["input"]):
      shown["text"] = text[:_TEXT_CHARACTERS]
  if describe is not None:
    with contextlib.suppress(IndescribableError):
      described = describe(row.value)
      shown["input"], suffix = described.excerpt, described.suffix
  if row.origin and place.is_file:
    shown["file"] = place.file
  elif suffix:
    path = kept.with_name(f"{kept.name}{suffix}")
    path.write_bytes(row.value)
    shown["file"] = str(path)
  return shown


def _quarantined(directory: pathlib.Path, counts: Mapping[str, int]) -> list[dict[str, Any]]:
  """Returns the reasons for quarantine, the most common first, each with some of its records."""
  reasons = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
  records: dict[str, list[str]] = {reason: [] for reason, _ in reasons[:_SHOWN_REASONS]}
  with (directory / REJECTED_FILE).open(encoding="utf-8") as file:
    for line in file:
      rejected = json.loads(line)
      of_reason = records.get(rejected["reason"])
      if of_reason is not None and len(of_reason) < _SHOWN_RECORDS:
        of_reason.append(rejected["origin"])
  return [
    {"reason": reason, "count": count, "records": records[reason]}
    for reason, count in reasons[:_SHOWN_REASONS]
  ]
