"""The signatures of a TFLite model, as TensorFlow Serving finds them.

Not those of TFLite's own SignatureRunner: Serving reads `SignatureDef`s from the model's metadata
"signature_defs_metadata", a FlexBuffer map from name to message. A model without it, such as the
converter writes today, has `serving_default`, whose inputs and outputs are called as its tensors.

Source: tensorflow_serving/servables/tensorflow/tflite_session.cc,
tensorflow/lite/tools/signature/signature_def_util.cc.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flatbuffers import flexbuffers
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema

from serving.errors import Internal, InvalidArgument
from serving.servable import SERVING_DEFAULT
from serving.tflite import tensor_type

_METADATA = b"signature_defs_metadata"
_PREDICT = "tensorflow/serving/predict"
Details = Mapping[str, Mapping[str, Any]]


def read_signatures(model: bytes, inputs: Details, outputs: Details) -> dict[str, Any]:
  """Name to `SignatureDef`, whose tensors are all among the model's.

  Args:
    model: a valid TFLite model.
    inputs: the interpreter's details of its inputs, by tensor name.
    outputs: the same of its outputs.

  Raises:
    InvalidArgument: what the metadata hold are no signatures.
    Internal: a signature names a tensor that the model does not have.
  """
  signatures = _written(model)
  if not signatures:
    return {SERVING_DEFAULT: _made(inputs, outputs)}
  for signature in signatures.values():
    _fix_names("input", signature.inputs, inputs)
    _fix_names("output", signature.outputs, outputs)
  return signatures


def _written(model: bytes) -> dict[str, Any]:
  root = schema.Model.GetRootAs(model, 0)
  signatures: dict[str, Any] = {}
  for number in range(root.MetadataLength()):
    metadata = root.Metadata(number)
    if metadata.Name() != _METADATA:
      continue
    try:
      data = root.Buffers(metadata.Buffer()).DataAsNumpy().tobytes()
      entries = flexbuffers.GetRoot(data).AsMap
      for name, message in zip(entries.Keys, entries.Values, strict=True):
        signature = meta_graph_pb2.SignatureDef.FromString(bytes(message.AsStringBytes))
        signatures[name.AsKey] = signature
    except (AttributeError, DecodeError, LookupError, TypeError, ValueError) as err:
      raise InvalidArgument(f"Invalid SignatureDefs found in TfLite model: {err}") from err
    break
  return signatures


def _made(inputs: Details, outputs: Details) -> Any:
  signature = meta_graph_pb2.SignatureDef(method_name=_PREDICT)
  for target, tensors in ((signature.inputs, inputs), (signature.outputs, outputs)):
    for name, details in tensors.items():
      info = target[_legacy_name(name)]
      info.name = name
      info.dtype = tensor_type(details).as_datatype_enum
      for size in details["shape_signature"]:
        info.tensor_shape.dim.add(size=int(size))
  return signature


def _fix_names(kind: str, infos: Mapping[str, Any], known: Iterable[str]) -> None:
  for alias, info in infos.items():
    if info.name not in known:
      if _legacy_name(info.name) not in known:
        raise Internal(
          f"Signature {kind} {alias} references an unknown tensor: Unknown tensor '{info.name}'."
        )
      info.name = _legacy_name(info.name)


def _legacy_name(name: str) -> str:
  """Early converters wrote tensor names without TensorFlow's ":0"."""
  return name.partition(":")[0]
