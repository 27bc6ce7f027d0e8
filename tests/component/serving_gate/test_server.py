"""ServingGate and the server that it starts: how it is asked, and how it ends."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import sys

import psutil
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components.artifacts import TRY_AGAIN
from components.serving_gate import parity as proof
from components.serving_gate import server_process, server_replay, serving_ops
from dlpipe.errors import DlpipeError

_ROOT = pathlib.Path(__file__).resolve().parents[3]
# Starts a server, first where another program listens, and waits to be killed.
_PARENT = """
import pathlib, sys, time
from components.serving_gate import server_process

base, log, taken = sys.argv[1:]
choices = iter([[int(taken), *server_process._free_ports(1)], server_process._free_ports(2)])
server_process._free_ports = lambda count: next(choices)
made = server_process.ServerProcess(model_name="toy", base_path=base, log=pathlib.Path(log))
with made as server:
  print(server.pid, server.grpc_target, flush=True)
  time.sleep(120)
"""


@pytest.fixture
def toy_base_path(tmp_path, toy):
  """A base path with one version."""
  made = toy()
  function = tf.function(made.predict).get_concrete_function(
    tf.TensorSpec([None], tf.string, "text")
  )
  tf.saved_model.save(made, str(tmp_path / "models" / "1"), signatures=function)
  return tmp_path / "models"


def test_the_server_starts_while_the_loaders_replay(gate, monkeypatch, toy):
  done = []

  class Watched(server_process.ServerProcess):
    def begin(self):
      done.append("begun")
      super().begin()

    def __enter__(self):
      done.append("awaited")
      return super().__enter__()

  def replay(*args, **named):
    done.append("replayed")
    return replay_in_process(*args, **named)

  replay_in_process = proof.replay_in_process
  monkeypatch.setattr(server_replay, "ServerProcess", Watched)
  monkeypatch.setattr(proof, "replay_in_process", replay)
  # `gate` sees that no server of a refused model is left.
  assert gate(toy(shift=1e-3))[0] == 0
  assert done == ["begun", "replayed"]


def test_right_answers_that_come_late_are_refused(gate, toy):
  blessed, parity = gate(toy(shift=1e-3), tolerance=2e-3, max_latency_ms=1e-3)
  assert (blessed, parity["passed"], parity["max_latency_ms"]) == (0, False, 1e-3)
  # The machine may have been busy.
  assert gate.blessing.get_int_custom_property(TRY_AGAIN) == 1
  # The shift is within the tolerance: nothing but the latency refuses.
  assert all(p["passed"] for p in parity["paths"])
  assert max(p["max_difference"] for p in parity["paths"]) == pytest.approx(1e-3, rel=1e-3)
  for protocol, reason in zip(("REST", "gRPC"), parity["reasons"], strict=True):
    assert reason.startswith(f"Over {protocol}, 99 of 100 requests of one row are answered within ")
    assert reason.endswith("gates.max_latency_ms is 0.001.")


def test_model_that_answers_otherwise_in_the_server_is_refused(
  gate, tmp_path, monkeypatch, toy, failed_paths
):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(serving_ops, "_FILE_OPS", frozenset())  # a file tells the server here
  made = toy()

  def elsewhere(texts):
    # The server's working directory holds its log.
    shift = 1e-3 * tf.cast(tf.size(tf.io.matching_files("server.lo*")), tf.float32)
    found = made.predict(texts)
    return found | {"score": found["score"] + shift}

  blessed, parity = gate(made, made.functions() | {"serving_default": ("text", elsewhere)})
  assert blessed == 0
  ways = ["REST", "gRPC", "predict_rest.py", "predict_grpc.py"]
  ways += ["curl.sh"] if shutil.which("curl") else []
  assert failed_paths(parity) == {(way, "serving_default", "score") for way in ways}
  assert "serving_default (REST, batch of 1): score differs by 0.001" in parity["reasons"][0]
  assert parity["latency"] == []
  assert "Exporting HTTP/REST API" in (tmp_path / "blessing" / "server.log").read_text()


def test_model_that_the_server_cannot_load_is_refused_with_its_reason(gate, tmp_path, toy):
  def damage(root):
    extra = root / "model" / "Format-Serving" / "assets.extra"
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "no_such_signature"
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
      writer.write(log.SerializeToString())

  blessed, parity = gate(toy(), damage=damage)
  assert blessed == 0
  [reason] = parity["reasons"]
  assert reason.startswith("The model server cannot serve the model: it ended with exit code 255: ")
  assert "no_such_signature" in reason
  assert [p["loader"] for p in parity["paths"] if not p["passed"]] == ["model server"]
  log_text = (tmp_path / "blessing" / "server.log").read_text()
  assert "Failed to start server. Error: " in log_text


def test_examples_that_do_not_work_refuse_the_model(gate, toy):
  def damage(root):
    examples = root / "model" / "Format-Serving" / "assets.extra" / "examples"
    (examples / "curl.sh").write_text("echo no such address >&2; exit 3\n")
    (examples / "predict_rest.py").write_text(
      'print(\'{"label": ["cat"], "labels": [["cat", "dog"]], "score": [9], "scores": [[9, 8]]}\')'
    )
    (examples / "predict_grpc.py").unlink()

  made = toy()
  functions = made.functions()
  del functions["classify"]  # which a model need not have
  blessed, parity = gate(made, functions, damage=damage)
  assert blessed == 0
  fails = {p["loader"]: p["reason"] for p in parity["paths"] if p["output"] == "*"}
  assert fails.pop("predict_grpc.py") == (
    "fails: the export has no assets.extra/examples/predict_grpc.py"
  )
  if shutil.which("curl"):
    assert fails.pop("curl.sh") == "fails: it ends with exit code 3: no such address"
  assert fails == {}
  wrong = [p for p in parity["paths"] if not p["passed"] and p["output"] != "*"]
  assert {(p["loader"], p["output"]) for p in wrong} == {
    ("predict_rest.py", name) for name in ("label", "score", "scores")
  }


def test_no_server_outlives_a_killed_gate(toy_base_path, tmp_path):
  with socket.socket() as other:
    other.bind(("127.0.0.1", 0))
    other.listen()
    taken = other.getsockname()[1]
    parent = subprocess.Popen(
      [sys.executable, "-c", _PARENT, str(toy_base_path), str(tmp_path / "log"), str(taken)],
      cwd=_ROOT,
      stdout=subprocess.PIPE,
      text=True,
    )
    pid, address = parent.stdout.readline().split()
  # The first choice was taken, so the server got another one.
  assert int(address.rpartition(":")[2]) != taken
  server = psutil.Process(int(pid))
  try:
    assert server.is_running()
    parent.kill()
    parent.communicate()
    server.wait(timeout=120)
  finally:
    with contextlib.suppress(psutil.NoSuchProcess):
      server.kill()


@pytest.mark.parametrize("when", ["started", "replaying", "silent"])
def test_a_server_that_is_killed_is_no_verdict_about_the_model(
  gate, monkeypatch, tmp_path, when, toy
):
  class Killed(server_process.ServerProcess):
    checks = 0

    def kill(self):
      self._running().kill()
      self._running().wait(timeout=120)

    def __enter__(self):
      super().__enter__()
      if when == "started":
        self.kill()
      return self

    def log_text(self):
      return "" if when == "silent" else super().log_text()

    def check(self):
      # The first check after the start is the one after the replay over REST.
      if when != "started" and self.rest_url and self.checks == 0 and _is_open(self.rest_url):
        self.checks += 1
        self.kill()
      super().check()

  monkeypatch.setattr(server_replay, "ServerProcess", Killed)
  with pytest.raises(DlpipeError, match="could not be judged.*SIGKILL.*run again") as error:
    gate(toy())
  assert ("log ends with:\n" in str(error.value)) == (when != "silent")
  assert not list((tmp_path / "blessing").glob("INFRA_*"))


def _is_open(url):
  host, port = url.removeprefix("http://").split(":")
  try:
    socket.create_connection((host, int(port)), timeout=1).close()
  except OSError:
    return False
  return True
