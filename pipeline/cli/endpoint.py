"""Gets predictions from a model server, for `dlpipe predict --endpoint`. Imports no TensorFlow."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from dlpipe.errors import BadInputError, DlpipeError
from dlpipe_client import (
  BadRequest,
  Client,
  InvalidInput,
  NotFound,
  ServingClientError,
  Tls,
  Unauthenticated,
  connect,
)
from pipeline.api.asking import Answer, answers
from pipeline.api.explaining import require_explain
from pipeline.explanations.values import EXPLAIN, trimmed
from pipeline.task import Task

_SIGNATURE = "serving_default"


class EndpointModel:
  """A task's model on a server; call `close` after use."""

  def __init__(
    self,
    task: Task,
    endpoint: str,
    *,
    timeout_s: float,
    token_file: str | None = None,
    ca_file: str | None = None,
    version: int | None = None,
  ):
    """Asks the server for a version; all later calls use it.

    Args:
      task: the task; the served model has its name.
      endpoint: `http://host:port`, `https://...`, `grpc://...`, `grpcs://...` or `unix:/path`.
      timeout_s: timeout of each call, in seconds.
      token_file: file that holds a bearer token.
      ca_file: PEM file with the certificate of the CA that signed the server's certificate.
      version: the version; None for the one that the server gives to who names none.

    Raises:
      BadInputError: the endpoint or a file cannot be used.
      DlpipeError: the server does not answer, or has no such model.
    """
    self._task, self._endpoint = task, endpoint
    self._client: Client = self._guarded(
      lambda: connect(
        endpoint,
        task.name,
        timeout_s=timeout_s,
        tls=None if ca_file is None else Tls(ca_path=ca_file),
        token=None if token_file is None else _token(token_file),
      )
    )
    try:
      metadata = self._guarded(lambda: self._client.metadata(version=version))
      self.version: int = metadata.version
      self._signatures = frozenset(metadata.signatures)
    except (BadRequest, DlpipeError) as err:
      self.close()
      if isinstance(err, DlpipeError):
        raise
      raise DlpipeError(f"The server at {endpoint} did not answer: {err}") from err

  def predict(self, values: Sequence[Any], signature: str = _SIGNATURE) -> dict[str, Any]:
    """Returns arrays by output name.

    Raises:
      BadRequest: the model cannot read a value.
      DlpipeError: the server failed, or cannot be reached.
    """
    inputs = {self._task.input.key: list(values)}
    return self._guarded(
      lambda: self._client.predict(inputs, signature_name=signature, version=self.version)
    )

  def answers(self, values: Sequence[bytes]) -> list[Answer]:
    """Returns the model's outputs or its error for each value.

    Raises:
      DlpipeError: the server failed, or cannot be reached.
    """
    return answers(self.predict, values, BadRequest)

  def explanations(self, values: Sequence[bytes]) -> list[Answer]:
    """Returns the explanation of each answer, or the error.

    Raises:
      BadInputError: the model has no signature `explain`.
      DlpipeError: the server failed, or cannot be reached.
    """
    where = f"Version {self.version} of {self._task.name} at {self._endpoint}"
    require_explain(self._signatures, where)
    found = answers(lambda some: self.predict(some, EXPLAIN), values, BadRequest)
    return [each if isinstance(each, str) else trimmed(each) for each in found]

  def close(self) -> None:
    """Closes the connection."""
    self._client.close()

  def _guarded(self, call: Any) -> Any:
    try:
      return call()
    except InvalidInput as err:
      raise BadInputError(str(err)) from err
    except BadRequest:
      raise
    except NotFound as err:
      raise DlpipeError(
        f"The server at {self._endpoint} has no model {self._task.name!r} that answers: {err}"
      ) from err
    except Unauthenticated as err:
      raise DlpipeError(
        f"The server at {self._endpoint} wants a token, or another one: {err} "
        "Name its file with --token-file."
      ) from err
    except ServingClientError as err:
      raise DlpipeError(f"The server at {self._endpoint} did not answer: {err}") from err


def _token(path: str) -> str:
  try:
    token = pathlib.Path(path).read_text("utf-8").strip()
  except (OSError, UnicodeDecodeError) as err:
    raise BadInputError(f"--token-file takes a file with a token. {path!r} is none: {err}") from err
  if not token or not token.isascii() or any(character.isspace() for character in token):
    raise BadInputError(
      f"--token-file takes a file with one token. {path!r} holds none or several."
    )
  return token
