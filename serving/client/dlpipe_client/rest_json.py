"""REST's JSON to arrays and back.

Read with the standard library, since TensorFlow Serving writes `NaN` and `Infinity`, which most
other readers refuse. Bytes that are not UTF-8 pass through as surrogate escapes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlpipe_client.answers import ModelMetadata, Signature, TensorInfo, VersionStatus
from dlpipe_client.errors import InvalidInput, InvalidResponse
from dlpipe_client.tensors import Array, name_of_proto, numpy_dtype

# Source: tensorflow_serving/util/json_tensor.cc, `AddValueToTensor`.
_SENT = "biufO"
_NOT_SENT = ("float16", "uint16")


def loads(body: bytes) -> dict[str, Any]:
  """Returns the JSON object that a body is.

  Raises:
    InvalidResponse: it is none.
  """
  try:
    found = json.loads(body.decode("utf-8", "surrogateescape"))
  except (ValueError, RecursionError) as err:
    raise InvalidResponse(f"The server did not answer in JSON: {body[:200]!r}.") from err
  if not isinstance(found, dict):
    raise InvalidResponse(f"The server did not answer with a JSON object: {body[:200]!r}.")
  return found


def predict_body(inputs: Mapping[str, Array], signature_name: str) -> bytes:
  """Returns the body of a Predict request, in the columnar format.

  Raises:
    InvalidInput: JSON cannot carry a type.
  """
  columns = {}
  for name, array in inputs.items():
    if array.dtype.kind not in _SENT or array.dtype.name in _NOT_SENT:
      raise InvalidInput(f"Input {name!r} is of type {array.dtype}, which REST does not take.")
    columns[name] = _encoded(array.tolist()) if array.dtype == object else array.tolist()
  # An object with nothing but "b64" would be taken for a string.
  value = columns["b64"] if columns.keys() == {"b64"} else columns
  return dumps({"signature_name": signature_name, "inputs": value})


def dumps(value: Any) -> bytes:
  """Returns JSON with `NaN` and `Infinity`, without spaces."""
  return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
    "utf-8", "surrogateescape"
  )


def _encoded(value: Any) -> Any:
  if isinstance(value, list):
    return [_encoded(item) for item in value]
  return {"b64": base64.b64encode(value).decode("ascii")}


def predict_outputs(body: bytes, outputs: Mapping[str, TensorInfo]) -> dict[str, Array]:
  """Returns the arrays of a Predict response.

  Args:
    body: the response.
    outputs: what the signature says of its outputs.

  Raises:
    InvalidResponse: it is no such response, or not one of this signature.
  """
  answer = loads(body)
  if "outputs" not in answer:
    raise InvalidResponse(f"Expected `outputs` in the answer. Received: {sorted(answer)}.")
  found = answer["outputs"]
  if len(outputs) == 1:
    found = {next(iter(outputs)): found}
  elif not isinstance(found, dict) or found.keys() != outputs.keys():
    received = sorted(found) if isinstance(found, dict) else type(found).__name__
    raise InvalidResponse(f"Expected the outputs {sorted(outputs)}. Received: {received}.")
  return {name: _decoded(name, value, outputs[name]) for name, value in found.items()}


def _decoded(name: str, value: Any, info: TensorInfo) -> Array:
  dtype = numpy_dtype(info.dtype)
  if dtype is None:
    raise InvalidResponse(
      f"Output {name!r} has a type that this client does not read: {info.dtype}."
    )
  try:
    array: Array = np.array(value, dtype=dtype)
    if dtype.kind == "O":
      strings = np.empty(array.shape, dtype=object)
      for index in np.ndindex(array.shape):
        strings[index] = _bytes_of(array[index])
      array = strings
  except (TypeError, ValueError, KeyError) as err:
    raise InvalidResponse(f"Output {name!r} is not an array of {info.dtype}: {err}") from err
  if not array.size and info.shape is not None and array.ndim < len(info.shape):
    # Behind a length of 0 JSON has no more lengths.
    array = array.reshape((*array.shape, *(size or 0 for size in info.shape[array.ndim :])))
  return array


def _bytes_of(value: Any) -> bytes:
  if isinstance(value, dict):
    return base64.b64decode(value["b64"], validate=True)
  if not isinstance(value, str):
    raise TypeError(f"expected a string, received {value!r}")
  return value.encode("utf-8", "surrogateescape")


def metadata_of(body: bytes) -> ModelMetadata:
  """Returns what a metadata response says.

  Raises:
    InvalidResponse: it is none.
  """
  answer = loads(body)
  try:
    spec = answer["model_spec"]
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    return ModelMetadata(
      spec["name"],
      int(spec["version"]),
      {
        name: Signature(
          _infos(signature.get("inputs", {})),
          _infos(signature.get("outputs", {})),
          signature.get("method_name", ""),
        )
        for name, signature in signatures.items()
      },
    )
  except (KeyError, TypeError, ValueError, AttributeError) as err:
    raise InvalidResponse(f"The server's metadata is not understood: {err!r}.") from err


def _infos(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
  found = {}
  for name, info in infos.items():
    shape = info.get("tensor_shape", {})
    sizes = [int(dim.get("size", 0)) for dim in shape.get("dim", [])]
    found[name] = TensorInfo(
      name_of_proto(info["dtype"]),
      None if shape.get("unknown_rank") else tuple(None if size < 0 else size for size in sizes),
    )
  return found


def statuses_of(body: bytes) -> tuple[VersionStatus, ...]:
  """Returns what a status response says, the highest version first.

  Raises:
    InvalidResponse: it is none.
  """
  answer = loads(body)
  try:
    return tuple(
      VersionStatus(
        int(each["version"]),
        each["state"],
        each.get("status", {}).get("error_code", "OK"),
        each.get("status", {}).get("error_message", ""),
      )
      for each in answer["model_version_status"]
    )
  except (KeyError, TypeError, ValueError, AttributeError) as err:
    raise InvalidResponse(f"The server's status is not understood: {err!r}.") from err


def results_of(body: bytes) -> list[Any]:
  """Returns the `results` of Classify or Regress; `result` in the documentation of old versions.

  Raises:
    InvalidResponse: there are none.
  """
  answer = loads(body)
  results = answer.get("results", answer.get("result"))
  if not isinstance(results, list):
    raise InvalidResponse(f"Expected `results` in the answer. Received: {sorted(answer)}.")
  return results
