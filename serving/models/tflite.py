"""TFLite models behind the interface of a session: `--prefer_tflite_model`.

Their signatures are not those of TFLite's own SignatureRunner: TensorFlow Serving reads
`SignatureDef`s from the model's metadata "signature_defs_metadata", a FlexBuffer map from name to
message. A model without it, such as the converter writes today, has `serving_default`, whose inputs
and outputs are called as its tensors.

Source: tensorflow_serving/servables/tensorflow/{tflite_session,tflite_interpreter_pool}.cc,
tensorflow/lite/tools/signature/signature_def_util.cc.
"""

from __future__ import annotations

import os
import pathlib
import queue
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2

from serving.errors import DataLoss, Internal, InvalidArgument, Unimplemented
from serving.models.servable import SERVING_DEFAULT
from serving.models.sessions import Array, Runnable
from serving.models.tensors import dtype_enum

FILE = "model.tflite"
_METADATA = b"signature_defs_metadata"
_PREDICT = "tensorflow/serving/predict"
Details = Mapping[str, Mapping[str, Any]]


class TfliteSession(Runnable):
  """One TFLite model in memory. Safe to run from several threads.

  Attributes:
    signatures: name to `SignatureDef`.
  """

  def __init__(self, path: str | os.PathLike[str], *, interpreters: int = 1):
    """Loads the model.

    Args:
      path: the folder of `model.tflite`.
      interpreters: how many runs may go on at the same time.

    Raises:
      DataLoss: the file is no TFLite model.
      InvalidArgument: the metadata hold no valid signatures.
      Internal: a signature does not fit the model.
      Unimplemented: this TensorFlow cannot run one.
    """
    file = pathlib.Path(path) / FILE
    model = file.read_bytes()
    made = [_interpreter(model, file) for _ in range(max(1, interpreters))]
    self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
    for interpreter in made:
      self._idle.put(interpreter)
    self._inputs = _by_name(made[0].get_input_details())
    self._outputs = _by_name(made[0].get_output_details())
    self.signatures = read_signatures(model, self._inputs, self._outputs)
    self._aliases = {
      info.name: alias
      for signature in self.signatures.values()
      for alias, info in signature.inputs.items()
    }

  def run(
    self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_s: float | None = None
  ) -> list[Array]:
    if feeds.keys() != self._inputs.keys():
      raise InvalidArgument(
        f"The model takes the tensors {sorted(self._inputs)}. Received: {sorted(feeds)}"
      )
    for name, value in feeds.items():
      _check_type(self._aliases.get(name, name), value, self._inputs[name])
    interpreter = self._idle.get()
    try:
      return self._run(interpreter, feeds, fetches)
    except (ValueError, RuntimeError) as err:
      # The interpreter raises these for a shape that an op cannot take.
      raise InvalidArgument(str(err)) from err
    finally:
      self._idle.put(interpreter)

  def close(self) -> None:
    """Does nothing: interpreters are freed with the last reference."""

  def _run(
    self, interpreter: Any, feeds: Mapping[str, Array], fetches: Sequence[str]
  ) -> list[Array]:
    shapes = {d["index"]: tuple(d["shape"]) for d in interpreter.get_input_details()}
    for name, value in feeds.items():
      index = self._inputs[name]["index"]
      if shapes[index] != value.shape:
        interpreter.resize_tensor_input(index, value.shape)
    interpreter.allocate_tensors()
    for name, value in feeds.items():
      interpreter.set_tensor(self._inputs[name]["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(self._outputs[name]["index"]) for name in fetches]


def _by_name(details: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
  return {detail["name"]: detail for detail in details}


def tensor_type(details: Mapping[str, Any]) -> Any:
  """Returns the type of a tensor with these details; the interpreter calls strings bytes."""
  return tf.as_dtype(object if details["dtype"] is bytes else details["dtype"])


def _interpreter(model: bytes, path: pathlib.Path) -> Any:
  if not hasattr(tf, "lite") or not hasattr(tf.lite, "Interpreter"):
    raise Unimplemented(f"TensorFlow {tf.__version__} has no TFLite interpreter.")
  try:
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
  except ValueError as err:
    raise DataLoss(f"Failed to load {path}: {err}") from err
  except RuntimeError as err:
    raise Internal(f"Failed to load {path}: {err}") from err
  return interpreter


def _check_type(alias: str, value: Array, detail: Mapping[str, Any]) -> None:
  expected = tensor_type(detail)
  if dtype_enum(value) != expected.as_datatype_enum:
    raise InvalidArgument(
      f"Expected input {alias} to be of type {expected.name}. Received: {value.dtype}"
    )


def read_signatures(model: bytes, inputs: Details, outputs: Details) -> dict[str, Any]:
  """Maps name to `SignatureDef`; all of their tensors are the model's.

  Args:
    model: a valid TFLite model.
    inputs: the interpreter's details of its inputs, by tensor name.
    outputs: the same of its outputs.

  Raises:
    InvalidArgument: the metadata hold no valid signatures.
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
  # Here, because only a TensorFlow with TFLite has them.
  from flatbuffers import flexbuffers
  from tensorflow.lite.python import schema_py_generated as schema

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
  """Removes TensorFlow's ":0" from a tensor's name, which early converters wrote without it."""
  return name.partition(":")[0]
