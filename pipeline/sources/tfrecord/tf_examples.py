"""Reads tf.Examples whose feature names are not known. TensorFlow is imported at the first one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlpipe.errors import BadInputError
from pipeline.sources.labels import label_text

Features = Mapping[str, "list[bytes] | np.ndarray"]

_LABEL_NAMES = ("label", "class", "target", "category")


def parse(data: bytes) -> dict[str, list[bytes] | np.ndarray] | None:
  """Returns the features of a serialised tf.Example that have values, or None if it is none."""
  import tensorflow as tf
  from google.protobuf import message

  try:
    example = tf.train.Example.FromString(data)
  except message.DecodeError:
    return None
  found: dict[str, list[bytes] | np.ndarray] = {}
  for name, feature in example.features.feature.items():
    kind = feature.WhichOneof("kind")
    if kind == "bytes_list":
      found[name] = list(feature.bytes_list.value)
    elif kind == "float_list":
      found[name] = np.array(feature.float_list.value, np.float32)
    elif kind == "int64_list":
      found[name] = np.array(feature.int64_list.value, np.int64)
  return found


def parse_first(
  records: Sequence[bytes], named: Mapping[str, Any], *, source: str
) -> Sequence[Features]:
  """Returns the features of the first records.

  Args:
    records: serialised.
    named: options such as `label_feature` to the feature they name, if they name one.
    source: the input, for messages.

  Raises:
    BadInputError: no record is a tf.Example, or none has a feature that an option names.
  """
  examples = [features for features in map(parse, records) if features]
  if not examples:
    raise BadInputError(f"Expected records of tf.Example in {source!r}. Found none.")
  for option, name in named.items():
    if name and not any(name in features for features in examples):
      raise BadInputError(
        f"Expected a feature {name!r} in {source!r}, as data.{option} says. The records have: "
        f"{', '.join(sorted(examples[0]))}."
      )
  return examples


def find_label(
  examples: Sequence[Features],
  *,
  taken: str,
  source: str,
  is_other: Callable[[list[bytes] | np.ndarray], bool] | None = None,
) -> str:
  """Returns the only single value, or among several the only one whose name says so.

  Args:
    examples: the features of the first records.
    taken: the feature that holds the picture or text.
    source: the input, for messages.
    is_other: whether values are another picture, say, and so no label.

  Raises:
    BadInputError: there is none, or there are several.
  """
  single = [
    name
    for name in sorted(set().union(*examples) - {taken})
    if all(len(f[name]) == 1 for f in examples if name in f)
    and not (is_other and any(is_other(f[name]) for f in examples if name in f))
  ]
  named = [name for name in single if any(word in name.lower() for word in _LABEL_NAMES)]
  if len(named) > 1:
    # "class/label" and "class/text" are the same fact; the text is what a person reads.
    named = [name for name in named if "text" in name.lower()] or named
    named = [name for name in named if name.lower() in _LABEL_NAMES] or named
  if len(single) == 1 or len(named) == 1:
    return (single if len(single) == 1 else named)[0]
  raise BadInputError(
    f"Expected one feature with a label in the records of {source!r}. They have: "
    f"{', '.join(sorted(examples[0]))}. Name it with --set data.label_feature=..."
  )


def parse_record(data: bytes, names: Sequence[str]) -> Features:
  """Returns the features of one record, among them those that are named.

  Raises:
    ValueError: it is no tf.Example or lacks one; the message is fit for the quarantine.
  """
  features = parse(data)
  if features is None:
    raise ValueError("the record is no tf.Example")
  for name in names:
    if name not in features:
      raise ValueError(f"the record has no feature {name!r}")
  return features


def label_of(values: list[bytes] | np.ndarray) -> str:
  """Returns the text of a label's feature.

  Raises:
    ValueError: there is not one value; the message is fit for the quarantine.
  """
  if len(values) != 1:
    raise ValueError(f"expected one label, the record has {len(values)}")
  value = values[0]
  if isinstance(value, np.floating):
    value = float(str(value))  # 0.1 as float32 is 0.10000000149 as float
  elif isinstance(value, np.integer):
    value = int(value)
  return label_text(value)
