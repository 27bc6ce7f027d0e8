"""Reads TFRecords of tf.Example with encoded pictures or square pixel vectors, and a label.

The options `image_feature` and `label_feature` name the features; otherwise they are found in the
first records. TensorFlow is imported when a file is read, not with this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.sources import input_paths, origins
from pipeline.sources.tfrecord import tfrecords
from pipeline.tasks.images.sources import example_features, headers, pictures, png

DESCRIPTION = "a TFRecord file, or a folder of them, of tf.Example with pictures and labels"

_LOOKED_AT = 100  # records, to find the features and the range of pixel values


matches = tfrecords.matches


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Finds the features in the first records.

  Raises:
    BadInputError: there is no TFRecord, none of its records holds a picture and a label, or a named
      feature is missing.
  """
  limit = pictures.max_pixels(options)
  files = tfrecords.files(path, expected=DESCRIPTION)
  layout = example_features.find_layout(
    tfrecords.first_records(files, _LOOKED_AT), options, source=os.path.abspath(path)
  )
  splits, given = tfrecords.splits(files)
  return SourcePlan(
    shards=[
      {"file": file, "split": split, **layout} for file, split in zip(files, splits, strict=True)
    ],
    fingerprint=input_paths.fingerprint(path, files, limit, sorted(layout.items())),
    given_splits=given,
    recognized=tfrecords.recognized(
      path, files, {"image": layout["image_feature"], "label": layout["label_feature"]}
    ),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the records of one file."""
  limit = pictures.max_pixels(options)
  name = input_paths.printable(os.path.basename(shard["file"]))
  for number, (data, fault) in enumerate(tfrecords.read_records(shard["file"])):
    origin = origins.of_record(name, number)
    if fault:
      yield Rejected(origin=origin, reason=fault)
      return
    try:
      image, label = example_features.image_and_label(data, shard)
    except ValueError as err:
      yield Rejected(origin=origin, reason=str(err), data=data)
      continue
    if isinstance(image, bytes):
      yield pictures.to_record(
        image, label=label, split=shard["split"], origin=origin, file=None, max_pixels=limit
      )
      continue
    side, channels = shard["side"], shard["channels"]
    yield pictures.record(
      png.encode(image.tobytes(), width=side, height=side, channels=channels),
      label=label,
      size_bucket=headers.Header(headers.PNG, side, side).size_bucket,
      split=shard["split"],
      origin=origin,
    )


def sizes(path: str, options: Mapping[str, Any], count: int) -> Iterator[tuple[int, int]]:
  """Yields width and height of the first `count` pictures, in pixels."""
  files = tfrecords.files(path, expected=DESCRIPTION)
  records = tfrecords.first_records(files, count)
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
