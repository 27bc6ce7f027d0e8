"""TensorFlow Serving's messages, declared here, so that TensorFlow need not be imported.

`tensorflow_serving.apis.predict_pb2` imports `tensorflow.core.framework.tensor_pb2`, and with that
all of TensorFlow: seconds and hundreds of megabytes for a client that sends a few bytes. These
messages have the same fields by number and type and live in a descriptor pool of their own, so that
they may stand in one process with the generated ones. Fields that the client does not use are left
out.

On the wire an enum is an int32 and a packed list of floats is a string of bytes; both are declared
as what they are on the wire, the floats because numpy reads bytes at once. Strings that a model
chooses are `bytes`, since nothing guarantees that they are UTF-8.

Source: tensorflow/core/{example,framework,protobuf}/*.proto, tensorflow_serving/apis/*.proto.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "dlpipe_client"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
  "bool": _Field.TYPE_BOOL,
  "bytes": _Field.TYPE_BYTES,
  "float": _Field.TYPE_FLOAT,
  "int32": _Field.TYPE_INT32,
  "int64": _Field.TYPE_INT64,
  "string": _Field.TYPE_STRING,
  "uint32": _Field.TYPE_UINT32,
  "uint64": _Field.TYPE_UINT64,
}

# Message to fields: name, number, type; `[]` for repeated, `{}` for a map from string.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
  "Dim": (("size", 1, "int64"),),
  "TensorShapeProto": (("dim", 2, "Dim[]"), ("unknown_rank", 3, "bool")),
  "TensorProto": (
    ("dtype", 1, "int32"),
    ("tensor_shape", 2, "TensorShapeProto"),
    ("tensor_content", 4, "bytes"),
    ("float_val", 5, "bytes[]"),
    ("double_val", 6, "bytes[]"),
    ("int_val", 7, "int32[]"),
    ("string_val", 8, "bytes[]"),
    ("scomplex_val", 9, "bytes[]"),
    ("int64_val", 10, "int64[]"),
    ("bool_val", 11, "bool[]"),
    ("dcomplex_val", 12, "bytes[]"),
    ("half_val", 13, "int32[]"),
    ("uint32_val", 16, "uint32[]"),
    ("uint64_val", 17, "uint64[]"),
  ),
  "BytesList": (("value", 1, "bytes[]"),),
  "FloatList": (("value", 1, "float[]"),),
  "Int64List": (("value", 1, "int64[]"),),
  "Feature": (
    ("bytes_list", 1, "BytesList"),
    ("float_list", 2, "FloatList"),
    ("int64_list", 3, "Int64List"),
  ),
  "Features": (("feature", 1, "Feature{}"),),
  "Example": (("features", 1, "Features"),),
  "TensorInfo": (("dtype", 2, "int32"), ("tensor_shape", 3, "TensorShapeProto")),
  "SignatureDef": (
    ("inputs", 1, "TensorInfo{}"),
    ("outputs", 2, "TensorInfo{}"),
    ("method_name", 3, "string"),
  ),
  "SignatureDefMap": (("signature_def", 1, "SignatureDef{}"),),
  "Int64Value": (("value", 1, "int64"),),
  "AnyValue": (("type_url", 1, "string"), ("value", 2, "bytes")),
  "ModelSpec": (
    ("name", 1, "string"),
    ("version", 2, "Int64Value"),
    ("signature_name", 3, "string"),
    ("version_label", 4, "string"),
  ),
  "PredictRequest": (("model_spec", 1, "ModelSpec"), ("inputs", 2, "TensorProto{}")),
  "PredictResponse": (("outputs", 1, "TensorProto{}"), ("model_spec", 2, "ModelSpec")),
  "ExampleList": (("examples", 1, "Example[]"),),
  "ExampleListWithContext": (("examples", 1, "Example[]"), ("context", 2, "Example")),
  "Input": (
    ("example_list", 1, "ExampleList"),
    ("example_list_with_context", 2, "ExampleListWithContext"),
  ),
  "InputRequest": (("model_spec", 1, "ModelSpec"), ("input", 2, "Input")),
  "Class": (("label", 1, "bytes"), ("score", 2, "float")),
  "Classifications": (("classes", 1, "Class[]"),),
  "ClassificationResult": (("classifications", 1, "Classifications[]"),),
  "ClassificationResponse": (("result", 1, "ClassificationResult"),),
  "Regression": (("value", 1, "float"),),
  "RegressionResult": (("regressions", 1, "Regression[]"),),
  "RegressionResponse": (("result", 1, "RegressionResult"),),
  "GetModelMetadataRequest": (("model_spec", 1, "ModelSpec"), ("metadata_field", 2, "string[]")),
  "GetModelMetadataResponse": (("model_spec", 1, "ModelSpec"), ("metadata", 2, "AnyValue{}")),
  "GetModelStatusRequest": (("model_spec", 1, "ModelSpec"),),
  "StatusProto": (("error_code", 1, "int32"), ("error_message", 2, "bytes")),
  "ModelVersionStatus": (
    ("version", 1, "int64"),
    ("state", 2, "int32"),
    ("status", 3, "StatusProto"),
  ),
  "GetModelStatusResponse": (("model_version_status", 1, "ModelVersionStatus[]"),),
}


def _declare(message: Any, name: str, number: int, type_name: str) -> None:
  """Adds a field to a `DescriptorProto`."""
  field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
  base = type_name.rstrip("[]{}")
  if type_name.endswith("{}"):
    entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
    entry.options.map_entry = True
    _declare(entry, "key", 1, "string")
    _declare(entry, "value", 2, base)
    field.label, field.type = _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"
    return
  if type_name.endswith("[]"):
    field.label = _Field.LABEL_REPEATED
  if base in _SCALARS:
    field.type = _SCALARS[base]
  else:
    field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{base}"


def _build() -> dict[str, Any]:
  file = descriptor_pb2.FileDescriptorProto(
    name="dlpipe_client/messages.proto", package=_PACKAGE, syntax="proto3"
  )
  for name, fields in _MESSAGES.items():
    message = file.message_type.add(name=name)
    for field in fields:
      _declare(message, *field)
  pool = descriptor_pool.DescriptorPool()
  pool.AddSerializedFile(file.SerializeToString())
  descriptors = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES}
  if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and later
    return {name: message_factory.GetMessageClass(found) for name, found in descriptors.items()}
  factory = message_factory.MessageFactory(pool)
  return {name: factory.GetPrototype(found) for name, found in descriptors.items()}


_classes = _build()

TensorProto = _classes["TensorProto"]
Example = _classes["Example"]
SignatureDefMap = _classes["SignatureDefMap"]
ModelSpec = _classes["ModelSpec"]
PredictRequest = _classes["PredictRequest"]
PredictResponse = _classes["PredictResponse"]
InputRequest = _classes["InputRequest"]
ClassificationResponse = _classes["ClassificationResponse"]
RegressionResponse = _classes["RegressionResponse"]
GetModelMetadataRequest = _classes["GetModelMetadataRequest"]
GetModelMetadataResponse = _classes["GetModelMetadataResponse"]
GetModelStatusRequest = _classes["GetModelStatusRequest"]
GetModelStatusResponse = _classes["GetModelStatusResponse"]
