"""Compares the data of a run with those that the served version was trained on."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.reviewed_schema import SCHEMA_FILE
from dlpipe.disk.whole_files import write_whole
from pipeline.drift import comparing, examples, novel, past, served
from pipeline.drift.comparing import Change, SchemaBound
from pipeline.drift.measures import features
from pipeline.drift.measuring import Kind, Measure, with_unknown_words
from pipeline.drift.profile import Profile
from pipeline.drift.verdict import REFUSED_FILE, Drift, LateSpan
from pipeline.task import Task

_OF_LABELS = (features.LABEL_MIX, features.LABEL_VALUE)


def parameters(task: Task, *, severity: str, least: float, remembers: bool) -> dict[str, Any]:
  """Returns the argument `told` of `judge`, as JSON.

  Args:
    task: the task.
    severity: what a change does: `warn` or `refuse`.
    least: the smallest divergence that counts as a change, in bits.
    remembers: whether the comparison becomes a part of the past; data that are only looked at do
      not.
  """
  own = {"severity": severity, "least": least, "remembers": remembers}
  return {**examples.parameters(task), **own}


def judge(
  profile_dir: str,
  examples_dir: str,
  schema_dir: str,
  serving_dir: str,
  past_file: str,
  told: Mapping[str, Any],
) -> Drift:
  """Judges a run's data; called by DriftGate. Data that are not refused become part of the past.

  Args:
    profile_dir: directory of the `Profile` artifact of the run's data.
    examples_dir: directory of their `Examples` artifact.
    schema_dir: directory of the `Schema` artifact.
    serving_dir: the served directory.
    past_file: the file of earlier comparisons.
    told: the result of `parameters`.

  Raises:
    BadInputError: the file of earlier comparisons is damaged.
  """
  now = _newest(pathlib.Path(profile_dir)) or Profile.read(pathlib.Path(profile_dir))
  if now is None:
    raise FileNotFoundError(f"{profile_dir} has no {Profile.FILE}")
  known, before = _reference(now, serving_dir, told["severity"])
  if before is None:
    return known
  least = told["least"]
  only = examples.newest_files(examples_dir) if now.span else None
  words = before.words.counts if before.words is not None else None
  measure = Measure(Kind(**told["kind"]), known=words)
  if words is not None:
    values = (row.value for _, _, row in examples.named_rows(examples_dir, told, only))
    now = with_unknown_words(now, values, words)
  file = pathlib.Path(past_file)
  earlier = past.read(file)
  bounds, notes = _schema_bounds(pathlib.Path(schema_dir), told)
  changes = comparing.changes(
    before, now, past=earlier.by_feature(but=now.data), least=least, schema=bounds
  )
  drifted = [change for change in changes if change.drifted]
  if few := comparing.power(now.rows, before.rows, least=least, noun="rows"):
    notes.append(few)
  found = dataclasses.replace(
    known,
    changes=tuple(changes),
    notes=tuple(notes),
    examples=_examples(
      examples.named_rows(examples_dir, told, only), measure, drifted, before, now, told
    ),
  )
  if now.span:
    compare = functools.partial(
      comparing.changes, before, past=earlier.by_feature(but=now.data), least=least, schema=bounds
    )
    late = examples.late_files(examples_dir, earlier.spans)
    found = dataclasses.replace(
      found,
      late=tuple(
        _late(span, examples_dir, told, measure, names, before, compare)
        for span, names in late.items()
      ),
    )
  if not found.verdict.passed:
    # What a node that fails wrote is no artifact, and the report is to show it.
    write_whole(file.with_name(REFUSED_FILE), found.to_text() + "\n")
  elif told["remembers"]:
    past.write(
      file,
      earlier.with_comparison(
        now.data, before.data, changes, spans=examples.spans_of(examples_dir)
      ),
    )
  return found


def _reference(now: Profile, serving_dir: str, severity: str) -> tuple[Drift, Profile | None]:
  """Returns what is known before a comparison, and the profile to compare with; None for none."""
  version = served.find(pathlib.Path(serving_dir))
  if version is None:
    note = "No version is served to compare with."
    return Drift(severity=severity, data=now.data, notes=(note,)), None
  before = version.profile
  if before is None:
    note = (
      f"Version {version.version} has no {Profile.FILE}, which says what it was trained on: an "
      "older release, or something else, put it there."
    )
    return Drift(severity=severity, version=version.version, data=now.data, notes=(note,)), None
  known = Drift(
    span=now.span, severity=severity, version=version.version, data=now.data, reference=before.data
  )
  if before.data == now.data:
    note = "These are the data of the version that is served."
    return dataclasses.replace(known, notes=(note,)), None
  return known, before


def _newest(directory: pathlib.Path) -> Profile | None:
  """Returns the profile of the newest span; None of data that are not several spans."""
  return Profile.read(directory, examples.NEWEST_FILE)


def _late(
  span: str,
  examples_dir: str,
  told: Mapping[str, Any],
  measure: Measure,
  files: Collection[str],
  before: Profile,
  compare: Callable[[Profile], list[Change]],
) -> LateSpan:
  """Compares a span that came late, or was corrected since it was compared."""
  now = examples.of_files(examples_dir, told, measure, files)
  changes = compare(now)
  drifted = [change for change in changes if change.drifted]
  rows = examples.named_rows(examples_dir, told, files)
  shown = _examples(rows, measure, drifted, before, now, told)
  return LateSpan(span=span, changes=tuple(changes), examples=shown)


def _examples(
  rows: Iterable[novel.Named],
  measure: Measure,
  drifted: list[Change],
  before: Profile,
  now: Profile,
  told: Mapping[str, Any],
) -> tuple[Any, ...]:
  if not drifted:
    return ()
  is_text = Kind(**told["kind"]).is_text
  return novel.examples(rows, measure, drifted, before, now, is_text=is_text)


def _schema_bounds(
  directory: pathlib.Path, told: Mapping[str, Any]
) -> tuple[dict[str, SchemaBound], list[str]]:
  """Returns the bounds of the schema's comparators by feature, and a note on each unused one."""
  schema = text_format.Parse(
    (directory / SCHEMA_FILE).read_text(encoding="utf-8"), schema_pb2.Schema()
  )
  bounds: dict[str, SchemaBound] = {}
  notes = []
  for feature in schema.feature:
    if not feature.HasField("drift_comparator"):
      continue
    if feature.name != told["label_key"]:
      notes.append(
        f"The schema's drift_comparator of {feature.name!r} is not used: it compares whole values, "
        "which hardly any two inputs share. DriftGate compares what they look like."
      )
      continue
    comparator = feature.drift_comparator
    bound = SchemaBound(
      infinity_norm=_threshold(comparator, "infinity_norm"),
      divergence=_threshold(comparator, "jensen_shannon_divergence"),
    )
    bounds |= dict.fromkeys(_OF_LABELS, bound)
  return bounds, notes


def _threshold(comparator: Any, name: str) -> float | None:
  return getattr(comparator, name).threshold if comparator.HasField(name) else None
