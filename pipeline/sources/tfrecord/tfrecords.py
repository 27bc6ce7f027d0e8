"""Finds TFRecord files and reads their records. TensorFlow is imported when a file is read."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized
from pipeline.sources import given_splits, input_paths
from pipeline.sources.class_counts import names
from pipeline.sources.tfrecord.op_errors import words_of

_SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec", ".tfrecord.gz", ".tfrecords.gz")


def matches(path: str) -> bool:
  """Returns whether the path is a TFRecord file or a folder that holds one."""
  try:
    return bool(_find(path))
  except BadInputError:
    return False


def files(path: str, *, expected: str) -> list[str]:
  """Returns the absolute paths of the TFRecord files at a path.

  Raises:
    BadInputError: there are none.
  """
  input_paths.require(path, expected=expected)
  found = _find(path)
  if not found:
    raise BadInputError(f"Expected {expected}. Found none at {path!r}.")
  return found


def splits(files: Sequence[str]) -> tuple[list[str | None], tuple[str, ...]]:
  """Returns the split of each file, and those that the input defines, by the names of the files.

  Raises:
    BadInputError: some names give a split and others do not.
  """
  bases = [os.path.basename(file) for file in files]
  found = given_splits.of_names(bases)
  others = [base for base, split in zip(bases, found, strict=True) if split is None]
  if len(others) not in (0, len(files)):
    raise BadInputError(
      f"Beside the TFRecords of train in {os.path.dirname(files[0])!r} lie files of no split: "
      f"{names(others)}. Call them train, val or test as the others are, or move them away."
    )
  settled = given_splits.settle(found)
  return [settled[split] if split else None for split in found], given_splits.given(settled)


def recognized(path: str, files: Sequence[str], fields: Mapping[str, str]) -> Recognized:
  """Returns the `Recognized` of TFRecord files, with the unread content beside them.

  Args:
    path: the input.
    files: the TFRecord files that are read, absolute.
    fields: part of an example to the feature that holds it.
  """
  return Recognized(
    layout="tfrecord",
    fields={name: f"feature {feature!r}" for name, feature in fields.items()},
    files=[input_paths.printable(os.path.basename(file)) for file in files],
    file_count=len(files),
    unread=input_paths.unread(path, files, "no TFRecord"),
  )


def read_records(file: str) -> Iterator[tuple[bytes, str | None]]:
  """Yields each record's bytes; if the file is damaged, the last item holds the fault."""
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
      yield b"", f"the file is damaged from here on: {words_of(err)}"
      return


def first_records(files: Sequence[str], count: int) -> list[bytes]:
  """Reads up to `count` records of the files."""
  found: list[bytes] = []
  for file in files:
    for data, fault in read_records(file):
      if len(found) >= count:
        return found
      if not fault:
        found.append(data)
  return found


def _find(path: str) -> list[str]:
  if os.path.isdir(path):
    return [
      os.path.abspath(e.path)
      for e in input_paths.entries(path)
      if e.is_file() and _is_tfrecord(e.path)
    ]
  return [os.path.abspath(path)] if os.path.isfile(path) and _is_tfrecord(path) else []


def _is_tfrecord(path: str) -> bool:
  """Returns whether the name or the framing of the first record is that of a TFRecord."""
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
