"""Decides whether a picture can be used: every signature of a model must accept it.

One picture that fails in the graph stops the whole Transform, so sources use the same graph:
`servable`, which is exported with the model. Checks of the structure miss damaged pictures, and
other libraries accept other pictures. TensorFlow is imported at the first picture, on the worker.
"""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dlpipe.errors import BadInputError
from dlpipe.records import FeatureValue, Record, Rejected
from pipeline.sources import input_paths
from pipeline.sources.file_formats import MAX_PIXELS
from pipeline.sources.tfrecord.op_errors import words_of
from pipeline.tasks.images.features import IMAGE, LABEL, SIZE_BUCKET
from pipeline.tasks.images.sources import headers

if TYPE_CHECKING:
  import tensorflow as tf


class UnusablePictureError(Exception):
  """The picture cannot be used; the quarantine stores the message."""


def max_pixels(options: Mapping[str, Any]) -> int:
  """Returns the option `max_pixels`, the largest number of pixels of a decoded picture.

  Raises:
    BadInputError: it is not a positive number.
  """
  value = options.get("max_pixels")
  value = MAX_PIXELS if value is None else value
  if isinstance(value, bool) or not isinstance(value, int) or value < 1:
    raise BadInputError(f"data.max_pixels must be a positive int. Received: max_pixels={value!r}")
  return value


def check(data: bytes, *, max_pixels: int) -> headers.Header:
  """Checks a picture by the rule of every signature; returns its format and displayed size.

  Raises:
    UnusablePictureError: the picture violates the rule, or the decoder refuses it.
  """
  import tensorflow as tf

  try:
    with tf.device("/CPU:0"):
      fault, size = _inspect()(tf.constant(data), tf.constant(max_pixels, tf.int64))
  except tf.errors.OpError as err:
    raise UnusablePictureError(words_of(err)) from err
  if reason := fault.numpy():
    raise UnusablePictureError(reason.decode("ascii"))
  height, width = size.numpy().tolist()
  return headers.Header(headers.kind_of(data) or "", width, height)


@functools.cache
def _inspect() -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
  """Returns the traced rule: a polymorphic function costs as much again to choose its trace."""
  from pipeline.tasks.images.pictures.servable import inspect

  atexit.register(_inspect.cache_clear)  # TensorFlow cannot let go of a trace once it is torn down
  return inspect.get_concrete_function()


def to_record(
  data: bytes,
  *,
  label: FeatureValue,
  split: str | None,
  origin: str,
  file: str | None,
  max_pixels: int,
) -> Record | Rejected:
  """Returns the record of one encoded picture, or the reason for its rejection.

  Args:
    data: the encoded picture.
    label: its class, or another value that the problem reads.
    split: the split that the input gave, or None.
    origin: file and row of the picture, for messages.
    file: path of the file, if the picture is a whole file.
    max_pixels: largest number of pixels of a decoded picture.
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
  """Returns the record of a picture that has been checked."""
  features: dict[str, FeatureValue] = {IMAGE: data, LABEL: label, SIZE_BUCKET: size_bucket}
  return Record(features=features, content=data, split=split, origin=origin)


def read_file(
  path: str, *, label: FeatureValue, split: str | None, origin: str, max_pixels: int
) -> Record | Rejected:
  """Returns the record of one picture file, or the reason for its rejection."""
  if input_paths.is_special(path):
    return Rejected(origin=origin, reason=f"the path is {input_paths.SPECIAL}", label=label)
  try:
    with open(path, "rb") as f:
      data = f.read()
  except (OSError, ValueError) as err:  # a ValueError if the path contains a NUL
    reason = f"the file cannot be read: {getattr(err, 'strerror', None) or err}"
    return Rejected(origin=origin, reason=reason, file=path, label=label)
  return to_record(data, label=label, split=split, origin=origin, file=path, max_pixels=max_pixels)
