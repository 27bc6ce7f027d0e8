"""The executor of `SourceExampleGen` over a window: reads the spans that were not read before.

A span is read alone, into what is kept of it. Which split a record goes to is drawn by a hash of
its content, as everywhere. Contents that go elsewhere, so that no class of the window is lost, are
moved for good: in later windows, too, they stay where they are.
"""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components.source_example_gen import executor, quarantine, relabel
from components.source_example_gen.driver import require_unchanged
from components.source_example_gen.splits import SplitRule
from components.spans import contents, kept, resolving, together, window
from components.spans.pattern import Pattern, Span
from dlpipe import progress
from dlpipe.errors import BadInputError, DataRefusedError, DlpipeError
from dlpipe.records import SPLITS, SourcePlan


class Executor(executor.Executor):
  """Reads new spans, and puts the window's examples and quarantine together."""

  def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802 - TFX's name
    """Writes the artifacts `examples` and `quarantine`.

    Raises:
      BadInputError: the source cannot use a span, or spans do not fit together.
      DataRefusedError: not one record of the window can be used.
      DlpipeError: the input changed since the driver looked at it, or while it was read.
    """
    self._log_startup(input_dict, output_dict, exec_properties)
    found = resolving.resolve(exec_properties)
    require_unchanged(exec_properties, found.fingerprint)
    folders = self._folders(found, exec_properties)
    examples = artifact_utils.get_single_instance(output_dict["examples"])
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    quarantine_uri = pathlib.Path(artifact_utils.get_single_uri(output_dict["quarantine"]))
    for uri in (pathlib.Path(examples.uri), quarantine_uri):
      shutil.rmtree(uri, ignore_errors=True)  # files of an attempt with other spans
    there = [folder for folder in folders.values() if folder is not None]
    together.examples(pathlib.Path(examples.uri), there, found.settings.root)
    summary = together.rejected(quarantine_uri, found.window, folders, found.contents)
    if not any(summary.examples.values()):
      rows = (quarantine_uri / quarantine.REJECTED_FILE).read_text(encoding="utf-8").splitlines()
      report = quarantine.ShardReport(examples={}, labels={}, rejected=[*map(json.loads, rows)])
      raise DataRefusedError(quarantine.nothing_usable(exec_properties["data_path"], [report]))
    _require_known(found, there, exec_properties)
    named = {name: folder.name for name, folder in folders.items() if folder is not None}
    window.remember(found.settings.root, found.window, found.contents, named)
    total = sum(summary.examples.values()) + summary.quarantined
    progress.report(
      f"{len(found.window.spans):,} spans: {total:,} records, {summary.quarantined:,} of them "
      "quarantined",
      records=total,
      quarantined=summary.quarantined,
    )

  def _folders(
    self, found: resolving.Resolved, exec_properties: dict[str, Any]
  ) -> dict[str, pathlib.Path | None]:
    """Returns by name what is kept of each span, which is read first if need be."""
    store = kept.Store(found.settings.root)
    spans = [span for span in found.window.spans if found.contents[span.name]]
    folders = self._read_new(found, store, spans, exec_properties)
    moves = store.moves()
    rule = _rule(next(iter(folders.values()), None), exec_properties)
    more = kept.merged(list(folders.values())).moves(rule).splits
    more = {key: split for key, split in more.items() if key not in moves}
    if more:
      store.add_moves(more)
      folders = self._read_new(found, store, spans, exec_properties)
    return {span.name: folders.get(span.name) for span in found.window.spans}

  def _read_new(
    self,
    found: resolving.Resolved,
    store: kept.Store,
    spans: list[Span],
    exec_properties: dict[str, Any],
  ) -> dict[str, pathlib.Path]:
    """Reads the spans that are not kept, or kept with other moves."""
    moves = store.moves()
    folders = {span.name: store.find(found.keys[span.name], moves) for span in spans}
    new = [span for span in spans if folders[span.name] is None]
    # All are planned before one is read.
    plans = {span.name: resolving.plan_of(span, exec_properties) for span in new}
    _require_same_splits(folders, plans)
    for number, span in enumerate(new, 1):
      progress.report(f"reading span {span.said} ({number:,} of {len(new):,} to read)")
      folders[span.name] = self._read_span(
        span, plans[span.name], found, store, moves, exec_properties
      )
    return {name: folder for name, folder in folders.items() if folder is not None}

  def _read_span(
    self,
    span: Span,
    plan: SourcePlan,
    found: resolving.Resolved,
    store: kept.Store,
    moves: Mapping[bytes, str],
    exec_properties: dict[str, Any],
  ) -> pathlib.Path:
    before = contents.state_of(span.path)
    key = found.keys[span.name]
    partial = store.partial(key)
    examples = partial / kept.EXAMPLES
    targets = executor.Targets(
      examples_uri=str(examples),
      split_uris={split: str(examples / f"Split-{split}") for split in SPLITS},
      quarantine_uri=str(partial / kept.QUARANTINE),
    )
    rule = SplitRule(
      given=tuple(plan.given_splits),
      val_fraction=exec_properties["val_fraction"],
      eval_fraction=exec_properties["eval_fraction"],
      moved=moves,
    )
    shards = len(plan.shards)
    labels = {o: v for o, v in found.new_labels.items() if span.has(o)}
    properties = {**exec_properties, "origin_prefix": span.prefix}
    self._read(plan, range(shards), rule, targets, properties, labels)
    if contents.state_of(span.path) != before:
      raise DlpipeError(
        f"The span {span.path} changed while it was read. What was read of it is not used. Run "
        "again when nothing writes to it any more."
      )
    reports = [executor.read_report(targets, number) for number in range(shards)]
    quarantine.collect(targets.quarantine_uri, reports, plan.recognition())
    draw = executor.merged_draw(targets, shards)
    (partial / kept.DRAW_FILE).write_text(json.dumps(draw.to_json()), encoding="utf-8")
    keys = b"".join(pathlib.Path(targets.keys_path(n)).read_bytes() for n in range(shards))
    (partial / kept.KEYS_FILE).write_bytes(keys)
    shutil.rmtree(targets.work_uri, ignore_errors=True)  # a table with a header alone has no shard
    classes: dict[str, int] = {}
    for report in reports:
      for label, count in report.classes.items():
        classes[label] = classes.get(label, 0) + count
    return store.put(
      partial,
      kept.KeptSpan(
        name=span.name,
        key=key,
        given_splits=tuple(plan.given_splits),
        moved=kept.of_keys(keys, moves),
        relabelled=tuple(origin for report in reports for origin in report.relabelled),
        classes=classes,
      ),
    )


def _rule(folder: pathlib.Path | None, exec_properties: Mapping[str, Any]) -> SplitRule:
  """Returns the rule that draws the window, whose spans define the same splits."""
  span = kept.read(folder) if folder is not None else None
  return SplitRule(
    given=span.given_splits if span is not None else (),
    val_fraction=exec_properties["val_fraction"],
    eval_fraction=exec_properties["eval_fraction"],
  )


def _require_same_splits(
  folders: Mapping[str, pathlib.Path | None], plans: Mapping[str, SourcePlan]
) -> None:
  given: dict[tuple[str, ...], str] = {}
  for name, folder in folders.items():
    span = kept.read(folder) if folder is not None else None
    splits = span.given_splits if span is not None else tuple(plans[name].given_splits)
    given.setdefault(tuple(sorted(splits)), name)
  if len(given) > 1:
    said = "; ".join(f"{name} has {', '.join(s) or 'none'}" for s, name in given.items())
    raise BadInputError(f"The spans do not define the same splits: {said}. Mend the data.")


def _require_known(
  found: resolving.Resolved, folders: list[pathlib.Path], exec_properties: Mapping[str, Any]
) -> None:
  """Checks `data.relabel` against the window; it may name records of other spans, too."""
  if not found.new_labels:
    return
  pattern = Pattern(exec_properties["data_path"])
  given = {
    origin: value
    for origin, value in found.new_labels.items()
    if not pattern.holds(origin) or any(span.has(origin) for span in found.window.spans)
  }
  spans = [span for span in map(kept.read, folders) if span is not None]
  relabel.require_known(
    exec_properties["relabel"],
    given,
    [origin for span in spans for origin in span.relabelled],
    {label for folder in folders for label in together.given_classes(folder)},
  )
