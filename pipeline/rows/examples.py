"""Reads the examples of a run with their origins, always in the same order."""

from __future__ import annotations

import gzip
import itertools
import pathlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from tensorflow.core.example import example_pb2, feature_pb2

from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from dlpipe.records import SPLITS

Value = bytes | int | float

# A TFRecord: the record's length in 8 bytes, its checksum in 4; the record, its checksum in 4. The
# checksums are not read, because gzip has its own.
_COUNT_BYTES, _CHECKSUM_BYTES = 8, 4
_UNKNOWN = Origin("")


class RawExample(NamedTuple):
  """One example: its split, the serialized tf.Example, where it came from, its row in its file."""

  split: str
  serialized: bytes
  origin: Origin
  row_of_file: int = 0

  def values(self, *keys: str) -> list[Sequence[Value]]:
    """Returns the values of raw features; empty for one that the example lacks."""
    features = example_pb2.Example.FromString(self.serialized).features.feature
    return [_values(features[key]) if key in features else () for key in keys]


def read_examples(
  directory: pathlib.Path,
  splits: Sequence[str] = SPLITS,
  *,
  most_of_file: int | None = None,
  files: Collection[str] | None = None,
) -> Iterator[RawExample]:
  """Yields the examples of an `Examples` artifact.

  Args:
    directory: the artifact's directory, with a folder `Split-<name>` for each split.
    splits: the splits to read.
    most_of_file: how many to read of each file at most: the first ones, which are in the order of a
      hash; None for all.
    files: names of the files to read of a split; None for all.

  Yields:
    The examples. The origin is empty if `SourceExampleGen` did not write the artifact.
  """
  for split in splits:
    for path in sorted((directory / f"Split-{split}").glob("*.gz")):
      if files is not None and path.name not in files:
        continue
      beside = origins.path_beside(str(path))
      named = pathlib.Path(beside).exists()
      names = origins.read(beside) if named else itertools.repeat(_UNKNOWN)
      rows = zip(_records(path), names, strict=named)
      for number, (serialized, origin) in enumerate(itertools.islice(rows, most_of_file)):
        yield RawExample(split, serialized, origin, number)


def read_some(directory: pathlib.Path, split: str, count: int) -> Iterator[RawExample]:
  """Yields at most `count` rows of a split, the same ones each time: the first of each file.

  Files are in the order of a hash, so they are a random part of the split.
  """
  most = most_of_file(directory, split, count)
  return itertools.islice(read_examples(directory, (split,), most_of_file=most), count)


def most_of_file(directory: pathlib.Path, split: str, count: int) -> int:
  """Returns how many rows of each file `read_some` reads."""
  files = len(list((directory / f"Split-{split}").glob("*.gz"))) or 1
  return -(-count // files)


def batches(examples: Iterable[RawExample], size: int) -> Iterator[list[RawExample]]:
  """Yields the examples in lists of `size`; the last may be shorter."""
  rows = iter(examples)
  while batch := list(itertools.islice(rows, size)):
    yield batch


def first_bytes(values: Sequence[Value]) -> bytes:
  """Returns the first value of a feature of bytes; empty for another or without any."""
  return values[0] if len(values) and isinstance(values[0], bytes) else b""


def _records(path: pathlib.Path) -> Iterator[bytes]:
  # tf.data is ten times slower at yielding single records.
  with gzip.open(path) as file:
    while head := file.read(_COUNT_BYTES + _CHECKSUM_BYTES):
      yield file.read(int.from_bytes(head[:_COUNT_BYTES], "little"))
      file.read(_CHECKSUM_BYTES)


def _values(feature: feature_pb2.Feature) -> Sequence[Value]:
  kind = feature.WhichOneof("kind")
  return getattr(feature, kind).value if kind else ()
