"""Servers on free loopback ports, and ways to ask them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
  get_model_status_pb2,
  model_service_pb2_grpc,
  predict_pb2,
  prediction_service_pb2_grpc,
)

from serving.flags import check, parse
from serving.server import ModelServer

_STANDSTILL_S = 120


class Client:
  """Ways to ask a server on loopback.

  Attributes:
    tls: what its REST port is asked with; None where it speaks plain text.
  """

  tls = None

  def __init__(self, port, rest_port):
    self.port, self.rest_port = port, rest_port
    self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
    self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

  def http(self, method, path, body=None, **headers):
    """Status, headers by lower-case name, body."""
    connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=120)
    if self.tls is not None:
      connection = http.client.HTTPSConnection(
        "localhost", self.rest_port, timeout=120, context=self.tls
      )
    try:
      content = json.dumps(body) if isinstance(body, dict) else body
      given = {name.replace("_", "-"): value for name, value in headers.items()}
      connection.request(method, path, content, given)
      response = connection.getresponse()
      found = {name.lower(): value for name, value in response.getheaders()}
      return response.status, found, response.read()
    finally:
      connection.close()

  def get(self, path):
    """Status and parsed body."""
    status, _, body = self.http("GET", path)
    return status, json.loads(body)

  def post(self, path, body):
    """Status and parsed body."""
    status, _, answer = self.http("POST", path, body)
    return status, json.loads(answer)

  def predict(self, model, inputs, *, timeout_s=120, **spec):
    """PredictResponse to inputs that are arrays or lists."""
    request = predict_request(model, inputs, **spec)
    return self.prediction.Predict(request, timeout=timeout_s)

  def states(self, model):
    """Version to state's name, as GetModelStatus has them."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    found = self.models.GetModelStatus(request, timeout=120).model_version_status
    names = get_model_status_pb2.ModelVersionStatus.State
    return {status.version: names.Name(status.state) for status in found}

  def wait_for(self, model, **states):
    """Returns when the versions `v1=...` are in these states."""
    wanted = {int(name[1:]): state for name, state in states.items()}
    deadline = time.monotonic() + 120
    while True:
      with contextlib.suppress(grpc.RpcError):
        found = self.states(model)
        if wanted.items() <= found.items():
          return
      assert time.monotonic() < deadline, self.states(model)
      time.sleep(0.05)


class Local(Client):
  """A server in this process, which has TensorFlow already."""

  def __init__(self, ports, *flags):
    super().__init__(*ports)
    given, unknown = parse(
      [
        f"--port={self.port}",
        f"--rest_api_port={self.rest_port}",
        "--max_num_load_retries=0",
        *map(str, flags),
      ]
    )
    assert unknown == []
    check(given)
    self.server = ModelServer(given)

  def stop(self):
    self.channel.close()
    self.server.stop()


class Process(Client):
  """A server as a user starts it."""

  def __init__(self, log, ports, *flags, limit_of_descriptors=None):
    super().__init__(*ports)
    self._log = log
    command = [sys.executable, "-m", "serving", f"--port={self.port}"]
    command += [f"--rest_api_port={self.rest_port}", *map(str, flags)]
    if limit_of_descriptors is not None:
      command = ["sh", "-c", f'ulimit -n {limit_of_descriptors} && exec "$@"', "sh", *command]
    with log.open("w") as out:
      self.process = subprocess.Popen(
        command,
        cwd=pathlib.Path(__file__).parents[4],
        stdout=out,
        stderr=subprocess.STDOUT,
      )

  def output(self):
    return self._log.read_text()

  def wait(self):
    """Returns when both ports are open; waits as long as the process gets on with it."""
    spent_s, since = 0.0, time.monotonic()
    while "Exporting HTTP/REST API" not in self.output():
      assert self.process.poll() is None, self.output()
      if self.cpu_s() > spent_s:
        spent_s, since = self.cpu_s(), time.monotonic()
      assert time.monotonic() - since < _STANDSTILL_S, self.output()
      time.sleep(0.05)
    return self

  def cpu_s(self):
    """What the process has used; nothing any more where it has ended."""
    try:
      stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
    except OSError:
      return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

  def stop(self):
    self.channel.close()
    self.process.kill()
    self.process.wait()


def predict_request(model, inputs, *, version=None, label=None, signature="", outputs=()):
  """A PredictRequest; a TensorProto is taken as it is."""
  request = predict_pb2.PredictRequest()
  request.model_spec.name = model
  request.model_spec.signature_name = signature
  if version is not None:
    request.model_spec.version.value = version
  if label is not None:
    request.model_spec.version_label = label
  request.output_filter.extend(outputs)
  for name, value in inputs.items():
    is_proto = hasattr(value, "tensor_shape")
    request.inputs[name].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
  return request


def refused(call):
  """Code's name and text of the error that a gRPC call ends with."""
  with pytest.raises(grpc.RpcError) as error:
    call()
  return error.value.code().name, error.value.details()


def write_config(path, *models):
  """A model config file of `(name, base path, further fields)`."""
  entries = "".join(
    f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'
    for name, base, more in models
  )
  # As `dlpipe` writes its versions: whole or not at all.
  target = pathlib.Path(path)
  draft = target.with_suffix(".draft")
  draft.write_text(f"model_config_list {{ {entries} }}")
  draft.rename(target)
  return target


@pytest.fixture(scope="module")
def start(free_ports):
  """Returns a function that starts a server in this process; all stop after the module."""
  with contextlib.ExitStack() as stack:

    def started(*flags):
      local = Local(free_ports(2), *flags)
      stack.callback(local.stop)
      local.server.start()
      return local

    yield started


@pytest.fixture(scope="session")
def start_process(free_ports, tmp_path_factory):
  """Returns a function that starts a server in a process of its own."""
  folder, started = tmp_path_factory.mktemp("processes"), []

  def process(*flags, **options):
    started.append(Process(folder / f"{len(started)}.log", free_ports(2), *flags, **options))
    return started[-1]

  yield process
  for one in started:
    one.stop()


_LABELS = {"stable": 1, "canary": 2}


@pytest.fixture(scope="session")
def server(start_process, models, tmp_path_factory):
  """Serves all models; of half_plus both versions, with labels."""
  config = write_config(
    tmp_path_factory.mktemp("config") / "models.config",
    (
      "half_plus",
      models / "half_plus",
      "model_version_policy { all {} } "
      + "".join(f"version_labels {{ key: '{k}' value: {v} }} " for k, v in _LABELS.items()),
    ),
    *((name, models / name, "") for name in ("many", "types", "slow", "doubler")),
  )
  return start_process(
    f"--model_config_file={config}",
    "--allow_version_labels_for_unavailable_models",
    "--rest_api_timeout_in_ms=2000",
  ).wait()


@pytest.fixture(scope="session")
def tools():
  """The functions above, for tests, which import nothing from here."""
  return _Tools


class _Tools:
  predict_request = staticmethod(predict_request)
  refused = staticmethod(refused)
  write_config = staticmethod(write_config)
