"""`GrpcClient`: a model over gRPC.

Source: tensorflow_serving/apis/{prediction_service,model_service}.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from dlpipe_client import protos
from dlpipe_client.answers import (
  ModelMetadata,
  ModelSpec,
  Signature,
  TensorInfo,
  VersionStatus,
)
from dlpipe_client.client import Client
from dlpipe_client.errors import InvalidResponse
from dlpipe_client.examples import example_to_proto
from dlpipe_client.grpc_transport import ChannelTransport, GrpcTransport
from dlpipe_client.retry import Deadline, Retry
from dlpipe_client.tensors import Array, from_proto, name_of_number, to_proto
from dlpipe_client.tls import Tls

_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"
# Source: tensorflow_serving/apis/get_model_status.proto; google/rpc/code.proto.
_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
_CODES = (
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
  "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
  "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


class GrpcClient(Client):
  """Asks one model over gRPC.

  The methods are those of `Client`.

  >>> with GrpcClient("127.0.0.1:8500", "sentiment", timeout_s=5) as client:
  ...   client.model
  'sentiment'
  """

  def __init__(
    self,
    target: str,
    model: str,
    *,
    timeout_s: float = 30.0,
    retry: Retry | None = None,
    tls: Tls | None = None,
    token: str | None = None,
    channel_options: Sequence[tuple[str, object]] = (),
    transport: GrpcTransport | None = None,
  ):
    """Connects when it is first asked.

    Args:
      target: `host:port`, or `unix:/path`.
      model: the model's name.
      timeout_s: seconds for a call, all tries included; sent to the server as the deadline.
      retry: when a call is tried again.
      tls: certificates; None is without TLS.
      token: sent as `authorization: Bearer`.
      channel_options: gRPC channel arguments.
      transport: carries the calls instead of a channel; `target`, `tls` and `channel_options` are
        then not used.

    Raises:
      InvalidInput: an argument is not as above.
    """
    super().__init__(model, timeout_s=timeout_s, retry=retry, token=token)
    self._transport = (
      ChannelTransport(target, tls=tls, options=channel_options) if transport is None else transport
    )

  def close(self) -> None:
    self._transport.close()

  def _predict(
    self, spec: ModelSpec, inputs: dict[str, Array], deadline: Deadline
  ) -> dict[str, Array]:
    request = protos.PredictRequest(model_spec=_spec_proto(spec))
    for name, array in inputs.items():
      request.inputs[name].CopyFrom(to_proto(array))
    answer = self._send(
      _PREDICTION + "Predict", request, protos.PredictResponse, deadline.remaining_s()
    )
    return {name: from_proto(tensor) for name, tensor in answer.outputs.items()}

  def _classify(
    self,
    spec: ModelSpec,
    examples: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None,
    left_s: float,
  ) -> list[list[tuple[str, float]]]:
    request = _input_request(spec, examples, context)
    answer = self._send(_PREDICTION + "Classify", request, protos.ClassificationResponse, left_s)
    return [
      [(each.label.decode("utf-8", "surrogateescape"), each.score) for each in row.classes]
      for row in answer.result.classifications
    ]

  def _regress(
    self,
    spec: ModelSpec,
    examples: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None,
    left_s: float,
  ) -> Array:
    request = _input_request(spec, examples, context)
    answer = self._send(_PREDICTION + "Regress", request, protos.RegressionResponse, left_s)
    return np.array([each.value for each in answer.result.regressions], np.float32)

  def _get_metadata(self, spec: ModelSpec, left_s: float) -> ModelMetadata:
    request = protos.GetModelMetadataRequest(
      model_spec=_spec_proto(spec), metadata_field=["signature_def"]
    )
    answer = self._send(
      _PREDICTION + "GetModelMetadata", request, protos.GetModelMetadataResponse, left_s
    )
    if "signature_def" not in answer.metadata:
      raise InvalidResponse(f"Expected `signature_def`. Received: {sorted(answer.metadata)}.")
    found = _parsed(protos.SignatureDefMap, answer.metadata["signature_def"].value)
    return ModelMetadata(
      answer.model_spec.name,
      answer.model_spec.version.value,
      {
        name: Signature(_infos(each.inputs), _infos(each.outputs), each.method_name)
        for name, each in found.signature_def.items()
      },
    )

  def _get_status(self, spec: ModelSpec, left_s: float) -> tuple[VersionStatus, ...]:
    request = protos.GetModelStatusRequest(model_spec=_spec_proto(spec))
    answer = self._send(_MODEL + "GetModelStatus", request, protos.GetModelStatusResponse, left_s)
    return tuple(
      VersionStatus(
        each.version,
        _STATES.get(each.state, str(each.state)),
        _code(each.status.error_code),
        each.status.error_message.decode("utf-8", "replace"),
      )
      for each in answer.model_version_status
    )

  def _send(self, method: str, request: Any, answer: Any, left_s: float) -> Any:
    body = self._transport.send(method, request.SerializeToString(), self._headers, left_s)
    return _parsed(answer, body)


def _parsed(message: Any, body: bytes) -> Any:
  try:
    return message.FromString(body)
  except DecodeError as err:
    raise InvalidResponse(f"The server's answer is not understood: {err}") from err


def _code(number: int) -> str:
  return _CODES[number] if 0 <= number < len(_CODES) else str(number)


def _spec_proto(spec: ModelSpec) -> Any:
  proto = protos.ModelSpec(name=spec.name, signature_name=spec.signature_name)
  if spec.version is not None:
    proto.version.value = spec.version
    proto.version.SetInParent()  # version 0 is a version, too
  elif spec.label is not None:
    proto.version_label = spec.label
  return proto


def _input_request(
  spec: ModelSpec, examples: Sequence[Mapping[str, Any]], context: Mapping[str, Any] | None
) -> Any:
  request = protos.InputRequest(model_spec=_spec_proto(spec))
  if context is None:
    target = request.input.example_list
  else:
    target = request.input.example_list_with_context
    target.context.CopyFrom(example_to_proto(context))
  target.examples.extend(example_to_proto(example) for example in examples)
  return request


def _infos(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
  return {
    name: TensorInfo(
      name_of_number(info.dtype),
      None
      if info.tensor_shape.unknown_rank
      else tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim),
    )
    for name, info in infos.items()
  }
