"""`RestClient`: a model over REST.

Source: tensorflow_serving/g3doc/api_rest.md.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlpipe_client import rest_json
from dlpipe_client.answers import ModelMetadata, ModelSpec, VersionStatus
from dlpipe_client.client import Client
from dlpipe_client.errors import BadRequest, InvalidResponse, error_of_http
from dlpipe_client.examples import example_to_json
from dlpipe_client.rest_transport import HttpTransport, RestTransport
from dlpipe_client.retry import Deadline, Retry
from dlpipe_client.tensors import Array
from dlpipe_client.tls import Tls


class RestClient(Client):
  """Asks one model over REST.

  The methods are those of `Client`. A test of an application gives a transport of its own:

  >>> class AlwaysStarting:
  ...   def send(self, method, path, body, headers, timeout_s):
  ...     return 503, b'{"error": "starting"}'
  ...   def close(self):
  ...     pass
  >>> client = RestClient("", "sentiment", transport=AlwaysStarting(), retry=Retry(attempts=1))
  >>> client.predict({"text": ["well made"]})
  Traceback (most recent call last):
  dlpipe_client.errors.Unavailable: starting
  """

  def __init__(
    self,
    url: str,
    model: str,
    *,
    timeout_s: float = 30.0,
    retry: Retry | None = None,
    tls: Tls | None = None,
    token: str | None = None,
    transport: RestTransport | None = None,
  ):
    """Connects when it is first asked.

    Args:
      url: `http://host:port` or `https://host:port`.
      model: the model's name.
      timeout_s: seconds for a call, all tries included.
      retry: when a call is tried again.
      tls: certificates, for https.
      token: sent as `Authorization: Bearer`.
      transport: carries the requests instead of HTTP; `url` and `tls` are then not used.

    Raises:
      InvalidInput: an argument is not as above.
    """
    super().__init__(model, timeout_s=timeout_s, retry=retry, token=token)
    self._transport = HttpTransport(url, tls=tls) if transport is None else transport

  def close(self) -> None:
    self._transport.close()

  def _predict(
    self, spec: ModelSpec, inputs: dict[str, Array], deadline: Deadline
  ) -> dict[str, Array]:
    # The answer names its outputs only where there are several, and never says their types; and
    # inputs that the signature does not have would be ignored.
    signature = self._signature(spec, deadline)
    if not inputs.keys() <= signature.inputs.keys():
      signature = self._signature(spec, deadline, anew=True)
      unknown = inputs.keys() - signature.inputs.keys()
      if unknown:
        raise BadRequest(
          f"Signature {spec.signature_name!r} takes the inputs {sorted(signature.inputs)}. "
          f"Received also: {sorted(unknown)}."
        )
    outputs = signature.outputs
    request = rest_json.predict_body(inputs, spec.signature_name)
    body = self._send("POST", spec, ":predict", request, deadline.remaining_s())
    try:
      return rest_json.predict_outputs(body, outputs)
    except InvalidResponse:
      anew = self._signature(spec, deadline, anew=True).outputs
      if anew == outputs:
        raise
      return rest_json.predict_outputs(body, anew)

  def _classify(
    self,
    spec: ModelSpec,
    examples: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None,
    left_s: float,
  ) -> list[list[tuple[str, float]]]:
    results = self._results(spec, ":classify", examples, context, left_s)
    try:
      return [[(str(name), float(score)) for name, score in classes] for classes in results]
    except (TypeError, ValueError) as err:
      raise InvalidResponse(f"Expected pairs of label and score: {err}") from err

  def _regress(
    self,
    spec: ModelSpec,
    examples: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None,
    left_s: float,
  ) -> Array:
    try:
      return np.array(self._results(spec, ":regress", examples, context, left_s), np.float32)
    except (TypeError, ValueError) as err:
      raise InvalidResponse(f"Expected numbers: {err}") from err

  def _results(
    self,
    spec: ModelSpec,
    verb: str,
    examples: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None,
    left_s: float,
  ) -> list[Any]:
    request: dict[str, Any] = {"signature_name": spec.signature_name}
    if context is not None:
      request["context"] = example_to_json(context)
    request["examples"] = [example_to_json(example) for example in examples]
    return rest_json.results_of(self._send("POST", spec, verb, rest_json.dumps(request), left_s))

  def _get_metadata(self, spec: ModelSpec, left_s: float) -> ModelMetadata:
    return rest_json.metadata_of(self._send("GET", spec, "/metadata", None, left_s))

  def _get_status(self, spec: ModelSpec, left_s: float) -> tuple[VersionStatus, ...]:
    return rest_json.statuses_of(self._send("GET", spec, "", None, left_s))

  def _send(
    self, method: str, spec: ModelSpec, suffix: str, body: bytes | None, left_s: float
  ) -> bytes:
    path = f"/v1/models/{urllib.parse.quote(spec.name, safe='')}"
    if spec.version is not None:
      path += f"/versions/{spec.version}"
    elif spec.label is not None:
      path += f"/labels/{urllib.parse.quote(spec.label, safe='')}"
    headers = dict(self._headers)
    if body is not None:
      headers["content-type"] = "application/json"
    status, answer = self._transport.send(method, path + suffix, body, headers, left_s)
    if status != 200:
      raise error_of_http(status, _message(status, answer))
    return answer


def _message(status: int, body: bytes) -> str:
  """Returns the server's own message, or what a proxy between says."""
  try:
    message = rest_json.loads(body).get("error")
  except InvalidResponse:
    message = None
  if isinstance(message, str):
    return message
  return f"HTTP {status}: {body[:500].decode('utf-8', 'replace')}"
