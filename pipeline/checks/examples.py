"""Reads the examples of a run for the data check: every split, always in the same order."""

from __future__ import annotations

import gzip
import pathlib
from collections.abc import Iterator, Sequence

from tensorflow.core.example import example_pb2, feature_pb2

from dlpipe.records import SPLITS
from pipeline.checks.description import Row, label_bytes

# A TFRecord: the record's length in 8 bytes, its checksum in 4; the record, its checksum in 4. The
# checksums are not read, because gzip has its own.
_COUNT_BYTES, _CHECKSUM_BYTES = 8, 4


def read_examples(directory: pathlib.Path, *, input_key: str, label_key: str) -> Iterator[Row]:
  """Yields the rows of an `Examples` artifact.

  Args:
    directory: the artifact's directory, with a folder `Split-<name>` for each split.
    input_key: the raw feature that a caller sends.
    label_key: the raw feature to predict; if a row has no value, its label is empty.
  """
  for split in SPLITS:
    for path in sorted((directory / f"Split-{split}").glob("*.gz")):
      for serialized in _records(path):
        features = example_pb2.Example.FromString(serialized).features.feature
        yield Row(split, _first(features[input_key]), label_bytes(_values(features[label_key])))


def _records(path: pathlib.Path) -> Iterator[bytes]:
  # tf.data is ten times slower at yielding single records.
  with gzip.open(path) as file:
    while head := file.read(_COUNT_BYTES + _CHECKSUM_BYTES):
      yield file.read(int.from_bytes(head[:_COUNT_BYTES], "little"))
      file.read(_CHECKSUM_BYTES)


def _first(feature: feature_pb2.Feature) -> bytes:
  return label_bytes(_values(feature)[:1])


def _values(feature: feature_pb2.Feature) -> Sequence[bytes | int | float]:
  kind = feature.WhichOneof("kind")
  return getattr(feature, kind).value if kind else ()
