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
from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
from absl import logging
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components import progress
from components.dotted_paths import load_function
from components.errors import DataRefusedError, DlpipeError
from components.records import SPLITS, Record, Rejected, SourcePlan
from components.source_example_gen import quarantine, shard_writer, sources
from components.source_example_gen.driver import FINGERPRINT_KEY
from components.source_example_gen.splits import SplitRule, content_key, fill_small_splits

_REPORT_RECORDS = 5000
_REPORT_S = 5.0
_SMALL = 2000  # records; below this a draw by hash may leave a split empty


@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
  """Where the parts of the two artifacts stand."""

  examples_uri: str
  split_uris: Mapping[str, str]
  quarantine_uri: str

  @property
  def work_uri(self) -> str:
    """What is not complete yet; outside of the splits, where every file is read as data."""
    return os.path.join(self.examples_uri, "partial")

  def report_path(self, shard: int) -> str:
    return os.path.join(self.work_uri, f"report-{shard:05d}.json")

  def writer(self, split: str, shard: int, shards: int) -> shard_writer.ShardWriter:
    name = shard_writer.file_name(shard, shards)
    return shard_writer.ShardWriter(
      final_path=os.path.join(self.split_uris[split], name),
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
    if exec_properties.get(FINGERPRINT_KEY, plan.fingerprint) != plan.fingerprint:
      raise DlpipeError(
        f"The input {exec_properties['data_path']} changed while the run was starting. "
        "Run again when nothing writes to it any more."
      )
    try:
      self._write(plan, output_dict, exec_properties)
    except Exception as err:
      # What a writer left half done may fail in any way; then that is not what has to be said.
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
    reports = self._read_all(plan, rule, targets, exec_properties)
    salted = _refill(rule, reports)
    if salted != rule:
      logging.info("A split came out empty: drawing again with salt %d.", salted.salt)
      reports = self._read_all(plan, salted, targets, exec_properties)
    if not any(n for report in reports for n in report.examples.values()):
      raise DataRefusedError(quarantine.nothing_usable(exec_properties["data_path"], reports))
    _check_unchanged(plan, exec_properties)
    summary = quarantine.collect(quarantine_uri, reports, plan.recognition())
    total = sum(summary["examples"].values()) + summary["quarantined"]
    progress.report(
      f"{total:,} records read, {summary['quarantined']:,} of them quarantined",
      records=total,
      quarantined=summary["quarantined"],
    )

  def _read_all(
    self,
    plan: SourcePlan,
    rule: SplitRule,
    targets: Targets,
    exec_properties: dict[str, Any],
  ) -> list[quarantine.ShardReport]:
    """Runs the Beam pipeline; returns the reports in the order of the shards."""
    for uri in (targets.examples_uri, targets.quarantine_uri):
      if fileio.exists(uri):  # what an attempt with another plan or salt left
        fileio.rmtree(uri)
      fileio.makedirs(uri)
    shards = [json.dumps({"number": n, "shard": dict(s)}) for n, s in enumerate(plan.shards)]
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
            rule=rule,
            shards=len(shards),
            targets=targets,
          )
        )
      )
    reports = []
    for number in range(len(shards)):
      with fileio.open(targets.report_path(number)) as f:
        reports.append(quarantine.ShardReport.from_json(f.read()))
    for split in SPLITS:
      # A reader that finds no file at all fails with a message about file patterns; an empty split
      # is for DataGate to name.
      if not any(report.examples.get(split) for report in reports):
        targets.writer(split, 0, 1).commit()
    fileio.rmtree(targets.work_uri)
    return reports


class ReadShard(beam.DoFn):
  """Reads one shard, writes its files and its report; emits nothing."""

  def __init__(
    self,
    *,
    read_fn: str,
    options: str,
    label_key: str,
    rule: SplitRule,
    shards: int,
    targets: Targets,
  ):
    self._read_fn = read_fn
    self._options = options
    self._label_key = label_key
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
    report = quarantine.ShardReport(examples={}, labels={}, rejected=[], draws=[])
    budget = quarantine.KEPT_BYTES // self._shards
    for record in read(task["shard"], json.loads(self._options)):
      self._count()
      if isinstance(record, Rejected):
        name = f"shard{number:05d}-{len(report.rejected):06d}"
        row, budget = quarantine.keep_data(
          record, root=self._targets.quarantine_uri, name=name, budget=budget
        )
        report.rejected.append(row)
        continue
      key = content_key(record.content)
      split = self._rule.split_of(key, record.split)
      if split not in writers:
        writers[split] = self._targets.writer(split, number, self._shards)
      writers[split].add(key, shard_writer.serialize(record.features))
      report.examples[split] = report.examples.get(split, 0) + 1
      label = self._label(record)
      if label is not None:
        labels[split][label] += 1
      self._note_draw(report, record, key, label)
    for writer in writers.values():
      writer.commit()
    report.labels = {split: dict(count) for split, count in labels.items()}
    fileio.makedirs(self._targets.work_uri)
    with fileio.open(self._targets.report_path(number), "w") as f:
      f.write(report.to_json())
    yield from ()

  def _label(self, record: Record) -> str | None:
    value = record.features.get(self._label_key) if self._label_key else None
    if value is None:
      return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

  def _note_draw(
    self, report: quarantine.ShardReport, record: Record, key: bytes, label: str | None
  ) -> None:
    if report.draws is not None and self._rule.is_drawn(record.split):
      report.draws.append((key.hex(), label))
      if len(report.draws) > _SMALL:
        report.draws = None

  def _count(self) -> None:
    self._seen += 1
    records, moment = self._reported
    now = time.monotonic()
    if self._seen - records >= _REPORT_RECORDS or (moment and now - moment >= _REPORT_S):
      progress.report(f"{self._seen:,} records read", records=self._seen)
      self._reported = (self._seen, now)
    elif not moment:
      self._reported = (0, now)


def _check_unchanged(
  plan: SourcePlan, exec_properties: Mapping[str, Any], cause: Exception | None = None
) -> None:
  """Looks at the input once more.

  Raises:
    DlpipeError: it is not what the plan was made of; so what was read is of no one state.
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


def _refill(rule: SplitRule, reports: list[quarantine.ShardReport]) -> SplitRule:
  """The rule to read with again where the data is so small that a split may be empty."""
  draws: list[tuple[bytes, str | None]] = []
  for report in reports:
    if report.draws is None or len(draws) > _SMALL:
      return rule
    draws.extend((bytes.fromhex(key), label) for key, label in report.draws)
  return fill_small_splits(rule, draws) if draws and len(draws) <= _SMALL else rule
