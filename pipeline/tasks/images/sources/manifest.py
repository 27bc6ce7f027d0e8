"""Reads a table that names a picture and its label in each row; paths are relative to the table.

The options `path_column`, `label_column` and `split_column` name the columns; `separator` and
`header` set the dialect of a CSV or TSV.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized
from dlpipe.records import FeatureValue, Record, Rejected, SourcePlan, class_names
from pipeline.problem import Problem
from pipeline.problems import classes
from pipeline.sources import input_paths, origins, sharding, tables
from pipeline.sources.text_files import text_tables
from pipeline.tasks.images.sources import headers, picture_paths, pictures

DESCRIPTION = "a CSV, TSV, JSONL or Parquet file with the columns path and label"

USUAL_NAMES = {
  "path": ("file", "filename", "file_name", "filepath", "image", "image_path"),
  "label": ("class", "category", "target"),
}
_SHARD_REJECTED = 1000

_Picture = tuple[str, FeatureValue, "str | None", str]


class _Manifest(NamedTuple):
  """The content of a table of pictures.

  Attributes:
    columns: the columns that are read.
    files: the table's files.
    root: the folder to which paths are relative.
    pictures: path, label, split and origin of each usable row; the problem reads the label.
    rejected: the other rows, with their reasons.
    labels: class to number of rows, usable or not.
    given: the splits that the table defines.
  """

  columns: text_tables.Columns
  files: list[str]
  root: str
  pictures: list[_Picture]
  rejected: list[Rejected]
  labels: Mapping[str, int]
  given: tuple[str, ...]


def matches(path: str) -> bool:
  """Returns whether the path is a table, or a folder with tables that have the usual columns."""
  return tables.matches(path) if os.path.isfile(path) else bool(_usual_tables(path))


def plan(path: str, options: Mapping[str, Any], problem: Problem = classes.PROBLEM) -> SourcePlan:
  """Reads the table and cuts it into shards; does not read the pictures.

  Args:
    path: the table, or its folder.
    options: the data options.
    problem: the kind of answer; a task with another kind calls this function in its own `plan`.

  Raises:
    BadInputError: the table or a column is missing, a split is unknown, nothing can be learnt from
      the labels, or none of the pictures exists.
  """
  limit = pictures.max_pixels(options)
  manifest = _read(path, options, lambda cell: problem.read_label(cell, options))
  found, root = manifest.pictures, manifest.root
  problem.require(
    (*manifest.rejected, *(label for _, label, _, _ in found)),
    source=manifest.files[0],
    advice="Add rows, or name the right columns with --set data.path_column=... and --set "
    "data.label_column=...",
    options=options,
  )
  if not any(os.path.lexists(os.path.join(root, name)) for name, _, _, _ in found):
    raise BadInputError(
      f"Expected pictures at the paths in {manifest.files[0]!r}, relative to {root!r}. The first, "
      f"{found[0][3]}, does not exist, nor does any other. Move the table, or write other paths."
    )
  shards: list[dict[str, Any]] = [
    {"root": root, "files": files} for files in sharding.split_files(found, root)
  ]
  for start in range(0, len(manifest.rejected), _SHARD_REJECTED):
    rejected = manifest.rejected[start : start + _SHARD_REJECTED]
    shards.append({"root": root, "files": [], "rejected": [_to_json(r) for r in rejected]})
  columns = manifest.columns
  return SourcePlan(
    shards=shards,
    fingerprint=input_paths.fingerprint(
      root,
      [*manifest.files, *(os.path.join(root, name) for name, _, _, _ in found)],
      limit,
      *columns.facts,
      *(options.get(name) for name in problem.options),
    ),
    given_splits=manifest.given,
    recognized=Recognized(
      layout="manifest",
      fields=columns.fields,
      files=[input_paths.printable(os.path.basename(file)) for file in manifest.files],
      file_count=len(manifest.files),
      rows=len(found) + len(manifest.rejected),
      classes=manifest.labels,
      unread=text_tables.unread(manifest.files[0], columns),
    ),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the pictures of one shard."""
  limit = pictures.max_pixels(options)
  for name, label, split, origin in shard["files"]:
    file = os.path.join(shard["root"], name)
    yield pictures.read_file(file, label=label, split=split, origin=origin, max_pixels=limit)
  for rejected in shard.get("rejected", ()):
    data = rejected["data"]
    yield Rejected(**{**rejected, "data": data and data.encode("latin-1")})


def sizes(path: str, options: Mapping[str, Any], count: int) -> Iterator[tuple[int, int]]:
  """Yields width and height of up to `count` pictures, in pixels."""
  manifest = _read(path, options, lambda cell: "")
  for name, _, _, _ in input_paths.spread(manifest.pictures, count):
    yield from headers.size_of_file(os.path.join(manifest.root, name))


def _read(
  path: str, options: Mapping[str, Any], read_label: Callable[[Any], FeatureValue]
) -> _Manifest:
  input_paths.require(path, expected=DESCRIPTION)
  path = os.path.abspath(path)
  root = path if os.path.isdir(path) else os.path.dirname(path)
  usual = [] if os.path.isfile(path) else _usual_tables(path)
  table = usual[0] if len(usual) == 1 else path
  columns = text_tables.find_columns(table, options, USUAL_NAMES)
  shards, given = text_tables.plan_table(table, columns)
  found: list[_Picture] = []
  rejected: list[Rejected] = []
  labels: collections.Counter[str] = collections.Counter()
  for shard in shards:
    for row in text_tables.read_table(shard):
      if isinstance(row, Rejected):
        rejected.append(row)
        continue
      picture = _picture(row, columns, root, labels, read_label)
      if isinstance(picture, Rejected):
        rejected.append(picture)
      else:
        found.append(picture)
  files = tables.files(table, columns.dialect)
  return _Manifest(columns, files, root, found, rejected, labels, given)


def _picture(
  found: text_tables.SplitRow,
  columns: text_tables.Columns,
  root: str,
  labels: collections.Counter[str],
  read_label: Callable[[Any], FeatureValue],
) -> _Picture | Rejected:
  """Returns path, label, split and origin of a picture, or the rejected row; counts labels."""
  values, origin = found.row.values, found.row.origin
  label: FeatureValue = ""
  name, reasons = None, []
  try:
    label = read_label(values.get(columns.names["label"]))
    labels.update(class_names(label))
  except ValueError as err:
    reasons.append(str(err))
  try:
    written = picture_paths.written_path(values.get(columns.names["path"]))
    origin = origins.of_named_file(origin, written)
    name = picture_paths.find(root, written)
  except ValueError as err:
    reasons.insert(0, str(err))
  if name and not reasons:
    return name, label, found.split, origin
  file = name and os.path.join(root, name)
  return Rejected(
    origin=origin,
    reason=reasons[0],
    data=None if file else found.data,
    file=file,
    label=label or None,
  )


def _usual_tables(folder: str) -> list[str]:
  """Returns the tables of a folder, if they are of one kind and all have the usual columns."""
  try:
    by_kind = collections.defaultdict(list)
    for entry in input_paths.entries(folder):
      kind = tables.kind_of(entry.name)
      if kind and entry.is_file():
        by_kind[kind].append(entry.path)
    usual = [files for files in by_kind.values() if all(map(_has_usual_columns, files))]
  except BadInputError:
    return []
  is_only = len(by_kind) == 1
  return usual[0] if len(usual) == 1 and (is_only or len(usual[0]) == 1) else []


def _has_usual_columns(file: str) -> bool:
  try:
    return set(USUAL_NAMES) <= set(tables.columns(file))
  except BadInputError:
    return False


def _to_json(rejected: Rejected) -> dict[str, Any]:
  """Converts a `Rejected` to JSON for `read`; latin-1 stores any bytes."""
  data = rejected.data
  return {**dataclasses.asdict(rejected), "data": data and data.decode("latin-1")}
