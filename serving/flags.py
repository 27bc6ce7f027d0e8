"""The server's flags: TensorFlow Serving's, with its defaults and its syntax, and our own.

Source: tensorflow_serving/model_servers/{main.cc,server.h}. Imports nothing heavy, so that a wrong
flag is refused at once.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from serving.errors import InvalidArgument

_CPUS = os.cpu_count() or 1
_WIDTH = 80  # columns of the usage text


def _flag(
  default: Any, help_text: str, *, is_ours: bool = False, does_nothing: bool = False
) -> Any:
  metadata = {"help": help_text, "is_ours": is_ours, "does_nothing": does_nothing}
  return dataclasses.field(default=default, metadata=metadata)


def _ours(default: Any, help_text: str) -> Any:
  return _flag(default, help_text, is_ours=True)


def _ignored(default: Any, help_text: str) -> Any:
  return _flag(default, help_text, does_nothing=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
  """A value for each flag; fields are called as the flags are."""

  port: int = _flag(8500, "port of the gRPC API; 0 opens none")
  grpc_socket_path: str = _flag("", "UNIX socket that speaks the gRPC API, too")
  rest_api_port: int = _flag(0, "port of the REST API; 0 opens none")
  rest_api_num_threads: int = _flag(4 * _CPUS, "threads that answer REST requests")
  rest_api_timeout_in_ms: int = _flag(30000, "after which a REST request is answered with 504")
  rest_api_enable_cors_support: bool = _flag(False, "let browsers from other origins ask")
  enable_batching: bool = _flag(False, "run requests that arrive together as one")
  batching_parameters_file: str = _flag("", "BatchingParameters as text; needs --enable_batching")
  enable_per_model_batching_parameters: bool = _flag(
    False, "read them from batching_params.pbtxt in each version's folder instead"
  )
  allow_version_labels_for_unavailable_models: bool = _flag(
    False, "let a label be given to a version before it is available"
  )
  model_config_file: str = _flag(
    "", "ModelServerConfig as text: which models to serve; overrides --model_name"
  )
  model_config_file_poll_wait_seconds: int = _flag(
    0, "seconds between two looks at it; 0 looks once"
  )
  model_name: str = _flag("default", "what requests call the one model")
  model_base_path: str = _flag("", "absolute path of the folder of its versions")
  num_load_threads: int = _flag(0, "versions that load at the same time; 0 means one")
  num_unload_threads: int = _ignored(0, "each version unloads in a thread of its own")
  max_num_load_retries: int = _flag(5, "how often a load that failed is tried again")
  load_retry_interval_micros: int = _flag(60_000_000, "microseconds before it is tried again")
  file_system_poll_wait_seconds: int = _flag(
    1, "seconds between two looks for versions; 0 looks once, less never"
  )
  flush_filesystem_caches: bool = _ignored(True, "left to the operating system")
  tensorflow_session_parallelism: int = _flag(0, "threads for both of the next two")
  tensorflow_intra_op_parallelism: int = _flag(0, "threads that one op may use; 0: all CPUs")
  tensorflow_inter_op_parallelism: int = _flag(0, "threads that run ops side by side")
  tensorflow_session_config_file: str = _flag("", "ConfigProto as text for every session")
  saved_model_tags: str = _flag("serve", "which graph of a SavedModel, as tags with commas")
  ssl_config_file: str = _flag("", "SSLConfig as text: TLS, or mutual TLS, for gRPC")
  grpc_channel_arguments: str = _flag("", "k=v,k=v for the gRPC server")
  grpc_max_threads: int = _flag(4 * _CPUS, "threads that answer gRPC requests")
  enable_grpc_healthcheck_service: bool = _flag(False, "serve grpc.health.v1.Health")
  prefer_tflite_model: bool = _flag(False, "serve model.tflite where a version has one")
  num_tflite_pools: int = _flag(_CPUS, "pools of TFLite interpreters for each model")
  num_tflite_interpreters_per_pool: int = _flag(1, "TFLite runs at a time for each pool")
  enable_model_warmup: bool = _flag(True, "send the requests that came with a version first")
  num_request_iterations_for_warmup: int = _flag(0, "how often each of them; 0 means once")
  monitoring_config_file: str = _flag("", "MonitoringConfig as text: Prometheus on the REST port")
  enable_signature_method_name_check: bool = _flag(
    False, "let Predict run only signatures that are made for it"
  )
  enable_serialization_as_tensor_content: bool = _flag(
    False, "answer Predict with tensor_content instead of typed fields"
  )
  enable_profiler: bool = _flag(True, "serve tensorflow.ProfilerService")
  version: bool = _flag(False, "print the version and exit")
  use_alts_credentials: bool = _flag(False, "refused: only Google's platform has them")
  platform_config_file: str = _flag("", "refused: the only platform is tensorflow")
  per_process_gpu_memory_fraction: float = _ignored(0.0, "set it in the session's ConfigProto")
  remove_unused_fields_from_bundle_metagraph: bool = _ignored(True, "always so")
  xla_cpu_compilation_enabled: bool = _ignored(False, "set it in the session's ConfigProto")
  xla_gpu_compilation_enabled: bool = _ignored(False, "set it in the session's ConfigProto")
  thread_pool_factory_config_file: str = _ignored("", "no thread pool factory can be chosen")
  mixed_precision: str = _ignored("", "models run as they were exported")
  skip_initialize_tpu: bool = _ignored(False, "there is no TPU")

  host: str = _ours("127.0.0.1", "address that both ports listen on; 0.0.0.0 is every one")
  max_request_bytes: int = _ours(100 << 20, "refuse larger requests, inflated too; 0 does not")
  max_bytes_in_flight: int = _ours(
    200 << 20,
    "memory for REST requests together, half for bodies, half for reading them; 0: no limit",
  )
  max_connections: int = _ours(
    1000, "REST connections; the idlest leaves for one more; 0: no limit"
  )
  header_timeout_in_ms: int = _ours(
    20_000, "for a REST request's headers, a gRPC handshake; 0: no limit"
  )
  body_timeout_in_ms: int = _ours(
    30_000, "for its body, or for reading the answer, beyond a second for 4 KiB; 0: no limit"
  )
  idle_timeout_in_ms: int = _ours(75_000, "between two requests of a connection; 0: no limit")
  max_concurrent_requests: int = _ours(0, "refuse what would be one more, per protocol; 0: never")
  auth_tokens_file: str = _ours(
    "", "let in only who bears a token of this file: TOKEN or TOKEN ROLE a line, predict or admin"
  )
  enable_config_reload: bool = _ours(True, "answer HandleReloadConfigRequest")
  rest_ssl_config_file: str = _ours(
    "", "the same for REST, as --ssl_config_file is for gRPC; it may be the same file"
  )
  ui: bool = _ours(False, "serve a page to try the models in a browser, at /ui of the REST port")
  request_log_dir: str = _ours("", "write a sample of requests and answers there")
  request_log_sample: float = _ours(0.01, "the fraction of requests that are written")
  request_log_unsure_below: float = _ours(
    0.0, "and every answer with a `score` below this; 0: none for that"
  )
  request_log_rare_below: float = _ours(
    0.0, "and every answer whose `label` is a smaller fraction of the answers; 0: none"
  )
  request_log_errors: bool = _ours(
    False, "and every refused request, without inputs; with --request_log_omit by its code alone"
  )
  request_log_omit: str = _ours(
    "", "inputs, outputs and features, with commas, that are not written, such as personal data"
  )
  request_log_id_header: str = _ours(
    "x-request-id", "header, or gRPC metadata, by which callers name requests; it is written"
  )
  request_log_keep_days: float = _ours(0.0, "delete files that are older; 0 keeps all")
  request_log_max_mb: int = _ours(0, "delete the oldest files beyond so many MB; 0 keeps all")


_FIELDS = {field.name: field for field in dataclasses.fields(Flags)}
# So alike that the user cannot mean another flag, such as one of a newer TensorFlow Serving.
_MISSPELT_RATIO = 0.75
_LIMITS = (
  "max_request_bytes",
  "max_bytes_in_flight",
  "max_connections",
  "max_concurrent_requests",
  "header_timeout_in_ms",
  "body_timeout_in_ms",
  "idle_timeout_in_ms",
  "request_log_keep_days",
  "request_log_max_mb",
)
_FRACTIONS = ("request_log_sample", "request_log_unsure_below", "request_log_rare_below")
_OF_LOG = (
  "request_log_errors",
  "request_log_omit",
  "request_log_id_header",
  "request_log_keep_days",
  "request_log_max_mb",
)
_TRUE, _FALSE = ("true", "1", "t", "yes"), ("false", "0", "f", "no")


def parse(args: Sequence[str]) -> tuple[Flags, list[str]]:
  """Reads `--name=value`, `--name value` and, for bools, `--name`.

  Returns:
    The flags, and the arguments that are no flags, which TensorFlow Serving reports and ignores.

  Raises:
    InvalidArgument: a value is not of its flag's type.
  """
  values: dict[str, Any] = {}
  unknown = []
  rest = list(args)
  while rest:
    argument = rest.pop(0)
    name, has_value, text = argument.removeprefix("--").partition("=")
    field = _FIELDS.get(name) if argument.startswith("--") else None
    if field is None:
      unknown.append(argument)
      continue
    if not has_value:
      if field.type == "bool":
        text = "true"
      elif rest and not rest[0].startswith("--"):
        text = rest.pop(0)
      else:
        raise InvalidArgument(f"--{name} needs a value: --{name}=...")
    values[name] = _value(field, text)
  return Flags(**values), unknown


def nearest(argument: str, *, others: Iterable[str] = (), ratio: float = 0.5) -> str | None:
  """Returns the flag that an unknown argument is most like; None if it is like none.

  Args:
    argument: as it was given, such as `--auth_token_file=/x`.
    others: names that are known in addition to the flags'.
    ratio: how alike they must be, from 0 for not at all to 1 for the same.

  Returns:
    Its name, without dashes.
  """
  name = argument.lstrip("-").partition("=")[0].lower().replace("-", "_")
  close = difflib.get_close_matches(name, [*_FIELDS, *others], n=1, cutoff=ratio)
  return close[0] if close else None


def refuse_misspelt(unknown: Iterable[str]) -> None:
  """Refuses arguments that are nearly flags of ours: without the flag a server may be open.

  Raises:
    InvalidArgument: there is one; names the first.
  """
  for argument in unknown:
    if not argument.startswith("-") and "=" not in argument:
      continue
    name = nearest(argument, ratio=_MISSPELT_RATIO)
    if name is not None and _FIELDS[name].metadata["is_ours"]:
      raise InvalidArgument(f"Unknown argument {argument!r}. Did you mean --{name}?")


def check(flags: Flags) -> None:
  """Refuses flags that contradict each other or ask for something that does not exist.

  Raises:
    InvalidArgument: the first of them.
  """
  if not flags.model_base_path and not flags.model_config_file:
    raise InvalidArgument(
      "Both server_options.model_base_path and server_options.model_config_file are empty!"
    )
  if flags.batching_parameters_file and not flags.enable_batching:
    raise InvalidArgument(
      "server_options.batching_parameters_file is set without setting "
      "server_options.enable_batching to true."
    )
  if flags.port and flags.port == flags.rest_api_port:
    raise InvalidArgument(
      f"--port and --rest_api_port must differ. Received: {flags.port} for both."
    )
  if not flags.port and not flags.grpc_socket_path and not flags.rest_api_port:
    raise InvalidArgument(
      "No port is asked for: set --port, --rest_api_port or --grpc_socket_path."
    )
  for name in _FRACTIONS:
    if not 0 <= getattr(flags, name) <= 1:
      raise InvalidArgument(f"--{name} must be from 0 to 1. Received: {getattr(flags, name)}")
  for name in (*_OF_LOG, *_FRACTIONS):
    if not flags.request_log_dir and getattr(flags, name) != _FIELDS[name].default:
      raise InvalidArgument(f"--{name} needs --request_log_dir.")
  for name in _LIMITS:
    if not getattr(flags, name) >= 0:  # nan is neither
      raise InvalidArgument(f"--{name} must be 0, for no limit, or more.")
  if 0 < flags.max_bytes_in_flight < 2 * (flags.max_request_bytes or sys.maxsize):
    raise InvalidArgument(
      "--max_bytes_in_flight must be at least twice --max_request_bytes, for the body and for "
      f"reading it. Received: {flags.max_bytes_in_flight} and {flags.max_request_bytes}; 0 is no "
      "limit for either."
    )
  if flags.monitoring_config_file and not flags.rest_api_port:
    raise InvalidArgument("--monitoring_config_file needs --rest_api_port.")
  if flags.ui and not flags.rest_api_port:
    raise InvalidArgument("--ui needs --rest_api_port.")
  if flags.rest_ssl_config_file and not flags.rest_api_port:
    raise InvalidArgument("--rest_ssl_config_file needs --rest_api_port.")
  refused = {
    "use_alts_credentials": flags.use_alts_credentials,
    "platform_config_file": flags.platform_config_file,
  }
  for name, value in refused.items():
    if value:
      raise InvalidArgument(f"--{name} is not supported by this server.")
  if (
    flags.tensorflow_session_parallelism
    and flags.tensorflow_intra_op_parallelism
    and flags.tensorflow_inter_op_parallelism
  ):
    raise InvalidArgument(
      "Set --tensorflow_session_parallelism, or --tensorflow_intra_op_parallelism and "
      "--tensorflow_inter_op_parallelism, not all three."
    )


def without_effect(flags: Flags) -> list[str]:
  """Returns a sentence for each flag that was set and has no effect here."""
  return [
    f"--{field.name} has no effect: {field.metadata['help']}."
    for field in _FIELDS.values()
    if field.metadata["does_nothing"] and getattr(flags, field.name) != field.default
  ]


def usage() -> str:
  """Returns the usage text of all flags; no line is wider than 80 columns."""
  lines = ["Flags:"]
  for field in _FIELDS.values():
    default = str(field.default).lower() if field.type == "bool" else repr(field.default)
    origin = " (not in TensorFlow Serving)" if field.metadata["is_ours"] else ""
    lines.append(f"  --{field.name}={default}")
    lines += textwrap.wrap(
      f"{field.type}, {field.metadata['help']}{origin}",
      _WIDTH,
      initial_indent=" " * 6,
      subsequent_indent=" " * 6,
      break_on_hyphens=False,
    )
  return "\n".join(lines)


def _value(field: Any, text: str) -> Any:
  if field.type == "str":
    return text
  if field.type == "bool":
    if text.lower() in (*_TRUE, *_FALSE):
      return text.lower() in _TRUE
  else:
    try:
      return int(text) if field.type == "int" else float(text)
    except ValueError:
      pass
  raise InvalidArgument(f"--{field.name} takes a value of type {field.type}. Received: {text!r}.")
