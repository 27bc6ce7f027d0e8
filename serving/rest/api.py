"""Answers REST requests: routes to calls, JSON to arrays, errors to statuses.

Source: tensorflow_serving/model_servers/{http_server,http_rest_api_handler}.cc,
tensorflow_serving/util/json_tensor.cc.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Literal

from serving import tensor_json
from serving.auth import Tokens
from serving.errors import InvalidArgument, ServingError, Unauthenticated, for_the_caller
from serving.models import classification, inference, proto_calls
from serving.models.servable import ModelSpec, Run
from serving.models.serving_core import ServingCore
from serving.rest.json_protos import metadata_body, status_body
from serving.rest.messages import JSON, Request, Response, html
from serving.rest.page import Page
from serving.rest.routes import METADATA, STATUS, Route, find_route, is_api
from serving.telemetry import logged, sampling
from serving.telemetry.hooks import Hooks
from serving.tensor_json.budget import Budget, Pool
from serving.tensor_json.dtypes import Array

_LOG = logging.getLogger(__name__)
# A request's arrays are in memory as read, in the runtime, as outputs of like size, and as text.
_COPIES = 4
_MAX_MESSAGE = 128 << 10  # characters; it may quote the caller
_CORS = (("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "POST, GET"))
_ALLOWED_HEADERS = "Access-Control-Allow-Headers"
_CHALLENGE = ("WWW-Authenticate", 'Bearer realm="models"')


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestOptions:
  """How the REST API behaves.

  Attributes:
    timeout_s: after how many seconds a run is given up.
    with_cors: whether browsers from other origins may ask.
    check_method: whether Predict refuses signatures of other methods.
    metrics_path: path of the metrics; empty if there are none.
    max_request_bytes: what a body may inflate to; 0 for TensorFlow Serving's limit.
    max_bytes_in_flight: memory for all requests, half of it for reading them; 0 means no limit.
  """

  timeout_s: float = 30.0
  with_cors: bool = False
  check_method: bool = False
  metrics_path: str = ""
  max_request_bytes: int = 0
  max_bytes_in_flight: int = 0


class RestApi:
  """Answers every request that reaches the HTTP port."""

  def __init__(
    self,
    core: ServingCore,
    hooks: Hooks | None = None,
    options: RestOptions | None = None,
    tokens: Tokens | None = None,
    page: Page | None = None,
  ):
    """Starts nothing.

    Args:
      core: the models.
      hooks: told of every request and its outcome.
      options: how the API behaves.
      tokens: those that let a request in; None lets everybody in.
      page: the page to try models; None if there is none.
    """
    self._tokens = tokens
    self._page = page
    self._core = core
    self._hooks = hooks or Hooks()
    self._options = options or RestOptions()
    self._reading = Pool(self._options.max_bytes_in_flight // 2)
    # A browser sends a token to another origin only if the server allows it.
    allowed = "Content-Type" if tokens is None else "Content-Type, Authorization"
    self._headers = (*_CORS, (_ALLOWED_HEADERS, allowed)) if self._options.with_cors else ()
    self._calls: dict[str, Callable[[ModelSpec, Request, Run], bytes]] = {
      "predict": self._predict,
      "classify": self._classify,
      "regress": self._regress,
      STATUS: self._status,
      METADATA: self._metadata,
    }

  def admit(self, request: Request) -> ServingError | None:
    """Checks a request's headers before its body is read; returns the refusal, or None."""
    if self._tokens is None or (self._is_open(request) and not request.announces_body):
      return None
    try:
      self._tokens.check(_authorization(request))
    except ServingError as err:
      self._tokens.refused(err, protocol="REST", peer=request.peer)
      return err
    return None

  def _is_open(self, request: Request) -> bool:
    """Returns whether the request needs no token."""
    path = request.target.partition("?")[0]
    if self._page is None or self._is_metrics(path) or not self._page.is_open(path):
      return request.method == "OPTIONS"
    return True

  def handle(self, request: Request) -> Response:
    """Answers a request; never raises."""
    started = time.perf_counter()
    error = None if request.is_admitted else self.admit(request)
    if error is not None:
      return self.refusal(error)
    path = request.target.partition("?")[0]
    is_metrics = self._is_metrics(path)
    page = None if is_metrics else self._page
    if is_metrics:
      return self._metrics(request)
    if page is not None and page.owns(path):
      return self._ask_page(page, request)
    if not is_api(request.target):
      return html(404)
    if request.method == "OPTIONS":
      return self._preflight(request)
    route = Route("", ModelSpec(""))
    run = Run(self._time_left_s(request), started=started, client_id=self._client_id(request))
    try:
      route = find_route(request.method, request.target)
      body = self._calls[route.call](route.spec, request, run)
    except Exception as err:
      return self._refuse(route, err, run)
    self._hooks.answered(
      _api_name(route), "REST", route.spec.name, time.perf_counter() - started, run
    )
    return Response(200, body, JSON, self._headers)

  def _is_metrics(self, path: str) -> bool:
    return self._options.metrics_path != "" and path == self._options.metrics_path

  def refusal(self, error: ServingError) -> Response:
    """Returns the response for an error."""
    message = error.message
    if len(message) > _MAX_MESSAGE:
      message = message[:_MAX_MESSAGE] + "..."
    challenge = (_CHALLENGE,) if isinstance(error, Unauthenticated) else ()
    body = tensor_json.write_error(message)
    return Response(error.http_status, body, JSON, self._headers + challenge)

  def _refuse(self, route: Route, err: Exception, run: Run) -> Response:
    # In a function of its own: an error that a variable of its own traceback's frame refers to is a
    # cycle, which keeps the request in memory until the garbage collector runs.
    error = for_the_caller(err, _LOG)
    self._hooks.refused(_api_name(route), "REST", route.spec.name, error, run)
    return self.refusal(error)

  def _predict(self, spec: ModelSpec, request: Request, run: Run) -> bytes:
    with self._budget(request) as budget:
      content = request.content(budget)
      parsed = tensor_json.parse_predict(content, budget)
      name = parsed.signature_name
      with self._core.acquire(spec) as servable:
        signature_inputs = servable.inputs.get(name)
        if signature_inputs is None:
          raise InvalidArgument(f'Serving signature name: "{name}" not found in signature def')
        inputs, is_row = tensor_json.to_inputs(parsed, signature_inputs)
        if budget.holds_memory:
          budget.keep(_held_bytes(inputs, len(content)))
        del parsed, content
        outputs = inference.predict(
          servable,
          inputs,
          signature_name=name,
          run=run,
          check_method=self._options.check_method,
        )
        record = functools.partial(logged.of_predict, servable, name, inputs, outputs)
        self._hooks.log(record, functools.partial(sampling.of_arrays, outputs), run)
    return tensor_json.write_predict(outputs, row=is_row)

  def _classify(self, spec: ModelSpec, request: Request, run: Run) -> bytes:
    with self._budget(request) as budget:
      name, examples = self._read_examples(request, "classify", budget)
      with self._core.acquire(spec) as servable:
        classes = classification.classify(servable, examples, signature_name=name, run=run)
        record = functools.partial(
          logged.of_examples, "Classify", servable, name, examples, classes
        )
        self._hooks.log(record, functools.partial(sampling.of_classes, classes), run)
    return tensor_json.write_classify(classes.rows())

  def _regress(self, spec: ModelSpec, request: Request, run: Run) -> bytes:
    with self._budget(request) as budget:
      name, examples = self._read_examples(request, "regress", budget)
      with self._core.acquire(spec) as servable:
        values = classification.regress(servable, examples, signature_name=name, run=run)
        record = functools.partial(logged.of_examples, "Regress", servable, name, examples, values)
        self._hooks.log(record, functools.partial(sampling.of_classes, values), run)
    return tensor_json.write_regress(values)

  def _read_examples(
    self, request: Request, method: Literal["classify", "regress"], budget: Budget
  ) -> tuple[str, list[bytes]]:
    name, examples = tensor_json.parse_classify(request.content(budget), method, budget)
    budget.keep(sum(map(len, examples)))
    return name, examples

  def _client_id(self, request: Request) -> str:
    """Returns the name that the caller gave to the request, if the log wants it."""
    if not self._hooks.id_header:
      return ""
    return request.headers.get(self._hooks.id_header.encode("latin-1"), b"").decode("latin-1")

  def _time_left_s(self, request: Request) -> float:
    """Returns the seconds until the request's time is over, rounded up if it is more than one."""
    left = request.ends_at - time.monotonic()
    return min(self._options.timeout_s, math.ceil(left) if 1 < left < math.inf else max(left, 0))

  def _budget(self, request: Request) -> Budget:
    return Budget(self._reading, max_bytes=self._options.max_request_bytes, ends_at=request.ends_at)

  def _status(self, spec: ModelSpec, request: Request, run: Run) -> bytes:
    return status_body(proto_calls.status_response(self._core.statuses(spec)))

  def _metadata(self, spec: ModelSpec, request: Request, run: Run) -> bytes:
    with self._core.acquire(spec) as servable:
      return metadata_body(servable)

  def _preflight(self, request: Request) -> Response:
    origin = request.headers.get(b"origin", b"")
    is_web = origin.startswith((b"http://", b"https://"))
    return Response(200 if is_web else 400, b"", JSON, self._headers)

  def _ask_page(self, page: Page, request: Request) -> Response:
    try:
      return page.answer(request)
    except Exception as err:
      return self.refusal(for_the_caller(err, _LOG))

  def _metrics(self, request: Request) -> Response:
    if request.method != "GET" or request.target != self._options.metrics_path:
      return self.refusal(InvalidArgument(f"Unexpected path: {request.target}"))
    return Response(200, self._hooks.exposition(), "text/plain")


def _held_bytes(inputs: Mapping[str, Array], body_bytes: int) -> int:
  """Returns the bytes that a request takes until it is answered; strings count as in the body."""
  has_strings = any(array.dtype == object for array in inputs.values())
  size = sum(array.nbytes for array in inputs.values()) + (body_bytes if has_strings else 0)
  return _COPIES * size


def _api_name(route: Route) -> str:
  """Returns the name in the metrics: the method, or nothing if the call is no inference."""
  return route.call if route.call in ("predict", "classify", "regress") else ""


def _authorization(request: Request) -> str | None:
  value = request.headers.get(b"authorization")
  return None if value is None else value.decode("latin-1")
