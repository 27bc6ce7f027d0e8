"""Clients for TensorFlow Serving's API, over REST and over gRPC, with numpy in and out.

    with connect("http://127.0.0.1:8501", "sentiment") as client:
      client.wait_until_ready(timeout_s=30)
      client.predict({"text": ["well made"]})["label"]

`RestClient` and `GrpcClient` have the same methods: predict, classify, regress, metadata, status,
wait_until_ready. They work against any server with this API. A distribution of its own,
`dlpipe-client`: imports numpy, grpcio and protobuf, neither TensorFlow nor anything else of dlpipe.

Every failure is a `ServingClientError`, the same ones for both protocols:

    ServingClientError    HTTP      gRPC
    +-- InvalidInput                                      cannot be sent; also a ValueError
    +-- InvalidResponse                                   the answer is not understood
    +-- BadRequest        400       INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE
    +-- Unauthenticated   401       UNAUTHENTICATED
    +-- PermissionDenied  403       PERMISSION_DENIED
    +-- NotFound          404       NOT_FOUND             tried again once
    +-- Conflict          409       ABORTED, ALREADY_EXISTS
    +-- ResourceExhausted 429, 413  RESOURCE_EXHAUSTED
    +-- Cancelled         499       CANCELLED
    +-- ServerFailed      500       INTERNAL, UNKNOWN, DATA_LOSS
    +-- Unimplemented     501       UNIMPLEMENTED
    +-- Unavailable       503, 502  UNAVAILABLE           no connection, too; tried again
    +-- DeadlineExceeded  504, 408  DEADLINE_EXCEEDED     the client's own time, too
"""

from dlpipe_client.answers import ModelMetadata, Signature, TensorInfo, VersionStatus
from dlpipe_client.client import Client
from dlpipe_client.connect import connect
from dlpipe_client.errors import (
  BadRequest,
  Cancelled,
  Conflict,
  DeadlineExceeded,
  InvalidInput,
  InvalidResponse,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  ServerFailed,
  ServingClientError,
  Unauthenticated,
  Unavailable,
  Unimplemented,
)
from dlpipe_client.grpc_client import GrpcClient
from dlpipe_client.grpc_transport import ChannelTransport, GrpcTransport
from dlpipe_client.rest_client import RestClient
from dlpipe_client.rest_transport import HttpTransport, RestTransport
from dlpipe_client.retry import Retry
from dlpipe_client.tls import Tls
from dlpipe_client.version import VERSION

__version__ = VERSION
__all__ = [
  "BadRequest",
  "Cancelled",
  "ChannelTransport",
  "Client",
  "Conflict",
  "DeadlineExceeded",
  "GrpcClient",
  "GrpcTransport",
  "HttpTransport",
  "InvalidInput",
  "InvalidResponse",
  "ModelMetadata",
  "NotFound",
  "PermissionDenied",
  "ResourceExhausted",
  "RestClient",
  "RestTransport",
  "Retry",
  "ServerFailed",
  "ServingClientError",
  "Signature",
  "TensorInfo",
  "Tls",
  "Unauthenticated",
  "Unavailable",
  "Unimplemented",
  "VersionStatus",
  "connect",
]
