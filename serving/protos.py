"""Text-format files that flags name, and the messages in them that no wheel has.

gRPC's health check is here as well, for the same reason, and a message of our own: the note in the
request log. The classes are built from descriptors
when this is imported, so that they work with protobuf 3.20 and 6 alike. They are in a pool of their
own, so that they do not clash with another package that declares them. Field numbers are those of
tensorflow_serving/config/{monitoring_config,ssl_config}.proto and
tensorflow_serving/servables/tensorflow/session_bundle_config.proto; for the health check those of
grpc/health/v1/health.proto, whose status is an enum: on the wire the same as the int32 here.
"""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Mapping
from typing import Any

from google.protobuf import (
  descriptor_pb2,
  descriptor_pool,
  message_factory,
  text_format,
  wrappers_pb2,
)

from serving.errors import InvalidArgument, NotFound

_LOG = logging.getLogger(__name__)
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
  "string": _FIELD.TYPE_STRING,
  "bool": _FIELD.TYPE_BOOL,
  "int32": _FIELD.TYPE_INT32,
  "int64": _FIELD.TYPE_INT64,
}
_PACKAGE = "tensorflow.serving"
_INT64, _STRING, _BOOL = (f".google.protobuf.{name}Value" for name in ("Int64", "String", "Bool"))

_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
  "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
  "MonitoringConfig": {"prometheus_config": (1, f".{_PACKAGE}.PrometheusConfig")},
  "SSLConfig": {
    "server_key": (1, "string"),
    "server_cert": (2, "string"),
    "custom_ca": (3, "string"),
    "client_verify": (4, "bool"),
  },
  "BatchingParameters": {
    "max_batch_size": (1, _INT64),
    "batch_timeout_micros": (2, _INT64),
    "max_enqueued_batches": (3, _INT64),
    "num_batch_threads": (4, _INT64),
    "thread_pool_name": (5, _STRING),
    "allowed_batch_sizes": (6, "repeated int64"),
    "pad_variable_length_inputs": (7, "bool"),
    "enable_large_batch_splitting": (8, _BOOL),
    "max_execution_batch_size": (9, _INT64),
  },
  # Of the request log; the number is beyond those of PredictionLog, whose bytes come before.
  "RequestNote": {
    "id": (1, "string"),
    "client_id": (2, "string"),
    "latency_us": (3, "int64"),
    "why": (4, "string"),
    "error": (5, "string"),
  },
  "LoggedRequest": {"note": (1000, f".{_PACKAGE}.RequestNote")},
  "HealthCheckRequest": {"service": (1, "string")},
  "HealthCheckResponse": {"status": (1, "int32")},
}


def _declare() -> dict[str, Any]:
  file = descriptor_pb2.FileDescriptorProto(
    name="serving/protos.proto",
    package=_PACKAGE,
    syntax="proto3",
    dependency=["google/protobuf/wrappers.proto"],
  )
  for message_name, fields in _MESSAGES.items():
    message = file.message_type.add(name=message_name)
    for field_name, (number, kind) in fields.items():
      scalar = kind.removeprefix("repeated ")
      field = message.field.add(name=field_name, number=number)
      field.label = _FIELD.LABEL_REPEATED if scalar != kind else _FIELD.LABEL_OPTIONAL
      if scalar in _SCALARS:
        field.type = _SCALARS[scalar]
      else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, scalar
  pool = descriptor_pool.DescriptorPool()
  pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
  pool.AddSerializedFile(file.SerializeToString())
  return {name: _message_class(pool, f"{_PACKAGE}.{name}") for name in _MESSAGES}


def _message_class(pool: Any, name: str) -> Any:
  descriptor = pool.FindMessageTypeByName(name)
  if hasattr(message_factory, "GetMessageClass"):  # protobuf 4 and later
    return message_factory.GetMessageClass(descriptor)
  return message_factory.MessageFactory(pool).GetPrototype(descriptor)


_CLASSES = _declare()
MonitoringConfig: Any = _CLASSES["MonitoringConfig"]
SSLConfig: Any = _CLASSES["SSLConfig"]
BatchingParameters: Any = _CLASSES["BatchingParameters"]
LoggedRequest: Any = _CLASSES["LoggedRequest"]
HealthCheckRequest: Any = _CLASSES["HealthCheckRequest"]
HealthCheckResponse: Any = _CLASSES["HealthCheckResponse"]


def read_text_proto(path: str, message: Any) -> Any:
  """Fills a message from a file and returns it.

  Raises:
    NotFound: there is no such file, or it cannot be read.
    InvalidArgument: it is not the message's text format; names the place.
  """
  try:
    text = pathlib.Path(path).read_text(encoding="utf-8")
  except OSError as err:
    raise NotFound(f"{path}; {err.strerror}") from err
  except UnicodeDecodeError as err:
    raise InvalidArgument(f"{path} is not UTF-8 text: {err}") from err
  try:
    return text_format.Parse(text, message)
  except text_format.ParseError as err:
    told = f"Error parsing text-format {message.DESCRIPTOR.full_name}: {err}"
    _LOG.error("%s", told)  # on stderr, where TensorFlow Serving's own tests look for it
    raise InvalidArgument(f"Invalid protobuf file: '{path}'. {told}") from err
