"""Predict's request bodies: rows under `instances`, or columns under `inputs`.

In two steps, because the signature is looked up between them: a body that is no JSON is refused
before an unknown model is; a body that does not fit the signature, after.

Source: `FillPredictRequestFromJson` of tensorflow_serving/util/json_tensor.cc.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from serving.errors import InvalidArgument, ServingError
from serving.tensor_json import arrays
from serving.tensor_json.budget import Budget
from serving.tensor_json.describe import describe, shown
from serving.tensor_json.document import read_values
from serving.tensor_json.dtypes import Array, InputInfo
from serving.tensor_json.numbers import Numbers, read_numbers
from serving.tensor_json.reader import members_of

DEFAULT_SIGNATURE = "serving_default"


@dataclasses.dataclass(slots=True)
class ParsedPredict:
  """A body that is a JSON object.

  Attributes:
    signature_name: the one asked for; the default is `serving_default`.
    body: the bytes.
    numbers: the body's one tensor of numbers, if it holds nothing else.
    values: the object; None if `numbers` is set.
    budget: what reading may cost.
  """

  signature_name: str
  body: bytes
  numbers: Numbers | None
  values: dict[Any, Any] | None
  budget: Budget


def parse_predict(body: bytes, budget: Budget | None = None) -> ParsedPredict:
  """Reads a body as far as it can be read without the signature.

  Args:
    body: the request's.
    budget: what that may cost; None is no limit.

  Raises:
    InvalidArgument: it is no JSON object, or `signature_name` is no string.
    TooLarge, DeadlineExceeded: reading costs more.
  """
  budget = budget or Budget()
  numbers = read_numbers(body, budget)
  if numbers is not None:
    name = numbers.signature_name or DEFAULT_SIGNATURE
    return ParsedPredict(name, body, numbers, None, budget)
  values = parse_object(body, budget)
  return ParsedPredict(signature_of(values), body, None, values, budget)


def parse_object(body: bytes, budget: Budget) -> dict[Any, Any]:
  """Returns the JSON object of a body.

  Raises:
    InvalidArgument: the body is no JSON object.
    TooLarge, DeadlineExceeded: reading costs more.
  """
  if not body:
    raise InvalidArgument("JSON Parse error: The document is empty")
  values = read_values(body, budget)
  if not isinstance(values, dict):
    raise InvalidArgument(f"JSON Value: {describe(values)} Is not object")
  return values


def signature_of(values: dict[Any, Any]) -> str:
  """Returns the signature that a request asks for.

  Raises:
    InvalidArgument: `signature_name` is no string.
  """
  name = values.get("signature_name", "")
  if not isinstance(name, (str, bytes)):
    raise InvalidArgument(
      f"JSON Value: {describe(values)} not formatted correctly. 'signature_name' key must be a "
      "string value."
    )
  return shown(name) or DEFAULT_SIGNATURE


def to_inputs(
  parsed: ParsedPredict, signature: Mapping[str, InputInfo]
) -> tuple[dict[str, Array], bool]:
  """Returns the arrays of a request.

  Args:
    parsed: what `parse_predict` returned.
    signature: the signature's inputs by name.

  Returns:
    Input name to array, strings as bytes in arrays of `object`; and whether the request is in the
    row format, which its response must then be, too.

  Raises:
    InvalidArgument: the request does not fit the signature.
    Unimplemented: JSON cannot carry an input's type.
    TooLarge, DeadlineExceeded: it costs more than the request may.
  """
  if not signature:
    raise InvalidArgument(f"Failed to get input map for signature: {parsed.signature_name}")
  if parsed.numbers is not None and len(signature) == 1:
    [(name, info)] = signature.items()
    array = arrays.from_numbers(parsed.numbers.array, info.dtype)
    if array is not None:
      return {name: array}, parsed.numbers.key == "instances"
  budget = parsed.budget
  values = parse_object(parsed.body, budget) if parsed.values is None else parsed.values
  if "instances" in values:
    if "inputs" in values:
      raise InvalidArgument(
        f"JSON Value: {describe(values)} Not formatted correctly expecting only one of 'inputs' or "
        "'instances' keys to exist "
      )
    instances = values["instances"]
    if not isinstance(instances, list):
      raise InvalidArgument(
        f"JSON Value: {describe(values)} Expecting 'instances' to be an list/array"
      )
    if not instances:
      raise InvalidArgument(f"JSON Value: {describe(values)} No values in 'instances' array")
    return _from_rows(instances, signature, budget), True
  if "inputs" in values:
    return _from_columns(values["inputs"], signature), False
  raise InvalidArgument("Missing 'inputs' or 'instances' key")


def _from_columns(value: Any, signature: Mapping[str, InputInfo]) -> dict[str, Array]:
  if not isinstance(value, dict) or arrays.is_base64(value):
    if len(signature) > 1:
      raise InvalidArgument(
        "inputs is a plain value/list, but expecting an object as multiple input tensors required "
        "as per tensorinfo_map"
      )
    [(name, info)] = signature.items()
    return {name: arrays.tensor(value, info.dtype, name)}
  found = {}
  for name, info in signature.items():
    if name not in value:
      raise InvalidArgument(f"Missing named input: {name} in 'inputs' object.")
    found[name] = arrays.tensor(value[name], info.dtype, name)
  return found


def _from_rows(
  rows: list[Any], signature: Mapping[str, InputInfo], budget: Budget
) -> dict[str, Array]:
  first = rows[0]
  if not isinstance(first, dict) and len(signature) > 1:
    raise InvalidArgument(
      "instances is a plain list, but expecting list of objects as multiple input tensors required "
      "as per tensorinfo_map"
    )
  if _is_named(first):
    return _regular_objects(rows, signature) or _objects(rows, signature, budget)
  # Of several inputs, base64 rows fill one; Predict then names those that are missing.
  name = min(signature)
  regular = arrays.batch(rows, signature[name].dtype, name)
  return {name: _plain(rows, name, signature[name], budget) if regular is None else regular}


def _is_named(row: Any) -> bool:
  return isinstance(row, dict) and not arrays.is_base64(row)


def _regular_objects(
  rows: list[Any], signature: Mapping[str, InputInfo]
) -> dict[str, Array] | None:
  """Returns one array for each input, if every row is an object with just these names."""
  names = signature.keys()
  if any(type(row) is not dict or row.keys() != names for row in rows):
    return None
  found = {}
  for name, info in signature.items():
    array = arrays.batch([row[name] for row in rows], info.dtype, name)
    if array is None:
      return None
    found[name] = array
  return found


def _plain(rows: list[Any], name: str, info: InputInfo, budget: Budget) -> Array:
  batch = arrays.Batch(info.dtype, name)
  for index, row in enumerate(rows):
    budget.step()
    if _is_named(row):
      raise InvalidArgument(f"Expecting value/list but got object at item {index} of input list")
    try:
      batch.add(row)
    except ServingError as err:
      raise InvalidArgument(
        f"Failed to process element: {index} of 'instances' list. Error: {err.grpc_code}: {err}"
      ) from err
  return batch.array(len(rows))


def _objects(
  rows: list[Any], signature: Mapping[str, InputInfo], budget: Budget
) -> dict[str, Array]:
  batches = {name: arrays.Batch(info.dtype, name) for name, info in signature.items()}
  for index, row in enumerate(rows):
    if not _is_named(row):
      raise InvalidArgument(f"Expecting object but got list at item {index} of input list")
    for name, value in members_of(row):
      budget.step()
      try:
        if name not in batches:
          raise InvalidArgument(f"JSON object: does not have named input: {shown(name)}")
        batches[str(name)].add(value)
      except ServingError as err:
        raise InvalidArgument(
          f"Failed to process element: {index} key: {shown(name)} of 'instances' list. "
          f"Error: {err.grpc_code}: {err}"
        ) from err
    if row.keys() != signature.keys():
      raise InvalidArgument(
        f"Failed to process element: {index} of 'instances' list. JSON object: {describe(row)} "
        f"keys must be equal to: {','.join(sorted(signature))}"
      )
  return {name: batch.array(len(rows)) for name, batch in batches.items()}
