"""Asks the embedded model server, running as a process, for the recorded rows, as clients do."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tfx.utils import io_utils

from components.serving_gate import example_files, scratch
from components.serving_gate.compare import EVERY, PathResult, failed
from components.serving_gate.expectations import Expectations
from components.serving_gate.latency import Latency, measure
from components.serving_gate.loaders import Run, first_line
from components.serving_gate.replay import (
  CLASSIFY,
  CLASSIFY_OUTPUTS,
  REGRESS,
  SERVING_DEFAULT,
  replay_request,
  requests,
)
from components.serving_gate.server_process import (
  REQUEST_TIMEOUT_S,
  NoAnswer,
  ServerFailed,
  ServerProcess,
  ServerRefused,
)
from components.serving_gate.snippets import Snippets
from dlpipe.errors import DlpipeError
from dlpipe.progress import report
from dlpipe_client import (
  Client,
  DeadlineExceeded,
  GrpcClient,
  RestClient,
  Retry,
  Unavailable,
)

_SERVER = "model server"
_VERSION = 1
_READY_S, _LOOK_S = 60.0, 2.0
_LAST_LINES = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
  """The server's answers.

  Attributes:
    paths: a result for each output of each signature and protocol, and of each example request.
    latency: of each protocol.
    skipped: sentences on tests that this machine cannot run.
    log: the server's output.
  """

  paths: tuple[PathResult, ...]
  latency: tuple[Latency, ...] = ()
  skipped: tuple[str, ...] = ()
  log: str = ""


@contextlib.contextmanager
def starting_server(model_dir: str, model_name: str) -> Iterator[ServerProcess]:
  """Starts a server of the export, which may load it during the block; leaves none running.

  Args:
    model_dir: the SavedModel's directory.
    model_name: the name it is served under, which the examples have.
  """
  with scratch.folder() as folder:
    base = pathlib.Path(folder, "models")
    _place(model_dir, base / str(_VERSION))
    server = ServerProcess(
      model_name=model_name, base_path=base, log=pathlib.Path(folder, "server.log")
    )
    report("Starting the model server")
    try:
      server.begin()
      yield server
    finally:
      server.end()


def replay_through_server(
  server: ServerProcess, expectations: Expectations, *, model_name: str, tolerance: float
) -> Served:
  """Waits for the server, replays the rows over REST and gRPC, and executes the examples.

  A model that the server cannot load is refused by that. What happened to the machine is no verdict
  about the model.

  Args:
    server: the result of `starting_server`.
    expectations: rows and right answers.
    model_name: the name it is served under.
    tolerance: the largest difference of numbers that passes; of an output whose numbers are larger
      than 1, as a part of the largest.

  Raises:
    DlpipeError: the server was killed, had no port, or did not answer in time.
  """
  try:
    with server:
      served = _ask(server, expectations, model_name, tolerance)
      server.check()
  except ServerRefused as err:
    reason = f"cannot serve the model: it {err}"
    paths = (failed(_SERVER, EVERY, len(expectations.examples), reason),)
    served = Served(paths=paths)
  except (ServerFailed, NoAnswer) as err:
    raise DlpipeError(
      f"The model could not be judged: the model server {err}. That says nothing of the model: "
      "run again. Where it comes back, look for what ends processes on this machine, such as too "
      f"little memory.{_end_of(server.log_text())}"
    ) from err
  return dataclasses.replace(served, log=server.log_text())


def _ask(
  server: ServerProcess,
  expectations: Expectations,
  model_name: str,
  tolerance: float,
) -> Served:
  rows = len(expectations.examples)
  first = {name: values[:1] for name, values in expectations.outputs.items()}
  paths: list[PathResult] = []
  latencies: list[Latency] = []
  with contextlib.ExitStack() as stack:
    snippets = stack.enter_context(
      Snippets(
        server.base_path / str(_VERSION) / example_files.FOLDER,
        rest_url=server.rest_url,
        grpc_target=server.grpc_target,
      )
    )
    clients = {
      protocol: stack.enter_context(client)
      for protocol, client in _clients(server, model_name).items()
    }
    for protocol, client in clients.items():
      report(f"Replaying {rows} rows over {protocol}", protocol=protocol, rows=rows)
      paths += _replay(client, protocol, expectations, tolerance, server)
      server.check()
    report("Executing the example requests")
    paths += snippets.results(first, tolerance=tolerance)
    # Last, when nothing else wants the processors.
    if all(path.passed for path in paths):
      for protocol, client in clients.items():
        report(f"Measuring the latency over {protocol}", protocol=protocol)
        try:
          latencies.append(_measure(client, protocol, expectations))
        except Exception as err:  # see `_replay`
          _raise_if_unanswered(err, server)
          paths.append(failed(protocol, SERVING_DEFAULT, 1, f"fails: {first_line(err)}"))
  return Served(paths=tuple(paths), latency=tuple(latencies), skipped=snippets.skipped)


def _clients(server: ServerProcess, model_name: str) -> dict[str, Client]:
  # A request that is tried again would hide that it failed.
  options: dict[str, Any] = {"timeout_s": REQUEST_TIMEOUT_S, "retry": Retry(attempts=1)}
  return {
    "REST": RestClient(server.rest_url, model_name, **options),
    "gRPC": GrpcClient(
      server.grpc_target,
      model_name,
      channel_options=[("grpc.enable_http_proxy", 0)],
      **options,
    ),
  }


def _replay(
  client: Client,
  protocol: str,
  expectations: Expectations,
  tolerance: float,
  server: ServerProcess,
) -> Iterator[PathResult]:
  try:
    _wait_until_ready(client, server)
    signatures = client.metadata().signatures.keys()
  except Exception as err:  # whatever a server or a model does wrong refuses the model
    _raise_if_unanswered(err, server)
    rows = len(expectations.examples)
    yield failed(protocol, EVERY, rows, f"API gives no answer: {first_line(err)}")
    return
  run = _run(client, expectations, server)
  for request in requests(expectations, signatures):
    yield from replay_request(run, request, protocol, tolerance)


def _wait_until_ready(client: Client, server: ServerProcess) -> None:
  """Returns when the version answers; one whose server is gone is not waited for."""
  deadline = time.monotonic() + _READY_S
  while True:
    try:
      client.wait_until_ready(timeout_s=_LOOK_S, version=_VERSION)
      return
    except DeadlineExceeded:
      server.check()
      if time.monotonic() > deadline:
        raise


def _raise_if_unanswered(err: Exception, server: ServerProcess) -> None:
  """Raises where a call failed for want of a server or of time, and not for what the model did.

  Raises:
    ServerFailed: the server is gone.
    NoAnswer: it is there, and did not answer.
  """
  if isinstance(err, (Unavailable, DeadlineExceeded)):
    server.check()
    raise NoAnswer(f"did not answer: {first_line(err)}") from err


def _end_of(log: str) -> str:
  """Returns the last lines of a log, introduced; empty if the server wrote nothing."""
  lines = log.strip().splitlines()[-_LAST_LINES:]
  return "\n".join([" The server's log ends with:", *lines]) if lines else ""


def _run(client: Client, expectations: Expectations, server: ServerProcess) -> Run:
  def run(signature: str, input_name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    try:
      return ask(signature, input_name, values)
    except (Unavailable, DeadlineExceeded) as err:
      _raise_if_unanswered(err, server)
      raise

  def ask(signature: str, input_name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    if signature == REGRESS:
      rows = [_features(value) for value in values]
      return {"outputs": client.regress(rows, signature_name=REGRESS)}
    if signature != CLASSIFY:
      return client.predict({input_name: values}, signature_name=signature)
    answer = client.classify([_features(value) for value in values], signature_name=CLASSIFY)
    columns = _columns(answer)
    # Classify always gives both; a task may have only one of them.
    return {
      new: columns[new] for new, old in CLASSIFY_OUTPUTS.items() if old in expectations.outputs
    }

  return run


def _measure(client: Client, protocol: str, expectations: Expectations) -> Latency:
  def ask(row: np.ndarray) -> None:
    client.predict({expectations.input_key: row})

  return measure(ask, expectations.values, protocol=protocol)


def _columns(answer: Sequence[Sequence[tuple[str, float]]]) -> dict[str, np.ndarray]:
  """Returns the answers of Classify, `[rows, classes]`."""
  classes = [[label.encode("utf-8", "surrogateescape") for label, _ in row] for row in answer]
  return {
    "classes": np.array(classes, object),
    "scores": np.array([[score for _, score in row] for row in answer], np.float64),
  }


def _features(serialized: bytes) -> dict[str, list[Any]]:
  """Returns a tf.Example as the client takes it; a feature without values is left out."""
  features = tf.train.Example.FromString(serialized).features.feature
  found = {
    name: list(getattr(feature, kind).value)
    for name, feature in features.items()
    if (kind := feature.WhichOneof("kind"))
  }
  return {name: values for name, values in found.items() if values}


def _place(model_dir: str, version_dir: pathlib.Path) -> None:
  """Makes the export a version of a base path."""
  version_dir.parent.mkdir(parents=True)
  if "://" in model_dir:
    io_utils.copy_dir(model_dir, str(version_dir))
  else:
    version_dir.symlink_to(os.path.abspath(model_dir), target_is_directory=True)
