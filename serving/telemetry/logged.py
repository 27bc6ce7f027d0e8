"""The records of the request log: a `PredictionLog`, followed by a note of ours in the same record.

The note is a field that readers of `PredictionLog` do not know and pass over, TFX's among them:
protobuf joins messages by joining their bytes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import model_pb2, prediction_log_pb2

from serving.models.classification import Classes
from serving.models.proto_calls import fill_classes, fill_spec, fill_values
from serving.models.servable import Run, Servable
from serving.models.tensors import Array, array_from_proto, fill_proto
from serving.protos import LoggedRequest

_FIELDS = {
  "Predict": "predict_log",
  "Classify": "classify_log",
  "Regress": "regress_log",
  "MultiInference": "multi_inference_log",
}
# An input that may hold any feature.
_EXAMPLES = "examples"
_US = 1e6
_START = secrets.token_hex(4)


@dataclasses.dataclass(frozen=True)
class Noted:
  """What is known of a request beside its content.

  Attributes:
    why: why it is logged.
    client_id: the name that the caller gave to it; empty if none.
    latency_us: microseconds from its arrival to its answer; 0 if unknown.
    error: what it was refused with; empty if it was answered.
  """

  why: str
  client_id: str = ""
  latency_us: int = 0
  error: str = ""

  @classmethod
  def now(cls, run: Run, why: str, error: str = "") -> Noted:
    """Returns the note of a request that has its answer now."""
    spent = time.perf_counter() - run.started if run.started else 0.0
    return cls(why, run.client_id, int(spent * _US), error)

  def message(self, number: int) -> Any:
    """Returns the note as it follows a record; no other entry of this server has this `number`."""
    logged = LoggedRequest()
    logged.note.id = f"{_START}-{number:x}"
    logged.note.client_id = _text(self.client_id)
    logged.note.latency_us = self.latency_us
    logged.note.why = self.why
    logged.note.error = _text(self.error)
    return logged


def of_messages(api: str, request: Any, response: Any) -> prediction_log_pb2.PredictionLog:
  """Returns the record of a gRPC request."""
  record = prediction_log_pb2.PredictionLog()
  field = _FIELDS[api]
  getattr(record, field).request.CopyFrom(request)
  getattr(record, field).response.CopyFrom(response)
  answered = response.results[0] if api == "MultiInference" else response
  record.log_metadata.model_spec.CopyFrom(answered.model_spec)
  return record


def of_predict(
  servable: Servable,
  signature: str,
  inputs: Mapping[str, Array],
  outputs: Mapping[str, Array],
) -> prediction_log_pb2.PredictionLog:
  """Returns the record of a REST Predict."""
  record = _record(servable, signature)
  log = record.predict_log
  for message, arrays in ((log.request.inputs, inputs), (log.response.outputs, outputs)):
    for name, array in arrays.items():
      fill_proto(message[name], array)
  _fill_specs(log, record.log_metadata.model_spec)
  return record


def of_examples(
  api: str,
  servable: Servable,
  signature: str,
  examples: Sequence[bytes],
  result: Classes | Array,
) -> prediction_log_pb2.PredictionLog:
  """Returns the record of a REST Classify or Regress."""
  record = _record(servable, signature)
  log = getattr(record, _FIELDS[api])
  for example in examples:
    log.request.input.example_list.examples.add().ParseFromString(example)
  if isinstance(result, Classes):
    fill_classes(log.response.result, result)
  else:
    fill_values(log.response.result, result)
  _fill_specs(log, record.log_metadata.model_spec)
  return record


def of_error(model: str) -> prediction_log_pb2.PredictionLog:
  """Returns the record of a refused request, without its content, which may be anything."""
  record = prediction_log_pb2.PredictionLog()
  record.log_metadata.model_spec.name = model
  return record


def without(record: prediction_log_pb2.PredictionLog, names: Collection[str]) -> None:
  """Removes inputs, outputs and features from a record, in place.

  Serialized examples go whole, because they may hold any of them.
  """
  if not names:
    return
  for tensors in (record.predict_log.request.inputs, record.predict_log.response.outputs):
    hiding = [name for name, tensor in tensors.items() if _hides(tensor, names)]
    for name in {*names, *hiding, _EXAMPLES} & set(tensors):
      del tensors[name]
  for log in (record.classify_log, record.regress_log, record.multi_inference_log):
    lists = log.request.input
    for example in (*lists.example_list.examples, *lists.example_list_with_context.examples):
      _drop(example, names)
    if lists.HasField("example_list_with_context"):
      _drop(lists.example_list_with_context.context, names)


def _hides(tensor: Any, names: Collection[str]) -> bool:
  """Returns whether a tensor, whatever its name, has a serialized example with the feature."""
  if tensor.dtype != tf.string.as_datatype_enum:
    return False
  for value in array_from_proto(tensor).ravel():
    with contextlib.suppress(DecodeError):
      if set(names) & set(tf.train.Example.FromString(value).features.feature):
        return True
  return False


def _text(text: str) -> str:
  """Returns the text without halves of characters, which stand for bytes that are not UTF-8."""
  return text.encode("utf-8", "replace").decode("utf-8")


def _drop(example: Any, names: Collection[str]) -> None:
  for name in set(names) & set(example.features.feature):
    del example.features.feature[name]


def _record(servable: Servable, signature: str) -> Any:
  record = prediction_log_pb2.PredictionLog()
  fill_spec(record.log_metadata.model_spec, servable)
  record.log_metadata.model_spec.signature_name = signature
  return record


def _fill_specs(log: Any, spec: model_pb2.ModelSpec) -> None:
  log.request.model_spec.CopyFrom(spec)
  log.response.model_spec.CopyFrom(spec)
