"""Reads a bounded part of a run's examples as rows to measure, and makes their `Profile`."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from components.source_example_gen.summary import Summary
from components.spans.together import Parts
from dlpipe.records import TRAIN, VAL
from pipeline.drift.measures import features
from pipeline.drift.measuring import Kind, Measure, Row, with_unknown_words
from pipeline.drift.profile import Names, Profile
from pipeline.rows.examples import RawExample, read_examples
from pipeline.task import Task

# Of a window of several spans: the profile of the newest.
NEWEST_FILE = "newest_profile.json"
_WORDS_OF_VAL = 2_000  # texts of val whose unknown words are counted


def parameters(task: Task) -> dict[str, Any]:
  """Returns the argument `told` of the functions here, as JSON."""
  return {
    "kind": dataclasses.asdict(kind_of(task)),
    "input_key": task.input.key,
    "label_key": task.label_key,
  }


def kind_of(task: Task) -> Kind:
  """Returns what the rows of a task are."""
  return Kind(
    is_text=task.input.kind == "text",
    has_classes=task.problem.has_classes,
    has_one_class=task.problem.has_one_class,
  )


def files(examples_dir: str, quarantine_dir: str, told: Mapping[str, Any]) -> dict[str, str]:
  """Returns what DataProfile writes, name to text: the profile, and of spans that of the newest.

  Args:
    examples_dir: directory of the `Examples` artifact.
    quarantine_dir: directory of the `Quarantine` artifact.
    told: the result of `parameters`.
  """
  found = profile(examples_dir, quarantine_dir, told)
  written = {Profile.FILE: found.to_text()}
  newest = newest_files(examples_dir)
  if newest is not None:
    summary = Summary.read(pathlib.Path(quarantine_dir)) or Summary()
    span = next(each for each in reversed(summary.spans) if each.content)
    rows = (_row(each, told) for each in _some(examples_dir, TRAIN, told, newest))
    of_span = _with_labels(Measure(Kind(**told["kind"])).profile(rows), span.labels, span.rows)
    of_span = dataclasses.replace(of_span, data=found.data, span=span.name)
    written[NEWEST_FILE] = of_span.to_text()
  return written


def profile(examples_dir: str, quarantine_dir: str, told: Mapping[str, Any]) -> Profile:
  """Returns what train looks like; the arguments are those of `files`.

  Inputs are measured on a random part of the rows; classes are counted by the source, all of them.
  The share of unknown words is that of val, whose words have not been looked at.
  """
  kind = Kind(**told["kind"])
  summary = Summary.read(pathlib.Path(quarantine_dir)) or Summary()
  digest = hashlib.blake2b(repr(sorted(summary.examples.items())).encode(), digest_size=16)

  def rows() -> Iterator[Row]:
    for each in _some(examples_dir, TRAIN, told):
      row = _row(each, told)
      # Of the values, because equal examples are not always serialized alike.
      digest.update(repr((row.value, list(row.labels or ()))).encode())
      yield row

  found = Measure(kind).profile(rows())
  if kind.has_classes:
    labels, count = summary.labels.get(TRAIN, {}), summary.examples.get(TRAIN, 0)
    found = _with_labels(found, labels, count)
  if found.words is not None:
    of_val = _some(examples_dir, VAL, {**told, "most": _WORDS_OF_VAL})
    values = (_row(each, told).value for each in of_val)
    found = with_unknown_words(found, values, found.words.counts)
  return dataclasses.replace(found, data=digest.hexdigest())


def named_rows(
  examples_dir: str, told: Mapping[str, Any], only: Collection[str] | None = None
) -> Iterator[tuple[str, str, Row]]:
  """Yields the rows that were measured, each with its origin and split.

  Args:
    examples_dir: directory of the `Examples` artifact.
    told: the result of `parameters`.
    only: the names of the files that were measured; None for all.
  """
  for each in _some(examples_dir, TRAIN, told, only):
    yield each.origin.origin, each.split, _row(each, told)


def newest_files(examples_dir: str) -> list[str] | None:
  """Returns the names of train's files of the newest of several spans; None of other data."""
  parts = Parts.read(pathlib.Path(examples_dir))
  if parts is None or len(parts.files) < 2:
    return None
  return list(parts.files.values())[-1].get(TRAIN, [])


def spans_of(examples_dir: str) -> list[str]:
  """Returns a text for each span that spans with other contents do not have; the newest is last."""
  parts = Parts.read(pathlib.Path(examples_dir))
  return [_content_of(folder) for folder in parts.files] if parts is not None else []


def late_files(examples_dir: str, known: Collection[str]) -> dict[str, list[str]]:
  """Returns the names of train's files of spans that came late or were corrected, by span.

  Args:
    examples_dir: directory of the `Examples` artifact.
    known: the spans that are no news, as `spans_of` has them. If none of the older spans is among
      them, nobody can tell which are late: all were read anew, by another release.
  """
  parts = Parts.read(pathlib.Path(examples_dir))
  older = list(parts.files)[:-1] if parts is not None else []
  new = [folder for folder in older if _content_of(folder) not in known]
  if parts is None or not known or (len(new) == len(older) > 1):
    return {}
  return {parts.names.get(folder, folder): parts.files[folder].get(TRAIN, []) for folder in new}


def of_files(
  examples_dir: str, told: Mapping[str, Any], measure: Measure, only: Collection[str]
) -> Profile:
  """Returns what the rows in some files of train look like."""
  return measure.profile(row for _, _, row in named_rows(examples_dir, told, only))


def _content_of(folder: str) -> str:
  return folder.partition("-")[0]  # contents that are moved to another split are the same


def _with_labels(found: Profile, labels: Mapping[str, int], rows: int) -> Profile:
  """Returns a profile with the labels that the source counted, if it counted any."""
  if not labels:
    return found
  mix = Names.of(labels, rows)
  return dataclasses.replace(found, names={**found.names, features.LABEL_MIX: mix})


def _some(
  examples_dir: str, split: str, told: Mapping[str, Any], only: Collection[str] | None = None
) -> Iterator[RawExample]:
  """Yields about so many examples of a split: the first of each file, whose order is random."""
  folder = pathlib.Path(examples_dir)
  most = told.get("most") or Kind(**told["kind"]).most_rows
  there = [path.name for path in (folder / f"Split-{split}").glob("*.gz")]
  count = sum(only is None or name in only for name in there)
  return read_examples(folder, [split], most_of_file=-(-most // max(count, 1)), files=only)


def _row(example: RawExample, told: Mapping[str, Any]) -> Row:
  value, labels = example.values(told["input_key"], told["label_key"])
  first = value[0] if len(value) and isinstance(value[0], bytes) else None
  return Row(value=first, labels=labels)
