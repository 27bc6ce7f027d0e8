"""Messages of PredictionService and ModelService to the protocol-neutral calls and back.

Both faces, warm-up and the request log call it; it knows no protocol.
Source: tensorflow_serving/apis/*.proto, tensorflow_serving/servables/tensorflow/util.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  inference_pb2,
  input_pb2,
  model_pb2,
  predict_pb2,
  regression_pb2,
)

from serving.errors import CODE_NUMBERS, InvalidArgument
from serving.models import classification, inference
from serving.models.classification import Classes
from serving.models.lifecycle import VersionStatus
from serving.models.servable import SERVING_DEFAULT, ModelSpec, Run, Servable
from serving.models.tensors import Array, array_from_proto, fill_proto

SIGNATURE_DEF = "signature_def"  # the one metadata field there is


def read_spec(message: Any) -> ModelSpec:
  """Returns the model that a request is for.

  Raises:
    InvalidArgument: the request names no model.
  """
  if not message.HasField("model_spec"):
    raise InvalidArgument("Missing ModelSpec")
  return to_spec(message.model_spec)


def to_spec(proto: model_pb2.ModelSpec) -> ModelSpec:
  """Returns a `ModelSpec` message as a plain record."""
  choice = proto.WhichOneof("version_choice")
  return ModelSpec(
    proto.name,
    proto.version.value if choice == "version" else None,
    proto.version_label if choice == "version_label" else None,
    proto.signature_name,
  )


def predict(
  servable: Servable,
  request: predict_pb2.PredictRequest,
  *,
  run: Run | None = None,
  check_method: bool = False,
  as_content: bool = False,
) -> predict_pb2.PredictResponse:
  """Answers a PredictRequest with a PredictResponse."""
  signature_name = _signature_name(request.model_spec)
  outputs = inference.predict(
    servable,
    request.inputs,
    signature_name=signature_name,
    output_filter=request.output_filter,
    run=run,
    read=array_from_proto,
    check_method=check_method,
  )
  response = predict_pb2.PredictResponse()
  _echo(response.model_spec, servable, signature_name)
  for name, array in outputs.items():
    fill_proto(response.outputs[name], array, as_content=as_content)
  return response


def classify(
  servable: Servable, request: classification_pb2.ClassificationRequest, *, run: Run | None = None
) -> classification_pb2.ClassificationResponse:
  """Answers a ClassificationRequest with a ClassificationResponse."""
  signature_name = _signature_name(request.model_spec)
  classes = classification.classify(
    servable,
    read_examples(request.input),
    signature_name=signature_name,
    run=run,
  )
  response = classification_pb2.ClassificationResponse()
  _echo(response.model_spec, servable, signature_name)
  fill_classes(response.result, classes)
  return response


def regress(
  servable: Servable, request: regression_pb2.RegressionRequest, *, run: Run | None = None
) -> regression_pb2.RegressionResponse:
  """Answers a RegressionRequest with a RegressionResponse."""
  signature_name = _signature_name(request.model_spec)
  values = classification.regress(
    servable,
    read_examples(request.input),
    signature_name=signature_name,
    run=run,
  )
  response = regression_pb2.RegressionResponse()
  _echo(response.model_spec, servable, signature_name)
  fill_values(response.result, values)
  return response


def multi_inference(
  servable: Servable, request: inference_pb2.MultiInferenceRequest, *, run: Run | None = None
) -> inference_pb2.MultiInferenceResponse:
  """Answers a MultiInferenceRequest with a MultiInferenceResponse."""
  tasks = []
  for task in request.tasks:
    if not task.model_spec.name:
      raise InvalidArgument("Found ModelSpec with an empty model name.")
    if task.model_spec.name != request.tasks[0].model_spec.name:
      raise InvalidArgument(
        "All ModelSpecs in a MultiInferenceRequest must access the same model name."
      )
    tasks.append((_signature_name(task.model_spec), task.method_name))
  results = inference.multi_inference(servable, tasks, read_examples(request.input), run)
  response = inference_pb2.MultiInferenceResponse()
  for (signature_name, _), result in zip(tasks, results, strict=True):
    entry = response.results.add()
    _echo(entry.model_spec, servable, signature_name)
    if isinstance(result, Classes):
      fill_classes(entry.classification_result, result)
    else:
      fill_values(entry.regression_result, result)
  return response


def read_examples(proto: input_pb2.Input) -> list[bytes]:
  """Returns an `Input`'s tf.Examples, serialized, each with the context before it if it has one."""
  kind = proto.WhichOneof("kind")
  if kind == "example_list":
    return _serialized(proto.example_list.examples)
  if kind == "example_list_with_context":
    # Concatenated messages are parsed as one: the example's features join the context's.
    context = proto.example_list_with_context.context.SerializeToString()
    return [context + row for row in _serialized(proto.example_list_with_context.examples)]
  return []


def _serialized(examples: Sequence[Any]) -> list[bytes]:
  return [example.SerializeToString() for example in examples]


def _signature_name(proto: model_pb2.ModelSpec) -> str:
  """Returns the signature that a `ModelSpec` message means."""
  return proto.signature_name or SERVING_DEFAULT


def _echo(proto: model_pb2.ModelSpec, servable: Servable, signature_name: str) -> None:
  fill_spec(proto, servable)
  proto.signature_name = signature_name


def fill_spec(proto: model_pb2.ModelSpec, servable: Servable) -> None:
  """Writes which version answered."""
  proto.name = servable.name
  proto.version.value = servable.version


def fill_classes(proto: classification_pb2.ClassificationResult, classes: Classes) -> None:
  """Writes a ClassificationResult."""
  for row in classes.rows():
    entry = proto.classifications.add()
    for label, score in row:
      # The field is text: bytes that are no UTF-8 would make the whole answer unreadable.
      entry.classes.add(label=label.decode("utf-8", "replace"), score=score)


def fill_values(proto: regression_pb2.RegressionResult, values: Array) -> None:
  """Writes a RegressionResult."""
  for value in values.tolist():
    proto.regressions.add(value=value)


def signature_map(servable: Servable) -> get_model_metadata_pb2.SignatureDefMap:
  """Returns a SignatureDefMap with all signatures of a version."""
  signatures = get_model_metadata_pb2.SignatureDefMap()
  for name, signature in servable.signatures.items():
    signatures.signature_def[name].CopyFrom(signature)
  return signatures


def metadata_response(servable: Servable) -> get_model_metadata_pb2.GetModelMetadataResponse:
  """Returns a GetModelMetadataResponse with all signatures."""
  response = get_model_metadata_pb2.GetModelMetadataResponse()
  fill_spec(response.model_spec, servable)
  response.metadata[SIGNATURE_DEF].Pack(signature_map(servable))
  return response


def status_response(
  statuses: Sequence[VersionStatus],
) -> get_model_status_pb2.GetModelStatusResponse:
  """Returns a GetModelStatusResponse."""
  response = get_model_status_pb2.GetModelStatusResponse()
  for status in statuses:
    entry = response.model_version_status.add(version=status.version, state=int(status.state))
    entry.status.error_code = CODE_NUMBERS["OK"]
    if status.error is not None:
      entry.status.error_code = CODE_NUMBERS[status.error.grpc_code]
      entry.status.error_message = status.error.message
  return response
