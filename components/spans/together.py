"""Puts the artifacts of a window together from what is kept of its spans.

Files of examples are linked, or copied where the file system has no links: a window costs what its
listing costs. Nothing is read into memory but counts and the rows of the quarantine, span by span.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from components.source_example_gen import quarantine, shard_writer
from components.source_example_gen.origins import path_beside
from components.source_example_gen.summary import REJECTED_FILE, SpanSeen, Summary
from components.spans import kept
from components.spans.pattern import Span
from components.spans.window import Window
from dlpipe.artifact_files import ArtifactFile
from dlpipe.records import SPLITS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts(ArtifactFile):
  """`spans.json` of the examples of a window.

  Attributes:
    root: the folder of kept spans.
    files: by folder in it, by split, the names of the files that came from there; the newest span
      is last.
    names: the span's name by folder.
  """

  FILE = "spans.json"

  root: str
  files: dict[str, dict[str, list[str]]] = dataclasses.field(default_factory=dict)
  names: dict[str, str] = dataclasses.field(default_factory=dict)


def examples(root: pathlib.Path, folders: Sequence[pathlib.Path], kept_root: str) -> Parts:
  """Links the examples of all spans into an artifact, with their origins.

  Args:
    root: the artifact.
    folders: those of the kept spans.
    kept_root: the folder of kept spans.

  Returns:
    What came from where, which is written beside.
  """
  spans = {folder.name: kept.read(folder) for folder in folders}
  names = {name: span.name for name, span in spans.items() if span is not None}
  found = Parts(root=kept_root, files={name: {} for name in spans}, names=names)
  for split in SPLITS:
    files = [
      (folder.name, path)
      for folder in folders
      for path in sorted((folder / kept.EXAMPLES / f"Split-{split}").glob("*.gz"))
    ]
    # Of a day there may be one file: neighbours in time are no neighbours in training.
    files.sort(key=lambda each: hashlib.sha256(f"{each[0]}/{each[1].name}".encode()).digest())
    target = root / f"Split-{split}"
    target.mkdir(parents=True, exist_ok=True)
    for number, (folder, path) in enumerate(files):
      named = target / shard_writer.file_name(number, len(files))
      _link(path, named)
      _link(pathlib.Path(path_beside(str(path))), pathlib.Path(path_beside(str(named))))
      found.files[folder].setdefault(split, []).append(named.name)
    if not files:
      # A reader that finds no file fails; an empty split is for DataGate to name.
      name = shard_writer.file_name(0, 1)
      shard_writer.ShardWriter(
        final_path=str(target / name), partial_path=str(root / "partial" / name)
      ).commit()
      shutil.rmtree(root / "partial")
  (root / Parts.FILE).write_text(found.to_text(), encoding="utf-8")
  return found


def rejected(
  root: pathlib.Path,
  window: Window,
  folders: Mapping[str, pathlib.Path | None],
  contents: Mapping[str, str],
) -> Summary:
  """Writes the quarantine of a window.

  Args:
    root: the artifact.
    window: the spans.
    folders: by the name of a span the folder of what is kept of it; None of an empty span.
    contents: by the name of a span the hash of its bytes.
  """
  root.mkdir(parents=True, exist_ok=True)
  summaries: list[Summary] = []
  seen: list[SpanSeen] = []
  rows: list[dict[str, Any]] = []
  budget = quarantine.KEPT_BYTES
  before: pathlib.Path | None = None
  for span in window.spans:
    folder = folders[span.name]
    summary = _summary(folder)
    repeated = kept.repeated(folder, before) if folder is not None and before is not None else 0.0
    seen.append(_seen(span, summary, contents[span.name], repeated))
    if folder is None:
      continue
    before = folder
    summaries.append(summary)
    own, budget = _rows(folder / kept.QUARANTINE, root, f"span{len(summaries):04d}", budget)
    rows += own
  seen += [SpanSeen(name=name, is_missing=True) for name in window.missing]
  relabelled = sum(summary.relabelled for summary in summaries)
  recognized = _recognized([summary.recognized for summary in summaries], relabelled)
  labels = {s: _sum([summary.labels.get(s, {}) for summary in summaries]) for s in SPLITS}
  found = Summary(
    examples={s: sum(each.examples.get(s, 0) for each in summaries) for s in SPLITS},
    quarantined=sum(summary.quarantined for summary in summaries),
    relabelled=relabelled,
    labels=labels,
    reasons=_sum([summary.reasons for summary in summaries], by_count=True),
    recognized=recognized,
    lost=quarantine.lost_classes(labels, recognized.get("classes") or {}, rows),
    spans=tuple(sorted(seen, key=lambda each: (len(each.name), each.name))),
  )
  (root / Summary.FILE).write_text(found.to_text(), encoding="utf-8")
  (root / REJECTED_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
  return found


def given_classes(folder: pathlib.Path) -> set[str]:
  """Returns the classes that the source gave in a span, without those of new labels."""
  span = kept.read(folder)
  if span is not None and span.classes:
    return set(span.classes)
  return {label for counts in _summary(folder).labels.values() for label in counts}


def _summary(folder: pathlib.Path | None) -> Summary:
  found = Summary.read(folder / kept.QUARANTINE) if folder is not None else None
  return found or Summary()


def _seen(span: Span, summary: Summary, content: str, repeated: float) -> SpanSeen:
  return SpanSeen(
    name=span.name,
    version=span.version,
    content=content[:16],
    repeated=round(repeated, 4),
    examples=dict(summary.examples),
    quarantined=summary.quarantined,
    labels=_sum(list(summary.labels.values())),
  )


def _rows(
  source: pathlib.Path, root: pathlib.Path, name: str, budget: int
) -> tuple[list[dict[str, Any]], int]:
  """Returns the rejected records of a span, whose copies are linked while `budget` bytes last."""
  rows = []
  for line in (source / REJECTED_FILE).read_text(encoding="utf-8").splitlines():
    row = json.loads(line)
    file = row.pop("file", None)
    if file is not None and (size := (source / file).stat().st_size) <= budget:
      row["file"] = f"{quarantine.FILES_DIR}/{name}-{os.path.basename(file)}"
      _link(source / file, root / row["file"])
      budget -= size
    rows.append(row)
  return rows, budget


def _recognized(found: Sequence[Mapping[str, Any]], relabelled: int) -> dict[str, Any]:
  """Returns how the newest span was read, with the classes and counts of all."""
  if not found:
    return {}
  newest = dict(found[-1])
  if newest:
    newest["classes"] = _sum([each.get("classes") or {} for each in found])
    newest["file_count"] = sum(each.get("file_count") or 0 for each in found)
    rows = [each.get("rows") for each in found]
    said = [each for each in newest.get("sentences", ()) if not quarantine.is_of_relabel(each)]
    newest["sentences"] = [*said, *quarantine.of_relabel(relabelled)]
    newest["rows"] = sum(rows) if all(count is not None for count in rows) else None
  return newest


def _sum(counts: Sequence[Mapping[str, int]], *, by_count: bool = False) -> dict[str, int]:
  total: collections.Counter[str] = collections.Counter()
  for count in counts:
    total.update(count)
  return dict(total.most_common() if by_count else sorted(total.items()))


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
  target.parent.mkdir(parents=True, exist_ok=True)
  try:
    os.link(source, target)
  except OSError:  # another file system, or one without links
    shutil.copyfile(source, target)
