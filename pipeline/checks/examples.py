"""Reads the examples of a run for the data check: every split, in an order that stays the same."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from components.records import SPLITS


class Row(NamedTuple):
  """One example: its split, the raw input, and the raw label as text or bytes."""

  split: str
  value: bytes
  label: bytes


def read_examples(directory: pathlib.Path, *, input_key: str, label_key: str) -> Iterator[Row]:
  """Yields the rows of an `Examples` artifact.

  Args:
    directory: the artifact's, with a folder `Split-<name>` for each split.
    input_key: the raw feature that a caller sends.
    label_key: the raw feature to predict; without a value in a row its label is empty.
  """
  for split in SPLITS:
    paths = sorted(str(path) for path in (directory / f"Split-{split}").glob("*.gz"))
    if not paths:
      continue
    for serialized in tf.data.TFRecordDataset(paths, compression_type="GZIP").as_numpy_iterator():
      features = tf.train.Example.FromString(serialized).features.feature
      yield Row(split, _first(features[input_key]), _first(features[label_key]))


def _first(feature: tf.train.Feature) -> bytes:
  kind = feature.WhichOneof("kind")
  values = getattr(feature, kind).value if kind else ()
  if not values:
    return b""
  return values[0] if kind == "bytes_list" else f"{values[0]:g}".encode()
