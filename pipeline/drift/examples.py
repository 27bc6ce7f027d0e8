"""Reads a bounded part of a run's examples as rows to measure, and makes their `Profile`."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from components.source_example_gen.summary import Summary
from dlpipe.records import TRAIN, VAL
from pipeline.drift.measures import features
from pipeline.drift.measuring import Kind, Measure, Row, with_unknown_words
from pipeline.drift.profile import Names, Profile
from pipeline.rows.examples import RawExample, read_examples
from pipeline.task import Task

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


def profile(examples_dir: str, quarantine_dir: str, told: Mapping[str, Any]) -> Profile:
  """Returns what train looks like; called by DataProfile.

  Inputs are measured on a random part of the rows; classes are counted by the source, all of them.
  The share of unknown words is that of val, whose words have not been looked at.

  Args:
    examples_dir: directory of the `Examples` artifact.
    quarantine_dir: directory of the `Quarantine` artifact.
    told: the result of `parameters`.
  """
  kind, folder = Kind(**told["kind"]), pathlib.Path(examples_dir)
  summary = Summary.read(pathlib.Path(quarantine_dir)) or Summary()
  digest = hashlib.blake2b(repr(sorted(summary.examples.items())).encode(), digest_size=16)

  def rows() -> Iterator[Row]:
    for each in _some(folder, TRAIN, kind.most_rows):
      row = _row(each, told)
      # Of the values, because equal examples are not always serialized alike.
      digest.update(repr((row.value, list(row.labels or ()))).encode())
      yield row

  found = Measure(kind).profile(rows())
  if kind.has_classes and summary.labels.get(TRAIN):
    mix = Names.of(summary.labels[TRAIN], summary.examples.get(TRAIN, 0))
    found = dataclasses.replace(found, names={**found.names, features.LABEL_MIX: mix})
  if found.words is not None:
    values = (_row(each, told).value for each in _some(folder, VAL, _WORDS_OF_VAL))
    found = with_unknown_words(found, values, found.words.counts)
  return dataclasses.replace(found, data=digest.hexdigest())


def named_rows(examples_dir: str, told: Mapping[str, Any]) -> Iterator[tuple[str, str, Row]]:
  """Yields the rows that `profile` measured, each with its origin and split."""
  for each in _some(pathlib.Path(examples_dir), TRAIN, Kind(**told["kind"]).most_rows):
    yield each.origin.origin, each.split, _row(each, told)


def _some(folder: pathlib.Path, split: str, most: int) -> Iterator[RawExample]:
  """Yields about `most` examples of a split: the first of each file, whose order is random."""
  files = len(list((folder / f"Split-{split}").glob("*.gz")))
  return read_examples(folder, [split], most_of_file=-(-most // max(files, 1)))


def _row(example: RawExample, told: Mapping[str, Any]) -> Row:
  value, labels = example.values(told["input_key"], told["label_key"])
  first = value[0] if len(value) and isinstance(value[0], bytes) else None
  return Row(value=first, labels=labels)
