"""TFLite models behind the interface of a session: `--prefer_tflite_model`.

Source: tensorflow_serving/servables/tensorflow/{tflite_session,tflite_interpreter_pool}.cc.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import queue
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from serving.errors import DataLoss, Internal, InvalidArgument, Unimplemented
from serving.servable import SERVING_DEFAULT
from serving.sessions import Array, Runnable
from serving.tensors import dtype_enum

FILE = "model.tflite"
_PREDICT = "tensorflow/serving/predict"


@dataclasses.dataclass(frozen=True)
class _Plan:
  """A signature: name of each tensor to what the signature calls it."""

  key: str
  inputs: Mapping[str, str]
  outputs: Mapping[str, str]


class TfliteSession(Runnable):
  """One TFLite model in memory. Safe to run from several threads.

  Attributes:
    signatures: name to `SignatureDef`; a model without any has `serving_default`, whose inputs and
      outputs are called as its tensors are.
  """

  def __init__(self, path: str | os.PathLike[str], *, interpreters: int = 1):
    """Args: the folder of `model.tflite`, and how many runs may go on at the same time.

    Raises:
      DataLoss: the file is no TFLite model.
      Unimplemented: this TensorFlow cannot run one.
    """
    made = [_interpreter(pathlib.Path(path) / FILE) for _ in range(max(1, interpreters))]
    self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
    for interpreter in made:
      self._idle.put(interpreter)
    self._has_signatures = bool(made[0].get_signature_list())
    self.signatures: dict[str, Any] = {}
    # Tensors of inputs have a name for each signature; those of outputs may share one.
    self._plans: dict[frozenset[str], _Plan] = {}
    for key in made[0].get_signature_list() or [SERVING_DEFAULT]:
      inputs, outputs = self._details(made[0], key)
      self.signatures[key] = _definition(inputs, outputs)
      names = {detail["name"]: alias for alias, detail in inputs.items()}
      self._plans[frozenset(names)] = _Plan(
        key, names, {detail["name"]: alias for alias, detail in outputs.items()}
      )

  def run(
    self, feeds: Mapping[str, Array], fetches: Sequence[str], timeout_s: float | None = None
  ) -> list[Array]:
    plan = self._plans.get(frozenset(feeds))
    if plan is None:
      raise InvalidArgument(f"No signature of the model takes the tensors {sorted(feeds)}.")
    interpreter = self._idle.get()
    try:
      details, outputs = self._details(interpreter, plan.key)
      given = {plan.inputs[name]: value for name, value in feeds.items()}
      for alias, value in given.items():
        _check_type(alias, value, details[alias])
      if self._has_signatures:
        found = interpreter.get_signature_runner(plan.key)(**given)
        return [found[plan.outputs[name]] for name in fetches]
      return _run_plain(interpreter, given, details, [outputs[name] for name in fetches])
    except (ValueError, RuntimeError) as err:
      # The interpreter's words for a shape that an op cannot take.
      raise InvalidArgument(str(err)) from err
    finally:
      self._idle.put(interpreter)

  def close(self) -> None:
    """Nothing to do: interpreters go with the last reference."""

  def _details(self, interpreter: Any, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Name to details of inputs and outputs."""
    if self._has_signatures:
      runner = interpreter.get_signature_runner(key)
      return runner.get_input_details(), runner.get_output_details()
    return (
      {detail["name"]: detail for detail in interpreter.get_input_details()},
      {detail["name"]: detail for detail in interpreter.get_output_details()},
    )


def _interpreter(path: pathlib.Path) -> Any:
  if not hasattr(tf, "lite") or not hasattr(tf.lite, "Interpreter"):
    raise Unimplemented(f"TensorFlow {tf.__version__} has no TFLite interpreter.")
  try:
    interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
  except ValueError as err:
    raise DataLoss(f"Failed to load {path}: {err}") from err
  except RuntimeError as err:
    raise Internal(f"Failed to load {path}: {err}") from err
  return interpreter


def _definition(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
  definition = meta_graph_pb2.SignatureDef(method_name=_PREDICT)
  for target, details in ((definition.inputs, inputs), (definition.outputs, outputs)):
    for alias, detail in details.items():
      target[alias].name = detail["name"]
      target[alias].dtype = tf.as_dtype(_numpy_type(detail)).as_datatype_enum
      for size in detail["shape_signature"]:
        target[alias].tensor_shape.dim.add(size=int(size))
  return definition


def _check_type(alias: str, value: Array, detail: Mapping[str, Any]) -> None:
  expected = tf.as_dtype(_numpy_type(detail))
  if dtype_enum(value) != expected.as_datatype_enum:
    raise InvalidArgument(
      f"Expected input {alias} to be of type {expected.name}. Received: {value.dtype}"
    )


def _numpy_type(detail: Mapping[str, Any]) -> Any:
  """The interpreter's word for strings is bytes."""
  return object if detail["dtype"] is bytes else detail["dtype"]


def _run_plain(
  interpreter: Any,
  given: Mapping[str, Array],
  details: Mapping[str, Any],
  outputs: Sequence[Mapping[str, Any]],
) -> list[Array]:
  """Runs a model without signatures."""
  for alias, value in given.items():
    if tuple(details[alias]["shape"]) != value.shape:
      interpreter.resize_tensor_input(details[alias]["index"], value.shape)
  interpreter.allocate_tensors()
  for alias, value in given.items():
    interpreter.set_tensor(details[alias]["index"], value)
  interpreter.invoke()
  return [interpreter.get_tensor(output["index"]) for output in outputs]
