"""PredictionService and ModelService over gRPC: messages in, messages out, errors as statuses.

Source: tensorflow_serving/model_servers/{prediction_service_impl,model_service_impl,
grpc_status_util}.cc.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  inference_pb2,
  model_management_pb2,
  predict_pb2,
  regression_pb2,
)

from serving.errors import (
  InvalidArgument,
  PermissionDenied,
  ServingError,
  for_the_caller,
)
from serving.models import proto_calls
from serving.models.servable import ModelSpec, Run
from serving.models.serving_core import ServingCore
from serving.telemetry import logged, sampling
from serving.telemetry.hooks import Hooks

_LOG = logging.getLogger(__name__)
_STATUS_CODES = {code.name: code for code in grpc.StatusCode}
_MAX_MESSAGE = 1024
# Without a deadline gRPC gives the end of time, a number too large for TensorFlow and locks.
_LONGEST_S = 1e6


class PredictionService:
  """Predict, Classify, Regress, MultiInference and GetModelMetadata."""

  def __init__(
    self,
    core: ServingCore,
    hooks: Hooks | None = None,
    *,
    check_method: bool = False,
    as_content: bool = False,
  ):
    """Registers nothing yet.

    Args:
      core: the models.
      hooks: told of every request and its outcome.
      check_method: whether Predict refuses signatures of other methods.
      as_content: whether answers use `tensor_content`.
    """
    self._core = core
    self._hooks = hooks or Hooks()
    self._check_method = check_method
    self._as_content = as_content

  def add_to(self, server: grpc.Server) -> None:
    """Registers the service."""
    _register(
      server,
      "tensorflow.serving.PredictionService",
      {
        self.Predict: predict_pb2.PredictRequest,
        self.Classify: classification_pb2.ClassificationRequest,
        self.Regress: regression_pb2.RegressionRequest,
        self.MultiInference: inference_pb2.MultiInferenceRequest,
        self.GetModelMetadata: get_model_metadata_pb2.GetModelMetadataRequest,
      },
    )

  def Predict(  # noqa: N802
    self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
  ) -> predict_pb2.PredictResponse:
    call = functools.partial(
      proto_calls.predict, check_method=self._check_method, as_content=self._as_content
    )
    return self._answer("Predict", request, context, call)

  def Classify(  # noqa: N802
    self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
  ) -> classification_pb2.ClassificationResponse:
    return self._answer("Classify", request, context, proto_calls.classify)

  def Regress(  # noqa: N802
    self, request: regression_pb2.RegressionRequest, context: grpc.ServicerContext
  ) -> regression_pb2.RegressionResponse:
    return self._answer("Regress", request, context, proto_calls.regress)

  def MultiInference(  # noqa: N802
    self, request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext
  ) -> inference_pb2.MultiInferenceResponse:
    return self._answer("MultiInference", request, context, proto_calls.multi_inference)

  def GetModelMetadata(  # noqa: N802
    self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
  ) -> get_model_metadata_pb2.GetModelMetadataResponse:
    def call() -> Any:
      spec = proto_calls.read_spec(request)
      if not request.metadata_field:
        raise InvalidArgument("GetModelMetadataRequest must specify at least one metadata_field")
      for field in request.metadata_field:
        if field != proto_calls.SIGNATURE_DEF:
          raise InvalidArgument(f"Metadata field {field} is not supported")
      with self._core.acquire(spec) as servable:
        return proto_calls.metadata_response(servable)

    return _call(context, call)

  def _answer(
    self,
    api: str,
    request: Any,
    context: grpc.ServicerContext,
    call: Callable[..., Any],
  ) -> Any:
    started = time.perf_counter()
    spec = ModelSpec("")
    run = Run(seconds_left(context), started=started, client_id=self._client_id(context))
    try:
      spec = _spec_of(api, request)
      with self._core.acquire(spec) as servable:
        response = call(servable, request, run=run)
    except Exception as err:
      return self._refuse(api, spec, context, err, run)
    self._hooks.answered(api, "GRPC", spec.name, time.perf_counter() - started, run)
    record = functools.partial(logged.of_messages, api, request, response)
    self._hooks.log(record, functools.partial(sampling.of_message, api, response), run)
    return response

  def _client_id(self, context: grpc.ServicerContext) -> str:
    """Returns the name that the caller gave to the request, if the log wants it."""
    wanted = self._hooks.id_header
    if not wanted:
      return ""
    given = (value for key, value in context.invocation_metadata() or () if key == wanted)
    value = next(given, "")
    return value if isinstance(value, str) else value.decode("latin-1")

  def _refuse(
    self, api: str, spec: ModelSpec, context: grpc.ServicerContext, err: Exception, run: Run
  ) -> Any:
    # In a function of its own: an error that a variable of its own traceback's frame refers to is a
    # cycle, which keeps the request in memory until the garbage collector runs.
    error = for_the_caller(err, _LOG)
    self._hooks.refused(api, "GRPC", spec.name, error, run)
    return _abort(context, error)


class ModelService:
  """GetModelStatus and HandleReloadConfigRequest."""

  def __init__(self, core: ServingCore, hooks: Hooks | None = None, *, with_reload: bool = True):
    """Registers nothing yet.

    Args:
      core: the models.
      hooks: knows the metrics that a reload may ask for.
      with_reload: whether the configuration may be replaced.
    """
    self._core = core
    self._with_reload = with_reload
    self._hooks = hooks or Hooks()

  def add_to(self, server: grpc.Server) -> None:
    """Registers the service."""
    _register(
      server,
      "tensorflow.serving.ModelService",
      {
        self.GetModelStatus: get_model_status_pb2.GetModelStatusRequest,
        self.HandleReloadConfigRequest: model_management_pb2.ReloadConfigRequest,
      },
    )

  def GetModelStatus(  # noqa: N802
    self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
  ) -> get_model_status_pb2.GetModelStatusResponse:
    def call() -> Any:
      return proto_calls.status_response(self._core.statuses(proto_calls.read_spec(request)))

    return _call(context, call)

  def HandleReloadConfigRequest(  # noqa: N802
    self, request: model_management_pb2.ReloadConfigRequest, context: grpc.ServicerContext
  ) -> model_management_pb2.ReloadConfigResponse:
    def call() -> Any:
      count = len(request.config.model_config_list.config)
      _LOG.info("%s asks for another configuration, of %d models", context.peer(), count)
      if not self._with_reload:
        raise PermissionDenied("This server is not reconfigured (--enable_config_reload=false).")
      before = self._hooks.totals(request.metric_names)
      self._core.configure(request.config, seconds_left(context))
      response = model_management_pb2.ReloadConfigResponse()
      response.status.SetInParent()
      for name, total in self._hooks.totals(request.metric_names).items():
        response.metric.add(name=name, int64_value_increase=int(total - before.get(name, 0)))
      return response

    return _call(context, call)


def seconds_left(context: grpc.ServicerContext) -> float | None:
  """Returns seconds until the caller's deadline; None if there is none."""
  left = context.time_remaining()
  return left if left is not None and left < _LONGEST_S else None


def _spec_of(api: str, request: Any) -> ModelSpec:
  if api != "MultiInference":
    return proto_calls.read_spec(request)
  return proto_calls.to_spec(request.tasks[0].model_spec) if request.tasks else ModelSpec("")


def _register(server: grpc.Server, service: str, methods: Mapping[Callable[..., Any], Any]) -> None:
  handlers = {call.__name__: _handler(call, request) for call, request in methods.items()}
  server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _handler(call: Callable[[Any, Any], Any], request_class: Any) -> Any:
  """Parses the message here: gRPC's Python leaks the message of a call that it cannot parse."""

  def handle(message: bytes, context: grpc.ServicerContext) -> Any:
    try:
      request = request_class.FromString(message)
    except DecodeError:
      return context.abort(grpc.StatusCode.INTERNAL, "Exception deserializing request!")
    return call(request, context)

  return grpc.unary_unary_rpc_method_handler(
    handle, response_serializer=lambda response: response.SerializeToString()
  )


def _call(context: grpc.ServicerContext, call: Callable[[], Any]) -> Any:
  try:
    return call()
  except Exception as err:
    return _abort(context, for_the_caller(err, _LOG))


def _abort(context: grpc.ServicerContext, error: ServingError) -> None:
  message = error.message
  if len(message) > _MAX_MESSAGE:
    message = message[:_MAX_MESSAGE] + "...TRUNCATED"
  context.abort(_STATUS_CODES[error.grpc_code], message)
