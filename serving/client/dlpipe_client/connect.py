"""One name for both clients: the endpoint's scheme decides."""

from __future__ import annotations

import urllib.parse

from dlpipe_client.client import Client
from dlpipe_client.errors import InvalidInput
from dlpipe_client.grpc_client import GrpcClient
from dlpipe_client.rest_client import RestClient
from dlpipe_client.retry import Retry
from dlpipe_client.tls import Tls


def connect(
  endpoint: str,
  model: str,
  *,
  timeout_s: float = 30.0,
  retry: Retry | None = None,
  tls: Tls | None = None,
  token: str | None = None,
) -> Client:
  """Returns the client for an endpoint.

  >>> with connect("grpcs://models.example:8500", "images", token="...") as client:
  ...   client.model
  'images'
  >>> connect("models.example:8500", "images")
  Traceback (most recent call last):
  dlpipe_client.errors.InvalidInput: Expected an endpoint like http://host:8501, ...

  Args:
    endpoint: `http://host:port`, `https://host:port`, `grpc://host:port`, `grpcs://host:port`, or
      `unix:/path` for gRPC over a socket file.
    model: the model's name.
    timeout_s: seconds for a call, all tries included.
    retry: when a call is tried again.
    tls: certificates, for https and grpcs.
    token: a bearer token.

  Raises:
    InvalidInput: the endpoint is none of these.
  """
  scheme = urllib.parse.urlsplit(endpoint).scheme
  if scheme in ("http", "https"):
    return RestClient(endpoint, model, timeout_s=timeout_s, retry=retry, tls=tls, token=token)
  if scheme in ("grpc", "grpcs", "unix"):
    target = endpoint if scheme == "unix" else endpoint.split("://", 1)[-1].rstrip("/")
    if tls is not None and scheme != "grpcs":
      raise InvalidInput(f"Certificates need grpcs. Received: {endpoint!r}.")
    return GrpcClient(
      target,
      model,
      timeout_s=timeout_s,
      retry=retry,
      tls=(tls or Tls()) if scheme == "grpcs" else None,
      token=token,
    )
  raise InvalidInput(
    "Expected an endpoint like http://host:8501, https://host:8501, grpc://host:8500, "
    f"grpcs://host:8500 or unix:/path. Received: {endpoint!r}."
  )
