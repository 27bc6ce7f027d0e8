"""Writes one shard's examples, one file for each split, as TFX's ExampleGens name and pack them.

Beside each file stand the origins of its examples (`origins`). A file is written aside and renamed
when complete; its name depends on nothing but the shard, so a
Beam worker that repeats a shard replaces the same file.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping

import tensorflow as tf
from tfx.dsl.io import fileio

from components.source_example_gen import origins
from dlpipe.records import FeatureValue

# Examples are held back to this size and written in the order of their content keys: neighbours in
# the input, such as the pictures of one class, are no neighbours in the file.
_BUFFER_BYTES = 32 << 20
_PROBE_BYTES = 64 << 10
_WORTH_COMPRESSING = 0.95


def file_name(shard: int, shards: int) -> str:
  """Returns the name of a shard's file inside a split's directory."""
  return f"data_tfrecord-{shard:05d}-of-{shards:05d}.gz"


class ShardWriter:
  """One split's file of one shard.

  Args:
    final_path: the path of the complete file.
    partial_path: the path while it is written, on the same file system and outside of any split.
  """

  def __init__(self, *, final_path: str, partial_path: str):
    self._final_path = final_path
    self._partial_path = partial_path
    self._buffer: list[tuple[bytes, bytes, str]] = []
    self._origins: list[str] = []
    self._buffered = 0
    self._file: tf.io.TFRecordWriter | None = None

  def add(self, key: bytes, example: bytes, origin: origins.Origin) -> None:
    """Takes a serialised example, the key that orders it, and where it came from."""
    self._buffer.append((key, example, origins.line(origin)))
    self._buffered += len(example)
    if self._buffered >= _BUFFER_BYTES:
      self._flush()

  def commit(self) -> None:
    """Makes the file and that of its origins appear under their names."""
    self._flush().close()
    aside = f"{self._partial_path}.origins"
    origins.write(aside, self._origins)
    named = origins.path_beside(self._final_path)
    fileio.makedirs(os.path.dirname(named))
    fileio.rename(aside, named, overwrite=True)
    fileio.makedirs(os.path.dirname(self._final_path))
    fileio.rename(self._partial_path, self._final_path, overwrite=True)

  def _flush(self) -> tf.io.TFRecordWriter:
    self._buffer.sort()
    file = self._file or open_writer(
      self._partial_path, [example for _, example, _ in self._buffer]
    )
    for _, example, origin in self._buffer:
      file.write(example)
      self._origins.append(origin)
    self._buffer.clear()
    self._buffered = 0
    self._file = file
    return file


def open_writer(path: str, probe: list[bytes]) -> tf.io.TFRecordWriter:
  """Returns a writer of gzipped TFRecords, which every TFX component reads.

  JPEGs and PNGs do not get smaller: where a probe shows that, gzip only stores, which is five times
  as fast as its quickest compression.
  """
  sample = b"".join(probe[:100])[:_PROBE_BYTES]
  smaller = len(zlib.compress(sample, 1)) < _WORTH_COMPRESSING * len(sample)
  fileio.makedirs(os.path.dirname(path))
  return tf.io.TFRecordWriter(
    path, tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1 if smaller else 0)
  )


def serialize(features: Mapping[str, FeatureValue]) -> bytes:
  """Returns the tf.Example of a record's features; str as UTF-8, bool and int as int64."""
  example = tf.train.Example()
  target = example.features.feature
  for name, value in features.items():
    values = value if isinstance(value, (list, tuple)) else (value,)
    feature = target[name]
    if not values:
      continue
    if isinstance(values[0], bytes):
      feature.bytes_list.value.extend(values)
    elif isinstance(values[0], str):
      feature.bytes_list.value.extend(v.encode("utf-8") for v in values)
    elif isinstance(values[0], int):
      feature.int64_list.value.extend(values)
    else:
      feature.float_list.value.extend(values)
  return example.SerializeToString(deterministic=True)
