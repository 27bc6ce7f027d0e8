"""Classify's and Regress's request bodies: JSON objects to serialized `tensorflow.Example`.

The bytes are written here, so that neither TensorFlow nor protobuf is needed.
Source: `MakeExampleFromJsonObject` of tensorflow_serving/util/json_tensor.cc;
tensorflow/core/example/{example,feature}.proto; the protocol buffer encoding.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from serving.errors import InvalidArgument
from serving.tensor_json.arrays import decode_base64, is_base64
from serving.tensor_json.budget import Budget
from serving.tensor_json.describe import describe, shown, type_name
from serving.tensor_json.predict import parse_object, signature_of
from serving.tensor_json.reader import members_of

# The field of `tensorflow.Feature` that each kind of list is.
_BYTES, _FLOAT, _INT64 = 1, 2, 3
_KIND_NAMES = {_BYTES: "bytes", _FLOAT: "float", _INT64: "int64"}


def parse_classify(
  body: bytes, method: Literal["classify", "regress"], budget: Budget | None = None
) -> tuple[str, list[bytes]]:
  """Returns the signature's name and the examples, each merged with the context if there is one.

  Args:
    body: the request.
    method: which of the two asks. TensorFlow Serving says "classify" in its messages for both.
    budget: what reading may cost; None is no limit.

  Raises:
    InvalidArgument: it is no JSON object of the form that the method takes.
    TooLarge, DeadlineExceeded: reading costs more.
  """
  if method not in ("classify", "regress"):
    raise ValueError(f"`method` must be classify or regress. Received: method={method!r}")
  budget = budget or Budget()
  values = parse_object(body, budget)
  signature_name = signature_of(values)
  context = _example(values["context"], budget) if "context" in values else b""
  if "examples" not in values:
    raise InvalidArgument(
      f"JSON Value: {describe(values)} When method is classify, key 'examples' is expected and was "
      "not found"
    )
  examples = values["examples"]
  if not isinstance(examples, list):
    raise InvalidArgument(
      f"JSON Value: {describe(values)} Expecting 'examples' value to be an list/array"
    )
  if not examples:
    raise InvalidArgument(f"JSON Value: {describe(values)} 'examples' value is an empty array")
  budget.grow(len(context) * len(examples))
  # Protocol buffers merge when they are concatenated.
  return signature_name, [context + _example(example, budget) for example in examples]


def _example(value: Any, budget: Budget) -> bytes:
  if not isinstance(value, dict):
    raise InvalidArgument(f"Example must be JSON object but got JSON {type_name(value)}")
  features = b"".join(
    _field(1, _field(1, name.encode() if isinstance(name, str) else name) + _field(2, feature))
    for name, feature in (
      (name, _feature(shown(name), item, budget)) for name, item in members_of(value)
    )
  )
  return _field(1, features)


def _feature(name: str, value: Any, budget: Budget) -> bytes:
  kind, values = 0, []
  for item in value if isinstance(value, list) else [value]:
    budget.step()
    its_kind, its_value = _element(name, item, kind)
    if kind and its_kind != kind:
      raise InvalidArgument(
        f"Unexpected element type in feature: {name} expecting type: {_KIND_NAMES[kind]}"
      )
    kind = its_kind
    values.append(its_value)
  if not kind:
    return b""
  if kind == _BYTES:
    return _field(kind, b"".join(_field(1, item) for item in values))
  if kind == _FLOAT:
    with np.errstate(over="ignore"):
      return _field(kind, _field(1, np.array(values, "<f8").astype("<f4").tobytes()))
  return _field(kind, _field(1, b"".join(_varint(item % 2**64) for item in values)))


def _element(name: str, value: Any, kind: int) -> tuple[int, Any]:
  if isinstance(value, bool):
    return _INT64, int(value)
  if isinstance(value, float):
    return _FLOAT, value
  if isinstance(value, int):
    if value >= 2**63 and kind in (0, _INT64):
      raise InvalidArgument(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    return _INT64, value
  if isinstance(value, (str, bytes)):
    return _BYTES, value.encode() if isinstance(value, str) else value
  if is_base64(value):
    return _BYTES, decode_base64(value["b64"]) if kind in (0, _BYTES) else b""
  raise InvalidArgument(
    f"Feature: {name} has element with unexpected JSON type: {type_name(value)}"
  )


def _field(number: int, payload: bytes) -> bytes:
  """Returns a length-delimited field."""
  return bytes((number << 3 | 2,)) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
  encoded = bytearray()
  while value > 0x7F:
    encoded.append(value & 0x7F | 0x80)
    value >>= 7
  encoded.append(value)
  return bytes(encoded)
