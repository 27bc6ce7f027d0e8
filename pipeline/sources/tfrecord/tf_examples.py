"""Reads tf.Examples with unknown feature names. Imports TensorFlow at the first one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dlpipe.errors import BadInputError
from pipeline.sources.labels import label_text

Features = Mapping[str, "list[bytes] | np.ndarray"]

_LABEL_NAMES = ("label", "class", "target", "category")


def parse(data: bytes) -> dict[str, list[bytes] | np.ndarray] | None:
  """Parses a serialised tf.Example: its features with values, or None if it is invalid."""
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
  """Parses the features of the first records.

  Args:
    records: serialised tf.Examples.
    named: option such as `label_feature` to the feature that it names, or None.
    source: the input, for messages.

  Raises:
    BadInputError: no record is a tf.Example, or no record has a feature that an option names.
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
  """Returns the feature of the label: the only single value, or the only one with a usual name.

  Args:
    examples: the features of the first records.
    taken: the feature that holds the picture or text.
    source: the input, for messages.
    is_other: returns whether values cannot be a label, such as another picture.

  Raises:
    BadInputError: no feature or several features may be the label.
  """
  single = [
    name
    for name in sorted(set().union(*examples) - {taken})
    if all(len(f[name]) == 1 for f in examples if name in f)
    and not (is_other and any(is_other(f[name]) for f in examples if name in f))
  ]
  named = [name for name in single if any(word in name.lower() for word in _LABEL_NAMES)]
  if len(named) > 1:
    # "class/label" and "class/text" hold the same class; people read the text.
    named = [name for name in named if "text" in name.lower()] or named
    named = [name for name in named if name.lower() in _LABEL_NAMES] or named
  if len(single) == 1 or len(named) == 1:
    return (single if len(single) == 1 else named)[0]
  raise BadInputError(
    f"Expected one feature with a label in the records of {source!r}. They have: "
    f"{', '.join(sorted(examples[0]))}. Name it with --set data.label_feature=..."
  )


def parse_record(data: bytes, names: Sequence[str]) -> Features:
  """Parses the features of one record, which must include the named ones.

  Raises:
    ValueError: it is not a tf.Example or lacks a feature; the quarantine stores the message.
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
    ValueError: the feature does not have exactly one value; the quarantine stores the message.
  """
  if len(values) != 1:
    raise ValueError(f"expected one label, the record has {len(values)}")
  value = values[0]
  if isinstance(value, np.floating):
    value = float(str(value))  # as float, the float32 0.1 is 0.10000000149
  elif isinstance(value, np.integer):
    value = int(value)
  return label_text(value)
