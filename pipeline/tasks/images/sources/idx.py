"""Reads MNIST's idx files: `<prefix>-images-idx3-ubyte` with `<prefix>-labels-idx1-ubyte`.

The files may be gzipped. A pair whose prefix is or ends with `train` is the train split, one with
`t10k` or `test` the eval split; for other prefixes the split is drawn. A `labels.txt` beside them
names the classes, one a line. Source of the format: yann.lecun.com/exdb/mnist.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import gzip
import math
import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized
from dlpipe.records import SPLITS, Record, Rejected, SourcePlan, is_part
from pipeline.sources import class_counts, given_splits, input_paths, origins
from pipeline.sources.labels import label_text
from pipeline.tasks.images.sources import headers, pictures, png

DESCRIPTION = "a folder with MNIST-style idx files, *-images-idx3-ubyte and *-labels-idx1-ubyte"

_NAME = re.compile(r"(?P<prefix>.*?)-?(?P<what>images|labels)[-.]idx[13]-ubyte(\.gz)?$")
_NAMES_FILE = "labels.txt"
_MAGIC = {"images": 0x00000803, "labels": 0x00000801}
_SHARD_RECORDS = 20_000
_SHARD_BYTES = 16 << 20  # a shard decompresses its file up to its range, so there are few shards


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pair:
  images: str
  labels: str
  count: int
  height: int
  width: int
  split: str | None


def matches(path: str) -> bool:
  """Returns whether the path is a folder with a file of idx pictures."""
  try:
    return os.path.isdir(path) and any(
      (m := _NAME.match(e.name)) and m["what"] == "images" for e in input_paths.entries(path)
    )
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Reads the files' headers.

  Raises:
    BadInputError: a file of a pair is missing or damaged, the counts of a pair differ, two labels
      have one name, or there are fewer than two classes with two pictures.
  """
  limit = pictures.max_pixels(options)
  pairs = _pairs(path)
  names = _label_names(path)
  for pair in pairs:
    if pair.height * pair.width > limit:
      raise BadInputError(
        f"The pictures of {pair.images!r} have {pair.height} x {pair.width} pixels, more than "
        f"data.max_pixels = {limit}."
      )
  classes = _classes(pairs, names)
  if not is_part():
    class_counts.require_counts(
      {label: count for label, count in classes.items() if count},
      None,
      source=os.path.abspath(path),
      advice="Add pictures of another class.",
    )
  shards = []
  for pair in pairs:
    step = max(1, min(_SHARD_RECORDS, _SHARD_BYTES // (pair.height * pair.width)))
    for start in range(0, pair.count, step):
      shard = dataclasses.asdict(pair)
      shard.update(start=start, stop=min(start + step, pair.count), names=names)
      shards.append(shard)
  files = [file for pair in pairs for file in (pair.images, pair.labels)]
  known = [*files, os.path.join(os.path.abspath(path), _NAMES_FILE)] if names else files
  return SourcePlan(
    shards=shards,
    fingerprint=input_paths.fingerprint(path, files, names),
    given_splits=tuple(s for s in SPLITS if any(pair.split == s for pair in pairs)),
    recognized=Recognized(
      layout="idx",
      fields={
        "image": "the -images- files",
        "label": f"the -labels- files, named by {_NAMES_FILE}" if names else "the -labels- files",
      },
      files=[input_paths.printable(os.path.basename(file)) for file in files],
      file_count=len(files),
      rows=sum(pair.count for pair in pairs),
      classes=classes,
      unread=input_paths.unread(path, known, "not a file of these pairs"),
    ),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads one range of one pair; encodes the pictures as PNG."""
  del options
  height, width, start, stop = (shard[k] for k in ("height", "width", "start", "stop"))
  size = height * width
  name = input_paths.printable(os.path.basename(shard["images"]))
  try:
    labels = _slice(shard["labels"], 8 + start, stop - start)
    pixels = _slice(shard["images"], 16 + start * size, (stop - start) * size)
  except (OSError, EOFError, zlib.error) as err:
    for row in range(start, stop):
      yield Rejected(origin=origins.of_record(name, row), reason=f"the file is damaged: {err}")
    return
  bucket = headers.Header(headers.PNG, width, height).size_bucket
  names = shard["names"]
  for row in range(stop - start):
    picture = pixels[row * size : (row + 1) * size]
    where = origins.of_record(name, start + row)
    if len(picture) < size or row >= len(labels):
      yield Rejected(origin=where, reason="the file is cut off before this record")
    elif names and labels[row] >= len(names):
      yield Rejected(origin=where, reason=f"labels.txt has no line for label {labels[row]}")
    else:
      yield pictures.record(
        png.encode(picture, width=width, height=height, channels=1),
        label=names[labels[row]] if names else str(labels[row]),
        size_bucket=bucket,
        split=shard["split"],
        origin=where,
      )


def sizes(path: str, options: Mapping[str, Any], count: int) -> Iterator[tuple[int, int]]:
  """Yields width and height of the pictures in pixels, once for each pair."""
  del options, count
  for pair in _pairs(path):
    yield pair.width, pair.height


def _pairs(path: str) -> list[_Pair]:
  input_paths.require(path, expected=DESCRIPTION)
  if not os.path.isdir(path):
    raise BadInputError(f"Expected {DESCRIPTION}. {path!r} is a file; give its folder.")
  found: dict[str, dict[str, str]] = {}
  for entry in input_paths.entries(path):
    match = _NAME.match(entry.name)
    if match:
      files = found.setdefault(match["prefix"], {})
      # A decompressed file is often beside its archive; the pair must not count twice.
      files.setdefault(match["what"], os.path.abspath(entry.path))
  if not found:
    raise BadInputError(f"Expected {DESCRIPTION}. Found none in {path!r}.")
  prefixes = sorted(found)
  splits = given_splits.of_names([prefix.lower().replace("t10k", "test") for prefix in prefixes])
  settled = given_splits.settle(splits)
  return [
    _pair(prefix, found[prefix], path, settled[split] if split else None)
    for prefix, split in zip(prefixes, splits, strict=True)
  ]


def _pair(prefix: str, files: Mapping[str, str], path: str, split: str | None) -> _Pair:
  for what in ("images", "labels"):
    if what not in files:
      raise BadInputError(
        f"Expected the files of pictures and of labels for {prefix!r} in {path!r}. The {what} are "
        f"missing: {prefix}-{what}-idx{3 if what == 'images' else 1}-ubyte or the same with .gz."
      )
  count, height, width = _header(files["images"], "images")
  (labels,) = _header(files["labels"], "labels")
  if count != labels:
    raise BadInputError(
      f"Expected as many labels as pictures. {files['images']!r} holds {count} pictures, "
      f"{files['labels']!r} {labels} labels; fetch the pair again."
    )
  if not height or not width:
    raise BadInputError(f"The pictures of {files['images']!r} have no pixels: {height} x {width}.")
  return _Pair(
    images=files["images"],
    labels=files["labels"],
    count=count,
    height=height,
    width=width,
    split=split,
  )


def _header(file: str, what: str) -> tuple[int, ...]:
  fields = 4 if what == "images" else 2
  try:
    data = _slice(file, 0, 4 * fields)
  except (OSError, EOFError, zlib.error) as err:
    raise BadInputError(f"The idx file {file!r} cannot be read: {err}. Fetch it again.") from err
  if len(data) < 4 * fields or int.from_bytes(data[:4], "big") != _MAGIC[what]:
    raise BadInputError(
      f"Expected idx {what} in {file!r}, starting with the bytes {_MAGIC[what]:08x}. Received: "
      f"{data[:4].hex() or 'nothing'}; fetch the file again."
    )
  return struct.unpack(f">{fields - 1}I", data[4:])


def _slice(file: str, start: int, length: int) -> bytes:
  with (gzip.open if file.endswith(".gz") else open)(file, "rb") as f:
    f.seek(start)
    return f.read(length)


def _classes(pairs: Sequence[_Pair], names: Sequence[str]) -> dict[str, int]:
  """Maps every class in the labels or `labels.txt` to its number of pictures."""
  counts: collections.Counter[int] = collections.Counter()
  for pair in pairs:
    with contextlib.suppress(OSError, EOFError, zlib.error):  # `read` rejects its rows
      counts.update(_slice(pair.labels, 8, pair.count))
  if not names:
    return {str(label): counts[label] for label in sorted(counts)}
  classes = dict.fromkeys(names, 0)
  for label, count in counts.items():
    if label < len(names):
      classes[names[label]] += count
  return classes


def _label_names(path: str) -> list[str]:
  file = os.path.join(path, _NAMES_FILE)
  if not os.path.isfile(file):
    return []
  try:
    with open(file, encoding="utf-8-sig") as f:
      lines = f.read().rstrip().split("\n")
  except (OSError, UnicodeDecodeError) as err:
    raise BadInputError(f"Expected one class name a line in {file!r}. Received: {err}") from err
  names = [_label_name(line, number, file) for number, line in enumerate(lines, 1)]
  for number, name in enumerate(names):
    if name in names[:number]:
      raise BadInputError(
        f"Expected another name in each line of {file!r}. Lines {names.index(name) + 1} and "
        f"{number + 1} are both {name!r}, so two classes would become one; rename one of them."
      )
  return names


def _label_name(line: str, number: int, file: str) -> str:
  try:
    return label_text(line)
  except ValueError as err:
    raise BadInputError(
      f"Expected one class name a line in {file!r}. Received in line {number}: {err}"
    ) from err


def square_side(pixels: int) -> tuple[int, int] | None:
  """Returns side and channels of the square picture with so many values; None if there is none.

  >>> square_side(784), square_side(3072), square_side(7)
  ((28, 1), (32, 3), None)
  """
  for channels in (1, 3):
    side = math.isqrt(pixels // channels)
    if side and side * side * channels == pixels:
      return side, channels
  return None
