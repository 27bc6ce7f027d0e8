"""TFLite models behind the interface of a session: `--prefer_tflite_model`.

Source: tensorflow_serving/servables/tensorflow/{tflite_session,tflite_interpreter_pool}.cc.
"""

from __future__ import annotations

import os
import pathlib
import queue
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from serving.errors import DataLoss, Internal, InvalidArgument, Unimplemented
from serving.sessions import Array, Runnable
from serving.tensors import dtype_enum

FILE = "model.tflite"


class TfliteSession(Runnable):
  """One TFLite model in memory. Safe to run from several threads.

  Attributes:
    signatures: name to `SignatureDef`.
  """

  def __init__(self, path: str | os.PathLike[str], *, interpreters: int = 1):
    """Args: the folder of `model.tflite`, and how many runs may go on at the same time.

    Raises:
      DataLoss: the file is no TFLite model.
      InvalidArgument: the signatures in its metadata are none.
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
    # Here, because only a TensorFlow with TFLite has what it imports.
    from serving.tflite_signatures import read_signatures

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
      # The interpreter's words for a shape that an op cannot take.
      raise InvalidArgument(str(err)) from err
    finally:
      self._idle.put(interpreter)

  def close(self) -> None:
    """Nothing to do: interpreters go with the last reference."""

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
  """The type of a tensor of which the interpreter gives these details; it calls strings bytes."""
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
