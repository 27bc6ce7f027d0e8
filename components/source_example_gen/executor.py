"""The executor of `SourceExampleGen`: one Beam element a shard, whose worker writes its own files.

Records never travel through Beam: a worker reads a shard and writes one file for each split, so a
run costs what reading, packing and writing cost.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from absl import logging
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.source_example_gen import origins, quarantine, relabel, shard_writer, sources
from components.source_example_gen.draws import Draw, Moves
from components.source_example_gen.driver import require_unchanged
from components.source_example_gen.splits import SplitRule, content_key
from dlpipe import progress
from dlpipe.dotted_paths import load_function
from dlpipe.errors import DataRefusedError, DlpipeError
from dlpipe.records import SPLITS, Record, Rejected, SourcePlan, class_names

_REPORT_RECORDS = 5000
_REPORT_S = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
  """The paths of the parts of both artifacts."""

  examples_uri: str
  split_uris: Mapping[str, str]
  quarantine_uri: str

  @property
  def work_uri(self) -> str:
    """The folder for incomplete files; every file in a split's folder is read as data."""
    return os.path.join(self.examples_uri, "partial")

  def report_path(self, shard: int) -> str:
    return os.path.join(self.work_uri, f"report-{shard:05d}.json")

  def draw_path(self, shard: int) -> str:
    return os.path.join(self.work_uri, f"draw-{shard:05d}.json")

  def keys_path(self, shard: int) -> str:
    """Returns the content keys that a shard drew, eight bytes each."""
    return os.path.join(self.work_uri, f"keys-{shard:05d}")

  def final_path(self, split: str, shard: int, shards: int) -> str:
    return os.path.join(self.split_uris[split], shard_writer.file_name(shard, shards))

  def writer(self, split: str, shard: int, shards: int) -> shard_writer.ShardWriter:
    name = shard_writer.file_name(shard, shards)
    return shard_writer.ShardWriter(
      final_path=self.final_path(split, shard, shards),
      partial_path=os.path.join(self.work_uri, f"{split}-{name}"),
    )


class Executor(base_beam_executor.BaseBeamExecutor):
  """Reads every shard of the plan into split examples and a quarantine."""

  def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802 - TFX's name
    """Writes the artifacts `examples` and `quarantine`.

    Raises:
      BadInputError: the source cannot use the input.
      DataRefusedError: not one record can be used.
      DlpipeError: the input changed since the driver looked at it, or while it was read.
    """
    self._log_startup(input_dict, output_dict, exec_properties)
    plan = sources.make_plan(exec_properties)
    require_unchanged(exec_properties, plan.fingerprint)
    try:
      self._write(plan, output_dict, exec_properties)
    except Exception as err:
      # A half-written input may fail in any way; then the message must be that it has changed.
      _check_unchanged(plan, exec_properties, err)
      raise

  def _write(
    self,
    plan: SourcePlan,
    output_dict: dict[str, list[types.Artifact]],
    exec_properties: dict[str, Any],
  ) -> None:
    """Reads the whole input, and writes both artifacts."""
    examples = artifact_utils.get_single_instance(output_dict["examples"])
    quarantine_uri = artifact_utils.get_single_uri(output_dict["quarantine"])
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")

    rule = SplitRule(
      given=tuple(plan.given_splits),
      val_fraction=exec_properties["val_fraction"],
      eval_fraction=exec_properties["eval_fraction"],
    )
    split_uris = {s: artifact_utils.get_split_uri([examples], s) for s in SPLITS}
    targets = Targets(
      examples_uri=examples.uri, split_uris=split_uris, quarantine_uri=quarantine_uri
    )
    new_labels = _new_labels(exec_properties)
    reports = self._read_all(plan, rule, targets, exec_properties, new_labels)
    if not any(n for report in reports for n in report.examples.values()):
      raise DataRefusedError(quarantine.nothing_usable(exec_properties["data_path"], reports))
    _check_unchanged(plan, exec_properties)
    if new_labels:
      relabel.require_known(
        exec_properties["relabel"],
        new_labels,
        [origin for report in reports for origin in report.relabelled],
        {name for report in reports for name in report.classes},
      )
    summary = quarantine.collect(quarantine_uri, reports, plan.recognition())
    total = sum(summary.examples.values()) + summary.quarantined
    relabelled = f", {summary.relabelled:,} with a new label" if summary.relabelled else ""
    progress.report(
      f"{total:,} records read, {summary.quarantined:,} of them quarantined{relabelled}",
      records=total,
      quarantined=summary.quarantined,
    )

  def _read_all(
    self,
    plan: SourcePlan,
    rule: SplitRule,
    targets: Targets,
    exec_properties: dict[str, Any],
    new_labels: Mapping[str, relabel.NewLabel],
  ) -> list[quarantine.ShardReport]:
    """Reads every shard; reads those again that hold a record to move to another split.

    Returns:
      The reports in the order of the shards.
    """
    for uri in (targets.examples_uri, targets.quarantine_uri):
      if fileio.exists(uri):  # files of an attempt with another plan
        fileio.rmtree(uri)
      fileio.makedirs(uri)
    shards = len(plan.shards)
    self._read(plan, range(shards), rule, targets, exec_properties, new_labels)
    moves = merged_draw(targets, shards).moves(rule)
    if moves:
      affected = [n for n in range(shards) if _draws_any(targets.keys_path(n), moves.splits)]
      logging.info("Reading %d of %d shards again: %s.", len(affected), shards, _words(moves))
      moving = dataclasses.replace(rule, moved=moves.splits)
      self._read(plan, affected, moving, targets, exec_properties, new_labels)
    reports = [read_report(targets, number) for number in range(shards)]
    for split in SPLITS:
      # A reader that finds no file at all fails with a message about file patterns; an empty split
      # is for DataGate to name.
      if not any(report.examples.get(split) for report in reports):
        targets.writer(split, 0, 1).commit()
    fileio.rmtree(targets.work_uri)
    return reports

  def _read(
    self,
    plan: SourcePlan,
    numbers: Sequence[int],
    rule: SplitRule,
    targets: Targets,
    exec_properties: dict[str, Any],
    new_labels: Mapping[str, relabel.NewLabel],
  ) -> None:
    """Runs the Beam pipeline over some of the shards; each leaves its files and its report."""
    shards = [json.dumps({"number": n, "shard": dict(plan.shards[n])}) for n in numbers]
    with self._make_beam_pipeline() as pipeline:
      _ = (
        pipeline
        | "Shards" >> beam.Create(shards)
        | "Read"
        >> beam.ParDo(
          ReadShard(
            read_fn=exec_properties["read_fn"],
            options=exec_properties["options"],
            label_key=exec_properties["label_key"],
            relabelled_key=exec_properties.get("relabelled_key") or "",
            new_labels=new_labels,
            rule=rule,
            shards=len(plan.shards),
            targets=targets,
            prefix=exec_properties.get("origin_prefix") or "",
          )
        )
      )


class ReadShard(beam.DoFn):
  """Reads one shard, writes its files and its report; emits nothing."""

  def __init__(
    self,
    *,
    read_fn: str,
    options: str,
    label_key: str,
    relabelled_key: str,
    new_labels: Mapping[str, relabel.NewLabel],
    rule: SplitRule,
    shards: int,
    targets: Targets,
    prefix: str = "",
  ):
    self._prefix = prefix
    self._read_fn = read_fn
    self._options = options
    self._label_key = label_key
    self._relabelled_key = relabelled_key
    self._new_labels = new_labels
    self._rule = rule
    self._shards = shards
    self._targets = targets
    self._seen = 0
    self._reported = (0, 0.0)

  def process(self, element: str) -> Iterator[None]:
    task = json.loads(element)
    number = task["number"]
    read = load_function(self._read_fn)
    writers: dict[str, shard_writer.ShardWriter] = {}
    labels: dict[str, collections.Counter[str]] = {s: collections.Counter() for s in SPLITS}
    report = quarantine.ShardReport(examples={}, labels={}, rejected=[])
    draw, drawn_keys = Draw(), bytearray()
    budget = quarantine.KEPT_BYTES // self._shards
    for record in read(task["shard"], json.loads(self._options)):
      self._count()
      if self._prefix:
        record = dataclasses.replace(record, origin=f"{self._prefix}{record.origin}")
      if isinstance(record, Rejected):
        name = f"shard{number:05d}-{len(report.rejected):06d}"
        row, budget = quarantine.keep_data(
          record, root=self._targets.quarantine_uri, name=name, budget=budget
        )
        report.rejected.append(row)
        continue
      origin = origins.of(record)
      if self._new_labels:
        record = self._relabelled(record, origin.origin, report)
      key = content_key(record.content)
      split = self._rule.split_of(key, record.split)
      if split not in writers:
        writers[split] = self._targets.writer(split, number, self._shards)
      writers[split].add(key, shard_writer.serialize(record.features), origin)
      report.examples[split] = report.examples.get(split, 0) + 1
      found = self._labels(record)
      labels[split].update(found)
      if self._rule.is_drawn(record.split):
        for label in found or (None,):
          draw.add(label, split, key)
        drawn_keys += key
    for split in SPLITS:
      if split in writers:
        writers[split].commit()
      else:
        stale = self._targets.final_path(split, number, self._shards)  # of the first reading
        _remove(stale)
        _remove(origins.path_beside(stale))
    report.labels = {split: dict(count) for split, count in labels.items()}
    self._leave(self._targets.report_path(number), report.to_json().encode())
    self._leave(self._targets.draw_path(number), json.dumps(draw.to_json()).encode())
    self._leave(self._targets.keys_path(number), bytes(drawn_keys))
    yield from ()

  def _leave(self, path: str, content: bytes) -> None:
    fileio.makedirs(self._targets.work_uri)
    with fileio.open(path, "wb") as f:
      f.write(content)

  def _relabelled(self, record: Record, origin: str, report: quarantine.ShardReport) -> Record:
    """Returns the record with its new label, if it has one; notes what the source gave."""
    for name in self._labels(record):
      report.classes[name] = report.classes.get(name, 0) + 1
    if origin not in self._new_labels:
      return record
    new = self._new_labels[origin]
    relabel.require_unchanged(origin, record.features.get(self._relabelled_key), new)
    report.relabelled.append(origin)
    features = {**record.features, self._relabelled_key: new.value}
    return dataclasses.replace(record, features=features)

  def _labels(self, record: Record) -> tuple[str, ...]:
    """Returns the classes of a record; none where labels name no classes."""
    value = record.features.get(self._label_key) if self._label_key else None
    if isinstance(value, (int, float)):
      return (str(value),)
    return class_names(value)

  def _count(self) -> None:
    self._seen += 1
    records, moment = self._reported
    now = time.monotonic()
    if self._seen - records >= _REPORT_RECORDS or (moment and now - moment >= _REPORT_S):
      progress.report(f"{self._seen:,} records read", records=self._seen)
      self._reported = (self._seen, now)
    elif not moment:
      self._reported = (0, now)


def _new_labels(exec_properties: Mapping[str, Any]) -> dict[str, relabel.NewLabel]:
  """Returns the labels that replace the source's, by origin; empty without `data.relabel`."""
  path = exec_properties.get("relabel")
  if not path:
    return {}
  options = json.loads(exec_properties["options"])
  return relabel.values(path, exec_properties["read_label"], options)


def read_report(targets: Targets, shard: int) -> quarantine.ShardReport:
  """Returns what a shard left."""
  with fileio.open(targets.report_path(shard)) as f:
    return quarantine.ShardReport.from_json(f.read())


def merged_draw(targets: Targets, shards: int) -> Draw:
  """Returns the draw of all shards together."""
  draw = Draw()
  for shard in range(shards):
    with fileio.open(targets.draw_path(shard)) as f:
      draw.add_json(json.loads(f.read()))
  return draw


def _draws_any(keys_path: str, wanted: Collection[bytes]) -> bool:
  """Returns whether a shard drew one of these content keys."""
  with fileio.open(keys_path, "rb") as f:
    keys = np.frombuffer(f.read(), ">u8")
  return bool(np.isin(keys, np.frombuffer(b"".join(wanted), ">u8")).any())


def _words(moves: Moves) -> str:
  """Returns the moves in words, for the log."""
  filled = collections.Counter(moves.held_out.values())
  parts = [f"{len(moves.to_train)} contents of labels that train did not have go to train"]
  parts += [f"{count} contents go to {split}" for split, count in sorted(filled.items())]
  return ", ".join(parts)


def _remove(path: str) -> None:
  if fileio.exists(path):
    fileio.remove(path)


def _check_unchanged(
  plan: SourcePlan, exec_properties: Mapping[str, Any], cause: Exception | None = None
) -> None:
  """Looks at the input once more.

  Raises:
    DlpipeError: it has changed since the plan, so the records read are of no single state.
  """
  try:
    after = sources.make_plan(exec_properties).fingerprint
  except DlpipeError:  # a file is gone, or cut short
    after = ""
  if after != plan.fingerprint:
    raise DlpipeError(
      f"The input {exec_properties['data_path']} changed while it was read. What was read is not "
      "used. Run again when nothing writes to it any more, or let the writer put a finished copy "
      "in its place."
    ) from cause
