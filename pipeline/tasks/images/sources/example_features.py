"""Finds and reads the picture and the label in a tf.Example with unknown feature names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlpipe.errors import BadInputError
from pipeline.sources.tfrecord import tf_examples
from pipeline.tasks.images.sources import headers, idx

_MIN_PIXELS = 16  # shorter vectors are bounding boxes, sizes and the like

# Ranges in which pixel values are stored, narrowest first: (minimum, maximum).
_RANGES = ((-0.5, 0.5), (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


def find_layout(
  records: Sequence[bytes], options: Mapping[str, Any], *, source: str
) -> dict[str, Any]:
  """Finds the features with the picture and the label.

  Args:
    records: the first serialised tf.Examples.
    options: `image_feature` and `label_feature` name the features; None searches for them.
    source: the input, for messages.

  Returns:
    A mapping with `image_feature` and `label_feature`; for pixel vectors also `side`, `channels`
    and `range`.

  Raises:
    BadInputError: the features were not found.
  """
  named = {option: options.get(option) for option in ("image_feature", "label_feature")}
  examples = tf_examples.parse_first(records, named, source=source)
  image = options.get("image_feature") or _find_image(examples)
  if image is None:
    raise BadInputError(
      f"Expected a picture in the records of {source!r}: JPEG, PNG, GIF or BMP bytes, or the "
      f"pixels of a square. The records have: {', '.join(sorted(examples[0]))}. Name the picture "
      "with --set data.image_feature=..."
    )
  label = options.get("label_feature") or tf_examples.find_label(
    examples, taken=image, is_other=_is_encoded, source=source
  )
  layout = {"image_feature": image, "label_feature": label}
  pixels = [v for f in examples if image in f and isinstance(v := f[image], np.ndarray)]
  if pixels:
    layout.update(_pixel_layout(pixels, image, source))
  return layout


def image_and_label(data: bytes, layout: Mapping[str, Any]) -> tuple[bytes | np.ndarray, str]:
  """Returns picture and label of one tf.Example; the picture is encoded or a flat uint8 vector.

  Raises:
    ValueError: the record has no picture or no label; the quarantine stores the message.
  """
  names = (layout["image_feature"], layout["label_feature"])
  features = tf_examples.parse_record(data, names)
  values, label = features[names[0]], tf_examples.label_of(features[names[1]])
  if "side" in layout:
    return _to_uint8(values, layout), label
  if not (isinstance(values, list) and len(values) == 1):
    raise ValueError("the record does not hold exactly one encoded picture")
  return values[0], label


def _to_uint8(values: list[bytes] | np.ndarray, layout: Mapping[str, Any]) -> np.ndarray:
  size = layout["side"] ** 2 * layout["channels"]
  if not isinstance(values, np.ndarray) or len(values) != size:
    raise ValueError(f"expected {size} pixels, the record has {len(values)} values")
  least, greatest = layout["range"]
  if not np.isfinite(values).all() or values.min() < least or values.max() > greatest:
    raise ValueError(f"a pixel is not in the range {least:g} to {greatest:g} of the first records")
  return np.rint((values - least) * (255.0 / (greatest - least))).astype(np.uint8)


def _pixel_layout(pixels: Sequence[np.ndarray], image: str, source: str) -> dict[str, Any]:
  square = idx.square_side(len(pixels[0]))
  if square is None:
    raise BadInputError(
      f"Expected the pixels of a square picture, grey or RGB, in feature {image!r} of {source!r}. "
      f"Received {len(pixels[0])} values."
    )
  least = min(float(p.min()) for p in pixels)
  greatest = max(float(p.max()) for p in pixels)
  fitting = [r for r in _RANGES if r[0] <= least and greatest <= r[1]]
  if not fitting:
    raise BadInputError(
      f"Expected pixel values in one of the ranges {_RANGES}. Feature {image!r} of {source!r} "
      f"holds {least:g} to {greatest:g}."
    )
  integers = all(np.issubdtype(p.dtype, np.integer) for p in pixels)
  chosen = _RANGES[-1] if integers and least >= 0 else fitting[0]
  return {"side": square[0], "channels": square[1], "range": list(chosen)}


def _find_image(examples: Sequence[Mapping[str, Any]]) -> str | None:
  for features in examples:
    for name, values in sorted(features.items()):
      if _is_encoded(values):
        return name
  for features in examples:
    for name, values in sorted(features.items()):
      is_vector = isinstance(values, np.ndarray) and len(values) >= _MIN_PIXELS
      if is_vector and idx.square_side(len(values)):
        return name
  return None


def _is_encoded(values: list[bytes] | np.ndarray) -> bool:
  return isinstance(values, list) and len(values) == 1 and bool(headers.kind_of(values[0]))
