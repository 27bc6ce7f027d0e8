"""TFRecords of tf.Example: encoded pictures or square pixel vectors, with a label.

The features are named by the options `image_feature` and `label_feature`, or found in the first
records. TensorFlow is imported when a file is read, never with this module.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.errors import BadInputError
from components.records import Record, Rejected, SourcePlan
from pipeline.sources import input_paths
from pipeline.tasks.images.sources import example_features, headers, pictures, png

DESCRIPTION = "a TFRecord file, or a folder of them, of tf.Example with pictures and labels"

_SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec", ".tfrecord.gz", ".tfrecords.gz")
_LOOKED_AT = 100  # records, to find the features and the range of pixel values


def matches(path: str) -> bool:
  """Whether the path is a TFRecord file or a folder that holds one."""
  try:
    return bool(_files(path))
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Finds the features in the first records.

  Raises:
    BadInputError: there is no TFRecord, none of its records holds a picture and a label, or a named
      feature is missing.
  """
  limit = pictures.max_pixels(options)
  files = _require_files(path)
  layout = example_features.find_layout(
    _examples(files, _LOOKED_AT), options, source=os.path.abspath(path)
  )
  return SourcePlan(
    shards=[{"file": file, **layout} for file in files],
    fingerprint=input_paths.fingerprint(path, files, limit, sorted(layout.items())),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the records of one file."""
  limit = pictures.max_pixels(options)
  name = os.path.basename(shard["file"])
  for number, (data, fault) in enumerate(_records(shard["file"])):
    origin = f"{name}[{number}]"
    if fault:
      yield Rejected(origin=origin, reason=f"the file is damaged from here on: {fault}")
      return
    try:
      image, label = example_features.image_and_label(data, shard)
    except ValueError as err:
      yield Rejected(origin=origin, reason=str(err), data=data)
      continue
    if isinstance(image, bytes):
      yield pictures.to_record(
        image, label=label, split=None, origin=origin, file=None, max_pixels=limit
      )
      continue
    side, channels = shard["side"], shard["channels"]
    yield pictures.record(
      png.encode(image.tobytes(), width=side, height=side, channels=channels),
      label=label,
      size_bucket=headers.Header(headers.PNG, side, side).size_bucket,
      split=None,
      origin=origin,
    )


def sizes(path: str, options: Mapping[str, Any], count: int) -> Iterator[tuple[int, int]]:
  """Width and height of the first `count` pictures, in pixels."""
  files = _require_files(path)
  records = _examples(files, count)
  layout = example_features.find_layout(records[:_LOOKED_AT], options, source=path)
  if "side" in layout:
    yield layout["side"], layout["side"]
    return
  for data in records:
    try:
      image, _ = example_features.image_and_label(data, layout)
    except ValueError:
      continue
    header = headers.read_header(image) if isinstance(image, bytes) else None
    if header:
      yield header.width, header.height


def _files(path: str) -> list[str]:
  if os.path.isdir(path):
    return [
      os.path.abspath(e.path)
      for e in input_paths.entries(path)
      if e.is_file() and _is_tfrecord(e.path)
    ]
  return [os.path.abspath(path)] if os.path.isfile(path) and _is_tfrecord(path) else []


def _require_files(path: str) -> list[str]:
  input_paths.require(path, expected=DESCRIPTION)
  files = _files(path)
  if not files:
    raise BadInputError(f"Expected {DESCRIPTION}. Found none at {path!r}.")
  return files


def _is_tfrecord(path: str) -> bool:
  """Whether the name says so, or the first record is framed as in a TFRecord."""
  if path.lower().endswith(_SUFFIXES):
    return True
  try:
    with open(path, "rb") as f:
      start = f.read(12)
  except OSError:
    return False
  # A record starts with its length, 8 bytes, and the length's masked CRC-32C.
  return len(start) == 12 and struct.unpack("<I", start[8:])[0] == _masked_crc(start[:8])


def _masked_crc(data: bytes) -> int:
  crc = 0xFFFFFFFF
  for byte in data:
    crc ^= byte
    for _ in range(8):
      crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
  crc ^= 0xFFFFFFFF
  return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _records(file: str) -> Iterator[tuple[bytes, str | None]]:
  """Each record's bytes; last of all, where the file is damaged, the fault."""
  import tensorflow as tf

  with open(file, "rb") as f:
    compression = "GZIP" if f.read(2) == b"\x1f\x8b" else ""
  records = iter(tf.data.TFRecordDataset(file, compression_type=compression))
  while True:
    try:
      yield next(records).numpy(), None
    except StopIteration:
      return
    except tf.errors.OpError as err:
      yield b"", pictures.words_of(err)
      return


def _examples(files: Sequence[str], count: int) -> list[bytes]:
  found: list[bytes] = []
  for file in files:
    for data, fault in _records(file):
      if len(found) >= count:
        return found
      if not fault:
        found.append(data)
  return found
