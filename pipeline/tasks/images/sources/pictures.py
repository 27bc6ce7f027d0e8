"""Decides whether a picture can be used: whether every signature of a model will answer it.

One picture that fails in the graph kills the whole Transform, so nothing short of that graph is
trusted: `servable`, which is exported with the model, is asked here, too. Checks of the structure
alone let damaged pictures through, and other libraries draw the line elsewhere. TensorFlow is
imported at the first picture, on the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.records import FeatureValue, Record, Rejected
from pipeline.sources.tfrecord.op_errors import words_of
from pipeline.tasks.images.features import IMAGE, LABEL, SIZE_BUCKET
from pipeline.tasks.images.sources import headers

MAX_PIXELS = 50_000_000


class UnusablePictureError(Exception):
  """Why a picture cannot be used, in words for the quarantine."""


def max_pixels(options: Mapping[str, Any]) -> int:
  """Returns the option `max_pixels`, the largest picture that is decoded.

  Raises:
    BadInputError: it is no positive number.
  """
  value = options.get("max_pixels")
  value = MAX_PIXELS if value is None else value
  if isinstance(value, bool) or not isinstance(value, int) or value < 1:
    raise BadInputError(f"data.max_pixels must be a positive int. Received: max_pixels={value!r}")
  return value


def check(data: bytes, *, max_pixels: int) -> headers.Header:
  """Returns the format and the size, as it is shown, of a picture that every signature answers.

  Raises:
    UnusablePictureError: none does: the picture breaks the rule, or the decoder refuses it.
  """
  import tensorflow as tf

  from pipeline.tasks.images.pictures.servable import inspect

  try:
    with tf.device("/CPU:0"):
      fault, size = inspect(data, max_pixels)
  except tf.errors.OpError as err:
    raise UnusablePictureError(words_of(err)) from err
  if reason := fault.numpy():
    raise UnusablePictureError(reason.decode("ascii"))
  height, width = size.numpy().tolist()
  return headers.Header(headers.kind_of(data) or "", width, height)


def to_record(
  data: bytes,
  *,
  label: FeatureValue,
  split: str | None,
  origin: str,
  file: str | None,
  max_pixels: int,
) -> Record | Rejected:
  """Returns the record of one encoded picture, or why there is none.

  Args:
    data: the encoded picture.
    label: its class, or what else a problem reads.
    split: the split the input gave it, or None.
    origin: where it comes from, for messages.
    file: its file, where it is one of its own.
    max_pixels: the largest picture that is decoded.
  """
  try:
    header = check(data, max_pixels=max_pixels)
  except UnusablePictureError as err:
    kept = None if file else data
    return Rejected(origin=origin, reason=str(err), file=file, data=kept, label=label)
  return record(data, label=label, size_bucket=header.size_bucket, split=split, origin=origin)


def record(
  data: bytes, *, label: FeatureValue, size_bucket: str, split: str | None, origin: str
) -> Record:
  """Returns the record of a picture that is known to decode."""
  features: dict[str, FeatureValue] = {IMAGE: data, LABEL: label, SIZE_BUCKET: size_bucket}
  return Record(features=features, content=data, split=split, origin=origin)


def read_file(
  path: str, *, label: FeatureValue, split: str | None, origin: str, max_pixels: int
) -> Record | Rejected:
  """Returns the record of one picture file, or why there is none."""
  try:
    with open(path, "rb") as f:
      data = f.read()
  except (OSError, ValueError) as err:  # a ValueError where the path holds a NUL
    reason = f"the file cannot be read: {getattr(err, 'strerror', None) or err}"
    return Rejected(origin=origin, reason=reason, file=path, label=label)
  return to_record(data, label=label, split=split, origin=origin, file=path, max_pixels=max_pixels)
