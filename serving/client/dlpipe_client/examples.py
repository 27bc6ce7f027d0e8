"""Examples for Classify and Regress: plain dicts to `tf.Example`, or to REST's JSON.

A feature is a value or a flat list of values of one kind: bool and int, float, or str and bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlpipe_client.errors import InvalidInput
from dlpipe_client.protos import Example

_KINDS = {bool: "int64_list", int: "int64_list", float: "float_list", bytes: "bytes_list"}


def example_to_proto(example: Mapping[str, Any]) -> Any:
  """Returns the `tf.Example`.

  Raises:
    InvalidInput: a feature is not as the module says.
  """
  proto = Example()
  for name, values in _features(example).items():
    feature = proto.features.feature[name]
    if values:
      # protobuf will not take a truth value for a number for ever, and warns from 6.32 on.
      plain = [int(value) if isinstance(value, bool) else value for value in values]
      getattr(feature, _KINDS[type(values[0])]).value.extend(plain)
  return proto


def example_to_json(example: Mapping[str, Any]) -> dict[str, list[Any]]:
  """Returns the example as REST takes it, bytes in base64.

  Raises:
    InvalidInput: a feature is not as the module says.
  """
  return {
    name: [
      {"b64": base64.b64encode(value).decode("ascii")} if isinstance(value, bytes) else value
      for value in values
    ]
    for name, values in _features(example).items()
  }


def _features(example: Mapping[str, Any]) -> dict[str, list[Any]]:
  if not isinstance(example, Mapping):
    raise InvalidInput(
      f"An example must be a mapping of feature name to values. Received: {type(example).__name__}."
    )
  return {name: _values(name, value) for name, value in example.items()}


def _values(name: str, value: Any) -> list[Any]:
  if isinstance(value, (np.ndarray, np.generic)):
    value = value.tolist()
  found = list(value) if isinstance(value, (list, tuple)) else [value]
  found = [item.encode("utf-8") if isinstance(item, str) else item for item in found]
  kinds = {_KINDS.get(type(item)) for item in found}
  if None in kinds or len(kinds) > 1:
    raise InvalidInput(
      f"Feature {name!r} must be a value or a flat list of values of one kind: int or bool, float, "
      f"or str and bytes. Received: {sorted({type(item).__name__ for item in found})}."
    )
  for item in found:
    if isinstance(item, int) and not -(2**63) <= item < 2**63:
      raise InvalidInput(f"Feature {name!r} must fit into int64. Received: {item}.")
  return found
