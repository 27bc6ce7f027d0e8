"""Puts the server together: loads the models, then opens the ports.

Source: tensorflow_serving/model_servers/server.cc.
"""

from __future__ import annotations

import logging
import pathlib
import threading
from typing import Any

import tensorflow as tf
from tensorflow_serving.config import model_server_config_pb2

from serving.auth import read_tokens
from serving.batching.parameters import BatchOptions, read_options
from serving.batching.scheduler import BatchingRunner, BatchScheduler
from serving.errors import InvalidArgument, ServingError, Unavailable
from serving.flags import Flags, without_effect
from serving.grpc import grpc_server
from serving.grpc.profiler import ProfilerProxy
from serving.grpc.services import ModelService, PredictionService
from serving.grpc.token_interceptor import TokenInterceptor
from serving.models.lifecycle import ModelManager
from serving.models.loader import LoadOptions, SavedModelLoader, Wrap
from serving.models.model_config import TENSORFLOW
from serving.models.serving_core import ServingCore
from serving.models.sessions import Runnable, SessionOptions
from serving.models.version_source import VersionSource
from serving.network.tls import http_context, read_ssl_config
from serving.protos import MonitoringConfig, read_text_proto
from serving.rest.api import RestApi, RestOptions
from serving.rest.http_server import HttpServer
from serving.rest.limits import Limits
from serving.rest.page import Page
from serving.telemetry.request_log import RequestLog, Retention
from serving.telemetry.sampling import Sampling
from serving.telemetry.telemetry import Telemetry

_LOG = logging.getLogger(__name__)
_GRACE_S = 30.0
_BATCHING_FILE = "batching_params.pbtxt"
_EVERY_HOST = ("", "0.0.0.0", "::")
_MB = 1_000_000
_METRICS_PATH = "/monitoring/prometheus/metrics"


class ModelServer:
  """A server, as described by its flags."""

  def __init__(self, flags: Flags):
    """Reads what the flags name and loads nothing.

    Raises:
      ServingError: the flags ask for something that is not possible.
    """
    self._flags = flags
    self._config = read_models(flags)
    self._credentials = (
      grpc_server.read_credentials(flags.ssl_config_file) if flags.ssl_config_file else None
    )
    self._tokens = read_tokens(flags.auth_tokens_file) if flags.auth_tokens_file else None
    self._tls = http_context(flags.rest_ssl_config_file) if flags.rest_ssl_config_file else None
    _refuse_open_rest(flags)
    self._metrics_path = _metrics_path(flags)
    self._log = _request_log(flags) if flags.request_log_dir else None
    self._hooks = Telemetry(self._log, id_header=flags.request_log_id_header)
    if self._tokens is not None:
      # No model is named, because the request's path is not read before its token.
      self._tokens.on_refused = lambda protocol, error: self._hooks.refused("", protocol, "", error)
    self._core = make_core(flags, self._hooks)
    if self._log is not None:
      self._log.is_model = lambda name: name in self._core.names()
    self._grpc: Any = None
    self._http: HttpServer | None = None
    self._stop = threading.Event()

  def start(self) -> None:
    """Loads the models, then opens the ports.

    Raises:
      ServingError: a model has no version that can be loaded, or a port cannot be opened.
    """
    for sentence in without_effect(self._flags):
      _LOG.warning("%s", sentence)
    self._core.start(self._config)
    self._start_grpc()
    if self._flags.rest_api_port:
      self._start_http()
    if self._flags.model_config_file and self._flags.model_config_file_poll_wait_seconds > 0:
      threading.Thread(target=self._poll_config, name="poll config", daemon=True).start()

  def stop(self) -> None:
    """Takes no new requests, lets those in flight end, unloads the models."""
    if self._stop.is_set():
      return
    self._stop.set()
    drained = self._grpc.stop(_GRACE_S) if self._grpc is not None else None
    if self._http is not None:
      self._http.stop(_GRACE_S)
    if drained is not None:
      drained.wait(_GRACE_S)
    self._core.stop()
    if self._log is not None:
      self._log.close()

  def _start_grpc(self) -> None:
    flags = self._flags
    server = grpc_server.make_server(
      threads=flags.grpc_max_threads,
      max_request_bytes=flags.max_request_bytes,
      max_concurrent_requests=flags.max_concurrent_requests,
      header_timeout_s=flags.header_timeout_in_ms / 1000,
      idle_timeout_s=flags.idle_timeout_in_ms / 1000,
      channel_arguments=flags.grpc_channel_arguments,
      interceptors=[TokenInterceptor(self._tokens)] if self._tokens is not None else [],
      answers_at_once=not flags.enable_batching,
    )
    PredictionService(
      self._core,
      self._hooks,
      check_method=flags.enable_signature_method_name_check,
      as_content=flags.enable_serialization_as_tensor_content,
    ).add_to(server)
    ModelService(self._core, self._hooks, with_reload=flags.enable_config_reload).add_to(server)
    if flags.enable_profiler:
      ProfilerProxy().add_to(server)
    if flags.enable_grpc_healthcheck_service:
      grpc_server.add_health_service(server)
    addresses = [f"{_bracketed(flags.host)}:{flags.port}"] if flags.port else []
    if flags.grpc_socket_path:
      addresses.append(f"unix:{flags.grpc_socket_path}")
    for address in addresses:
      grpc_server.open_port(server, address, self._credentials)
    server.start()
    self._grpc = server
    for address in addresses:
      _LOG.info("Running gRPC ModelServer at %s ...", address)

  def _start_http(self) -> None:
    flags = self._flags
    timeout_s = flags.rest_api_timeout_in_ms / 1000
    options = RestOptions(
      timeout_s=timeout_s,
      with_cors=flags.rest_api_enable_cors_support,
      check_method=flags.enable_signature_method_name_check,
      metrics_path=self._metrics_path,
      max_request_bytes=flags.max_request_bytes,
      max_bytes_in_flight=flags.max_bytes_in_flight,
    )
    page = Page(self._core, needs_token=self._tokens is not None) if flags.ui else None
    http = HttpServer(
      RestApi(self._core, self._hooks, options, self._tokens, page),
      host=flags.host,
      port=flags.rest_api_port,
      threads=flags.rest_api_num_threads,
      timeout_s=timeout_s,
      limits=Limits(
        max_request_bytes=flags.max_request_bytes,
        max_bytes_in_flight=flags.max_bytes_in_flight,
        max_connections=flags.max_connections,
        header_timeout_s=flags.header_timeout_in_ms / 1000,
        body_timeout_s=flags.body_timeout_in_ms / 1000,
        idle_timeout_s=flags.idle_timeout_in_ms / 1000,
      ),
      max_concurrent_requests=flags.max_concurrent_requests,
      answers_at_once=not flags.enable_batching,
      tls=self._tls,
    )
    try:
      port = http.start()
    except OSError as err:
      raise Unavailable(
        f"Cannot listen on {flags.host}:{flags.rest_api_port} ({err.strerror})."
      ) from err
    self._http = http
    _LOG.info("Exporting HTTP/REST API at:%s:%d ...", flags.host, port)
    if flags.ui:
      scheme = "http" if self._tls is None else "https"
      at = _reached_at(flags.host)
      _LOG.info("Try the models in a browser: %s://%s:%d/ui", scheme, at, port)

  def _poll_config(self) -> None:
    accepted = self._config
    while not self._stop.wait(self._flags.model_config_file_poll_wait_seconds):
      try:
        config = read_models(self._flags)
        if config != accepted:
          self._core.configure(config)
          accepted = config
      except ServingError as err:
        _LOG.error("The model config file is not taken over: %s", err)


def make_core(flags: Flags, telemetry: Telemetry) -> ServingCore:
  """Makes the core, which has no models yet.

  Raises:
    ServingError: a file that the flags name is missing or wrong.
  """
  options = LoadOptions(
    session=_session_options(flags),
    tflite_interpreters=(
      flags.num_tflite_pools * flags.num_tflite_interpreters_per_pool
      if flags.prefer_tflite_model
      else 0
    ),
    with_warmup=flags.enable_model_warmup,
    warmup_iterations=flags.num_request_iterations_for_warmup,
    wrap=_batches(flags, telemetry) if flags.enable_batching else None,
    on_warmup=telemetry.warmed_up,
  )
  manager = ModelManager(
    SavedModelLoader(options),
    load_threads=flags.num_load_threads,
    max_load_retries=flags.max_num_load_retries,
    load_retry_interval_s=flags.load_retry_interval_micros / 1e6,
  )
  return ServingCore(
    manager,
    VersionSource(manager, poll_wait_s=flags.file_system_poll_wait_seconds),
    allow_labels_for_unavailable=flags.allow_version_labels_for_unavailable_models,
  )


def _request_log(flags: Flags) -> RequestLog:
  return RequestLog(
    flags.request_log_dir,
    choice=Sampling(
      rate=flags.request_log_sample,
      unsure_below=flags.request_log_unsure_below,
      rare_below=flags.request_log_rare_below,
      errors=flags.request_log_errors,
    ),
    omit=[name.strip() for name in flags.request_log_omit.split(",") if name.strip()],
    keep=Retention(days=flags.request_log_keep_days, max_bytes=flags.request_log_max_mb * _MB),
  )


def read_models(flags: Flags) -> Any:
  """Returns the `ModelServerConfig` that the flags name or stand for.

  Raises:
    ServingError: the file is missing or wrong.
  """
  config = model_server_config_pb2.ModelServerConfig()
  if flags.model_config_file:
    return read_text_proto(flags.model_config_file, config)
  config.model_config_list.config.add(
    name=flags.model_name, base_path=flags.model_base_path, model_platform=TENSORFLOW
  )
  return config


def _refuse_open_rest(flags: Flags) -> None:
  """Refuses an open REST port beside a gRPC port that asks for client certificates.

  TensorFlow Serving opens it without a word: its REST port has no TLS.

  Raises:
    InvalidArgument: the REST port would be open to everybody.
  """
  is_open = not flags.rest_ssl_config_file and not flags.auth_tokens_file
  if not flags.rest_api_port or not flags.ssl_config_file or not is_open:
    return
  if read_ssl_config(flags.ssl_config_file).client_verify:
    raise InvalidArgument(
      "--ssl_config_file asks for client certificates (client_verify), and the REST port would "
      f"answer everybody. Add --rest_ssl_config_file={flags.ssl_config_file}, or "
      "--auth_tokens_file, or close the port with --rest_api_port=0."
    )


def _session_options(flags: Flags) -> SessionOptions:
  config = b""
  if flags.tensorflow_session_config_file:
    config = read_text_proto(
      flags.tensorflow_session_config_file, tf.compat.v1.ConfigProto()
    ).SerializeToString()
  both = flags.tensorflow_session_parallelism
  return SessionOptions(
    tags=tuple(filter(None, flags.saved_model_tags.split(","))),
    intra_op_parallelism=flags.tensorflow_intra_op_parallelism or both,
    inter_op_parallelism=flags.tensorflow_inter_op_parallelism or both,
    config=config,
  )


def _bracketed(host: str) -> str:
  return f"[{host}]" if ":" in host else host


def _reached_at(host: str) -> str:
  """Returns the address by which this machine reaches a server on `host`."""
  return "127.0.0.1" if host in _EVERY_HOST else _bracketed(host)


def _batches(flags: Flags, telemetry: Telemetry) -> Wrap:
  """Returns the function that puts batches in front of each version's session."""
  common = BatchOptions()
  if flags.batching_parameters_file:
    common = read_options(flags.batching_parameters_file)
  scheduler = BatchScheduler(common.threads, telemetry.batched)

  def wrap(session: Runnable, path: pathlib.Path) -> Runnable:
    options = common
    if flags.enable_per_model_batching_parameters:
      file = path / _BATCHING_FILE
      if not file.is_file():
        return session
      options = read_options(str(file))
    return BatchingRunner(session, scheduler, options)

  return wrap


def _metrics_path(flags: Flags) -> str:
  """Returns the path of the metrics for Prometheus; empty if there are none."""
  if not flags.monitoring_config_file:
    return ""
  config = read_text_proto(flags.monitoring_config_file, MonitoringConfig()).prometheus_config
  return (config.path or _METRICS_PATH) if config.enable else ""
