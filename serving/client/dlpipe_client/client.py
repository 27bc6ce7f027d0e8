"""`Client`: what both clients do. How a call travels is theirs."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from dlpipe_client.answers import ModelMetadata, ModelSpec, Signature, VersionStatus
from dlpipe_client.errors import (
  BadRequest,
  DeadlineExceeded,
  InvalidInput,
  NotFound,
  Unavailable,
)
from dlpipe_client.retry import Deadline, Retry
from dlpipe_client.tensors import Array, as_array

SERVING_DEFAULT = "serving_default"
_POLL_S = 0.1
_STATUS_S = 5.0  # for one look; a server that starts may hold the connection without an answer
_T = TypeVar("_T")


class Client(abc.ABC):
  """Asks one model. May be used by many threads; close it, or use it in a `with`.

  >>> with connect("http://127.0.0.1:8501", "sentiment") as client:
  ...   client.predict(["well made"])["label"]
  array([b'positive'], dtype=object)
  """

  def __init__(self, model: str, *, timeout_s: float, retry: Retry | None, token: str | None):
    """Connects to nothing yet.

    Args:
      model: the model's name.
      timeout_s: seconds for a call, all tries included.
      retry: when a call is tried again; None takes the defaults of `Retry`.
      token: a bearer token.

    Raises:
      InvalidInput: an argument is not as above.
    """
    if not model or "/" in model or ":" in model:
      raise InvalidInput(f"Expected a model's name without `/` and `:`. Received: {model!r}.")
    if timeout_s <= 0:
      raise InvalidInput(f"`timeout_s` must be positive. Received: timeout_s={timeout_s!r}.")
    self.model = model
    self._timeout_s = timeout_s
    self._retry = retry or Retry()
    self._headers = {} if token is None else {"authorization": f"Bearer {token}"}
    self._metadata: dict[tuple[int | None, str | None], ModelMetadata] = {}

  def predict(
    self,
    inputs: Mapping[str, Any] | Any,
    *,
    signature_name: str = SERVING_DEFAULT,
    version: int | None = None,
    label: str | None = None,
    timeout_s: float | None = None,
  ) -> dict[str, Array]:
    """Runs a signature.

    >>> client.predict(["well made"])
    {'label': array([b'positive'], dtype=object), 'score': array([0.98], dtype=float32)}
    >>> client.predict({"text": ["well made"]}, version=3)["label"].tolist()
    [b'positive']

    Args:
      inputs: input name to value; a value alone where the signature has one input. An array keeps
        its type; numbers, strings, bytes and nested lists take the signature's.
      signature_name: the signature.
      version: the model's version; the newest where neither this nor a label is given.
      label: the name of a version in the server's configuration.
      timeout_s: seconds for this call.

    Returns:
      Output name to array; strings are `bytes` in an array of `object`.

    Raises:
      ServingClientError: as `dlpipe_client` lists.
    """
    spec = self._spec(version, label, signature_name)

    def attempt(left_s: float) -> dict[str, Array]:
      deadline = Deadline(left_s)
      return self._predict(spec, self._arrays(spec, inputs, deadline), deadline)

    return self._call(attempt, timeout_s)

  def classify(
    self,
    examples: Sequence[Mapping[str, Any]],
    *,
    context: Mapping[str, Any] | None = None,
    signature_name: str = SERVING_DEFAULT,
    version: int | None = None,
    label: str | None = None,
    timeout_s: float | None = None,
  ) -> list[list[tuple[str, float]]]:
    """Returns the classes of each example with their scores.

    >>> client.classify([{"text": "well made"}])
    [[('positive', 0.98), ('negative', 0.02)]]

    Args:
      examples: each a mapping of feature name to a value or a flat list of one kind: int and bool,
        float, or str and bytes.
      context: features that all examples have.
      signature_name: one whose input is `inputs` and whose outputs are `classes` and `scores`.
      version: as for `predict`.
      label: as for `predict`.
      timeout_s: as for `predict`.

    Raises:
      ServingClientError: as `dlpipe_client` lists.
    """
    spec = self._spec(version, label, signature_name)
    return self._call(lambda left_s: self._classify(spec, examples, context, left_s), timeout_s)

  def regress(
    self,
    examples: Sequence[Mapping[str, Any]],
    *,
    context: Mapping[str, Any] | None = None,
    signature_name: str = SERVING_DEFAULT,
    version: int | None = None,
    label: str | None = None,
    timeout_s: float | None = None,
  ) -> Array:
    """Returns each example's value, `[examples]` float32; the arguments are those of `classify`.

    >>> client.regress([{"rooms": 3, "area": 71.5}])
    array([412.5], dtype=float32)

    Raises:
      ServingClientError: as `dlpipe_client` lists.
    """
    spec = self._spec(version, label, signature_name)
    return self._call(lambda left_s: self._regress(spec, examples, context, left_s), timeout_s)

  def metadata(
    self, *, version: int | None = None, label: str | None = None, timeout_s: float | None = None
  ) -> ModelMetadata:
    """Returns the signatures of a version, asked of the server each time.

    >>> client.metadata().signatures["serving_default"].outputs["score"]
    TensorInfo(dtype='float32', shape=(None,))

    Raises:
      ServingClientError: as `dlpipe_client` lists.
    """
    spec = self._spec(version, label)
    found = self._call(lambda left_s: self._get_metadata(spec, left_s), timeout_s)
    self._metadata[version, label] = found
    return found

  def status(
    self, *, version: int | None = None, timeout_s: float | None = None
  ) -> tuple[VersionStatus, ...]:
    """Returns what became of every version, or of one.

    >>> client.status()
    (VersionStatus(version=3, state='AVAILABLE', error_code='OK', error_message=''),)

    Raises:
      NotFound: the server knows none.
      ServingClientError: as `dlpipe_client` lists.
    """
    spec = self._spec(version, None)
    return self._call(
      lambda left_s: self._get_status(spec, left_s), timeout_s, retry_not_found=False
    )

  def wait_until_ready(
    self, *, timeout_s: float = 60.0, version: int | None = None
  ) -> VersionStatus:
    """Waits for a version that answers: the one given, or any.

    >>> client.wait_until_ready(timeout_s=30).version
    3

    Returns:
      The highest version that is available.

    Raises:
      DeadlineExceeded: there is none in time; the message says what was seen last.
    """
    deadline = Deadline(timeout_s)
    seen = "nothing"
    while True:
      try:
        left_s = min(_STATUS_S, deadline.remaining_s())
        statuses = self._get_status(self._spec(version, None), left_s)
        ready = [each for each in statuses if each.state == "AVAILABLE"]
        if ready:
          return max(ready, key=lambda each: each.version)
        seen = ", ".join(
          f"version {each.version} {each.state} {each.error_message}".rstrip() for each in statuses
        )
      except (Unavailable, NotFound, DeadlineExceeded) as err:
        if not isinstance(err, DeadlineExceeded) or seen == "nothing":
          seen = str(err)
      try:
        left_s = deadline.remaining_s()
      except DeadlineExceeded as err:
        raise DeadlineExceeded(
          f"Model {self.model!r} was not ready within {timeout_s:g} s. Seen last: {seen}"
        ) from err
      time.sleep(min(_POLL_S, left_s))

  @abc.abstractmethod
  def close(self) -> None:
    """Closes the connections."""

  def __enter__(self: _T) -> _T:
    return self

  def __exit__(self, *exc_info: object) -> None:
    self.close()

  def _call(
    self, function: Callable[[float], _T], timeout_s: float | None, *, retry_not_found: bool = True
  ) -> _T:
    deadline = Deadline(self._timeout_s if timeout_s is None else timeout_s)
    try:
      return self._retry.call(function, deadline, retry_not_found=retry_not_found)
    except (BadRequest, NotFound):
      self._metadata.clear()  # perhaps another version, with other signatures, is the newest now
      raise

  def _spec(self, version: int | None, label: str | None, signature_name: str = "") -> ModelSpec:
    if version is not None and label is not None:
      raise InvalidInput(f"Give a version or a label. Received: {version!r} and {label!r}.")
    if version is not None and not 0 <= version < 2**63:
      raise InvalidInput(f"`version` must fit into int64. Received: version={version!r}.")
    if label is not None and (not label or "/" in label or ":" in label):
      raise InvalidInput(f"Expected a label without `/` and `:`. Received: {label!r}.")
    return ModelSpec(self.model, version, label, signature_name)

  def _arrays(self, spec: ModelSpec, inputs: Any, deadline: Deadline) -> dict[str, Array]:
    if not isinstance(inputs, Mapping):
      signature = self._signature(spec, deadline)
      if len(signature.inputs) != 1:
        raise InvalidInput(
          f"Signature {spec.signature_name!r} has the inputs {sorted(signature.inputs)}: give a "
          "mapping of names to values."
        )
      inputs = {next(iter(signature.inputs)): inputs}
    infos: Mapping[str, Any] = {}
    if not all(hasattr(value, "dtype") for value in inputs.values()):
      infos = self._signature(spec, deadline).inputs
    return {name: as_array(name, value, infos.get(name)) for name, value in inputs.items()}

  def _signature(self, spec: ModelSpec, deadline: Deadline, *, anew: bool = False) -> Signature:
    """Returns what the model says of a signature, remembered from the first time it was asked."""
    key = (spec.version, spec.label)
    known = None if anew else self._metadata.get(key)
    if known is None or spec.signature_name not in known.signatures:
      known = self._metadata[key] = self._get_metadata(spec, deadline.remaining_s())
    found = known.signatures.get(spec.signature_name)
    if found is None:
      raise BadRequest(
        f"Serving signature name: {spec.signature_name!r} not found. Model {known.name!r} version "
        f"{known.version} has: {', '.join(sorted(known.signatures))}.",
        "FAILED_PRECONDITION",
      )
    return found

  @abc.abstractmethod
  def _predict(
    self, spec: ModelSpec, inputs: dict[str, Array], deadline: Deadline
  ) -> dict[str, Array]:
    """Makes one call of Predict."""

  @abc.abstractmethod
  def _classify(
    self,
    spec: ModelSpec,
    examples: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None,
    left_s: float,
  ) -> list[list[tuple[str, float]]]:
    """Makes one call of Classify."""

  @abc.abstractmethod
  def _regress(
    self,
    spec: ModelSpec,
    examples: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None,
    left_s: float,
  ) -> Array:
    """Makes one call of Regress."""

  @abc.abstractmethod
  def _get_metadata(self, spec: ModelSpec, left_s: float) -> ModelMetadata:
    """Makes one call of GetModelMetadata."""

  @abc.abstractmethod
  def _get_status(self, spec: ModelSpec, left_s: float) -> tuple[VersionStatus, ...]:
    """Makes one call of GetModelStatus."""
