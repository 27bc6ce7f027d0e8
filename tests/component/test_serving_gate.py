"""`ServingGate` on hand-made exports: one that is right, and each way to be wrong."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import sys

import keras
import psutil
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
from tfx import types
from tfx.types import standard_artifacts

from components.artifacts import TRY_AGAIN
from components.serving_gate import parity as proof
from components.serving_gate import server_process, server_replay
from components.serving_gate.component import ServingGate
from dlpipe.errors import BadInputError, DlpipeError

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_LABELS = [b"cat", b"dog"]
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


class Toy(tf.Module):
  """Classifies a text by its length; `shift` is added to what `serving_default` scores."""

  def __init__(self, shift=0.0):
    super().__init__()
    self.weight = tf.Variable(0.3)
    self.shift = shift

  def predict(self, texts, shift=0.0):
    length = tf.cast(tf.strings.length(texts), tf.float32)
    scores = tf.nn.softmax(tf.stack([length * self.weight, tf.ones_like(length)], axis=1))
    scores += [[shift, 0.0]]
    return {
      "label": tf.gather(tf.constant(_LABELS), tf.argmax(scores, axis=1)),
      "score": tf.reduce_max(scores, axis=1),
      "scores": scores,
      "labels": tf.repeat(tf.constant([_LABELS]), tf.shape(scores)[0], axis=0),
    }

  def parse(self, examples):
    return tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]

  def functions(self):
    """Signature name to (input name, function)."""

    def classify(examples):
      found = self.predict(self.parse(examples))
      return {"classes": found["labels"], "scores": found["scores"]}

    return {
      "serving_default": ("text", lambda texts: self.predict(texts, self.shift)),
      "serving_examples": ("examples", lambda examples: self.predict(self.parse(examples))),
      "classify": ("inputs", classify),
    }


@pytest.fixture
def toy_base_path(tmp_path):
  """A base path with one version."""
  toy = Toy()
  function = tf.function(toy.predict).get_concrete_function(
    tf.TensorSpec([None], tf.string, "text")
  )
  tf.saved_model.save(toy, str(tmp_path / "models" / "1"), signatures=function)
  return tmp_path / "models"


@pytest.fixture
def no_server(monkeypatch):
  """Starts no server, for models that are refused without one; fails where one is asked."""

  class Never(server_process.ServerProcess):
    def begin(self):
      pass

    def __enter__(self):
      raise AssertionError("A server was asked.")

  monkeypatch.setattr(server_replay, "ServerProcess", Never)


def _failed_paths(parity):
  return {(p["loader"], p["signature"], p["output"]) for p in parity["paths"] if not p["passed"]}


def test_right_export_is_blessed_through_every_path(gate, tmp_path):
  blessed, parity = gate(Toy())
  assert blessed == 1
  assert (parity["passed"], parity["rows"], parity["tolerance"]) == (True, 10, 1e-5)
  assert parity["reasons"] == []
  found = {(p["loader"], p["signature"], p["output"], p["batch"]) for p in parity["paths"]}
  outputs = ["label", "labels", "score", "scores"]
  examples = ["predict_rest.py", "predict_grpc.py"]
  if shutil.which("curl"):
    examples.append("curl.sh")
    assert parity["skipped"] == []
  assert found == {
    (loader, signature, output, batch)
    for loader in ("TF1", "TF2", "REST", "gRPC")
    for signature, names in (
      ("serving_default", outputs),
      ("serving_examples", outputs),
      ("classify", ["classes", "scores"]),
    )
    for output in names
    for batch in (1, 10)
  } | {(name, "serving_default", output, 1) for name in examples for output in outputs}
  assert len(parity["paths"]) == len(found)
  assert all(p["passed"] and 0 <= p["max_difference"] <= 1e-5 for p in parity["paths"])
  assert parity["max_latency_ms"] is None
  assert [each["protocol"] for each in parity["latency"]] == ["REST", "gRPC"]
  assert all(0 < each["p50_ms"] <= each["p99_ms"] < 5000 for each in parity["latency"])
  assert all(20 <= each["requests"] <= 100 for each in parity["latency"])
  assert not (tmp_path / "blessing" / "server.log").exists()
  # What was executed left nothing beside itself, so what is pushed is what was executed.
  beside = tmp_path / "model" / "Format-Serving" / "assets.extra" / "examples"
  assert sorted(path.name for path in beside.iterdir()) == [
    "curl.sh",
    "predict_grpc.py",
    "predict_rest.py",
    "request.json",
  ]


def test_shifted_serving_default_is_refused_and_the_rest_passes(gate):
  blessed, parity = gate(Toy(shift=1e-3))
  assert gate.blessing.get_int_custom_property(TRY_AGAIN) == 0
  assert (blessed, parity["passed"]) == (0, False)
  failed = _failed_paths(parity)
  assert {f[:2] for f in failed} == {("TF1", "serving_default"), ("TF2", "serving_default")}
  assert ("TF1", "serving_default", "scores") in failed
  worst = max(p["max_difference"] or 0 for p in parity["paths"])
  assert worst == pytest.approx(1e-3, rel=1e-3)
  assert "serving_default (TF2 loader, batch of 1): score differs by 0.001" in parity["reasons"][0]
  assert parity["skipped"] == ["No model server was asked, since the model is refused without it."]
  assert parity["latency"] == []


def test_the_server_starts_while_the_loaders_replay(gate, monkeypatch):
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
  assert gate(Toy(shift=1e-3))[0] == 0
  assert done == ["begun", "replayed"]


def test_right_answers_that_come_late_are_refused(gate):
  blessed, parity = gate(Toy(shift=1e-3), tolerance=2e-3, max_latency_ms=1e-3)
  assert (blessed, parity["passed"], parity["max_latency_ms"]) == (0, False, 1e-3)
  # The machine may have been busy.
  assert gate.blessing.get_int_custom_property(TRY_AGAIN) == 1
  # The shift is within the tolerance: nothing but the latency refuses.
  assert all(p["passed"] for p in parity["paths"])
  assert max(p["max_difference"] for p in parity["paths"]) == pytest.approx(1e-3, rel=1e-3)
  for protocol, reason in zip(("REST", "gRPC"), parity["reasons"], strict=True):
    assert reason.startswith(f"Over {protocol}, 99 of 100 requests of one row are answered within ")
    assert reason.endswith("gates.max_latency_ms is 0.001.")


def test_model_that_answers_otherwise_in_the_server_is_refused(gate, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  toy = Toy()

  def elsewhere(texts):
    # The server's working directory holds its log.
    shift = 1e-3 * tf.cast(tf.size(tf.io.matching_files("server.lo*")), tf.float32)
    found = toy.predict(texts)
    return found | {"score": found["score"] + shift}

  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("text", elsewhere)})
  assert blessed == 0
  ways = ["REST", "gRPC", "predict_rest.py", "predict_grpc.py"]
  ways += ["curl.sh"] if shutil.which("curl") else []
  assert _failed_paths(parity) == {(way, "serving_default", "score") for way in ways}
  assert "serving_default (REST, batch of 1): score differs by 0.001" in parity["reasons"][0]
  assert parity["latency"] == []
  assert "Exporting HTTP/REST API" in (tmp_path / "blessing" / "server.log").read_text()


def test_model_that_the_server_cannot_load_is_refused_with_its_reason(gate, tmp_path):
  def damage(root):
    extra = root / "model" / "Format-Serving" / "assets.extra"
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "no_such_signature"
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
      writer.write(log.SerializeToString())

  blessed, parity = gate(Toy(), damage=damage)
  assert blessed == 0
  [reason] = parity["reasons"]
  assert reason.startswith("The model server cannot serve the model: it ended with exit code 255: ")
  assert "no_such_signature" in reason
  assert [p["loader"] for p in parity["paths"] if not p["passed"]] == ["model server"]
  log_text = (tmp_path / "blessing" / "server.log").read_text()
  assert "Failed to start server. Error: " in log_text


def test_examples_that_do_not_work_refuse_the_model(gate):
  def damage(root):
    examples = root / "model" / "Format-Serving" / "assets.extra" / "examples"
    (examples / "curl.sh").write_text("echo no such address >&2; exit 3\n")
    (examples / "predict_rest.py").write_text(
      'print(\'{"label": ["cat"], "labels": [["cat", "dog"]], "score": [9], "scores": [[9, 8]]}\')'
    )
    (examples / "predict_grpc.py").unlink()

  toy = Toy()
  functions = toy.functions()
  del functions["classify"]  # which a model need not have
  blessed, parity = gate(toy, functions, damage=damage)
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
def test_a_server_that_is_killed_is_no_verdict_about_the_model(gate, monkeypatch, tmp_path, when):
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
    gate(Toy())
  assert ("log ends with:\n" in str(error.value)) == (when != "silent")
  assert not list((tmp_path / "blessing").glob("INFRA_*"))


def _is_open(url):
  host, port = url.removeprefix("http://").split(":")
  try:
    socket.create_connection((host, int(port)), timeout=1).close()
  except OSError:
    return False
  return True


@pytest.mark.usefixtures("no_server")
def test_keras_model_without_bare_variables_is_refused_by_the_tf1_loader_alone(gate):
  class Held(tf.Module):
    def __init__(self):
      super().__init__()
      self.model = keras.Sequential([keras.layers.Dense(2, name="head")])
      self.model.build((None, 1))

    def predict(self, texts):
      length = tf.cast(tf.strings.length(texts), tf.float32)[:, tf.newaxis]
      return {"scores": self.model(length)}

  module = Held()
  parse = Toy().parse
  functions = {
    "serving_default": ("text", module.predict),
    "serving_examples": ("examples", lambda examples: module.predict(parse(examples))),
  }
  blessed, parity = gate(module, functions)
  assert blessed == 0
  assert {p["loader"] for p in parity["paths"] if not p["passed"]} == {"TF1"}
  assert all(p["passed"] for p in parity["paths"] if p["loader"] == "TF2")
  assert "Could not find variable" in parity["reasons"][0]


@pytest.mark.usefixtures("no_server")
def test_model_that_takes_one_row_only_is_refused(gate):
  toy = Toy()
  functions = toy.functions()
  functions["serving_default"] = ("text", lambda texts: toy.predict(tf.reshape(texts, [1])))
  blessed, parity = gate(toy, functions)
  assert blessed == 0
  assert {(p["signature"], p["batch"]) for p in parity["paths"] if not p["passed"]} == {
    ("serving_default", 10)
  }


@pytest.mark.usefixtures("no_server")
def test_model_that_is_wrong_about_a_row_alone_is_refused(gate):
  toy = Toy()

  def lonely(texts):
    return toy.predict(texts, tf.where(tf.equal(tf.size(texts), 1), 0.1, 0.0))

  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("text", lonely)})
  assert blessed == 0
  failed = [p for p in parity["paths"] if not p["passed"]]
  assert {(p["loader"], p["signature"], p["batch"]) for p in failed} == {
    ("TF1", "serving_default", 1),
    ("TF2", "serving_default", 1),
  }


@pytest.mark.usefixtures("no_server")
def test_answer_that_depends_on_the_other_rows_is_refused(gate):
  toy = Toy()

  def leaky(texts):
    found = toy.predict(texts)
    return found | {"score": found["score"] / tf.cast(tf.size(texts), tf.float32)}

  functions = toy.functions() | {"serving_default": ("text", leaky)}
  blessed, parity = gate(toy, functions)
  assert blessed == 0
  assert _failed_paths(parity) == {
    ("TF1", "serving_default", "score"),
    ("TF2", "serving_default", "score"),
  }


def _explain(texts, shift=0.0):
  """Words as long as the batch needs, their parts, and a picture of them."""
  tokens = tf.strings.bytes_split(texts).to_tensor("")
  parts = tf.cast(tokens != "", tf.float32) + shift
  shade = tf.cast(100 + 10 * tf.strings.length(texts), tf.uint8)
  pictures = tf.tile(shade[:, tf.newaxis, tf.newaxis, tf.newaxis], [1, 4, 5, 3])
  return {
    "tokens": tokens,
    "contributions": parts * tf.cast(tokens != "", tf.float32),
    "map_png_bytes": tf.map_fn(tf.io.encode_png, pictures, fn_output_signature=tf.string),
  }


def test_explanations_are_replayed_in_every_way_though_batches_pad_them_otherwise(gate):
  toy = Toy()
  blessed, parity = gate(toy, toy.functions() | {"explain": ("text", _explain)}, explain=_explain)
  assert blessed == 1, parity["reasons"]
  found = {
    (p["loader"], p["output"], p["batch"]) for p in parity["paths"] if p["signature"] == "explain"
  }
  assert found == {
    (loader, output, batch)
    for loader in ("TF1", "TF2", "REST", "gRPC")
    for output in ("tokens", "contributions", "map_png_bytes")
    for batch in (1, 3)
  }


@pytest.mark.usefixtures("no_server")
def test_an_export_that_explains_otherwise_than_the_trained_model_is_refused(gate):
  toy = Toy()

  def shifted(texts):
    found = _explain(texts, shift=0.01)
    darker = tf.zeros([4, 5, 3], tf.uint8)
    return {**found, "map_png_bytes": tf.fill(tf.shape(texts), tf.io.encode_png(darker))}

  blessed, parity = gate(toy, toy.functions() | {"explain": ("text", shifted)}, explain=_explain)
  assert blessed == 0
  assert _failed_paths(parity) == {
    (loader, "explain", output)
    for loader in ("TF1", "TF2")
    for output in ("contributions", "map_png_bytes")
  }


@pytest.mark.usefixtures("no_server")
def test_an_explanation_that_was_recorded_and_is_gone_refuses_the_model(gate):
  blessed, parity = gate(Toy(), explain=_explain)
  assert blessed == 0
  assert "the model has no such signature" in parity["reasons"][0]


@pytest.mark.usefixtures("no_server")
def test_missing_signature_is_refused_by_name(gate):
  toy = Toy()
  functions = toy.functions()
  del functions["serving_examples"]
  blessed, parity = gate(toy, functions)
  assert blessed == 0
  assert "the model has no such signature; it has " in parity["reasons"][0]
  assert "serving_examples (TF2 loader" in parity["reasons"][0]


@pytest.mark.usefixtures("no_server")
def test_other_input_name_is_refused(gate):
  toy = Toy()
  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("words", toy.predict)})
  assert blessed == 0
  assert "expected the input 'text'; the signature takes ['words']" in parity["reasons"][0]


@pytest.mark.usefixtures("no_server")
def test_missing_output_is_refused(gate):
  toy = Toy()

  def poorer(texts):
    found = toy.predict(texts)
    del found["score"]
    return found

  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("text", poorer)})
  assert blessed == 0
  assert _failed_paths(parity) == {
    ("TF1", "serving_default", "score"),
    ("TF2", "serving_default", "score"),
  }


@pytest.mark.usefixtures("no_server")
def test_python_inside_the_graph_is_refused_though_it_runs_here(gate):
  toy = Toy()

  def with_python(texts):
    return toy.predict(tf.ensure_shape(tf.py_function(lambda t: t, [texts], tf.string), [None]))

  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("text", with_python)})
  assert blessed == 0
  assert parity["reasons"][0] == (
    "EagerPyFunc calls back into the Python process that exported the model, which a server has "
    "not. Write it with TensorFlow's ops."
  )


def test_ops_that_the_binary_links_beside_tensorflows_are_served(gate):
  import tensorflow_text

  toy = Toy()

  def composed(texts):
    return toy.predict(tensorflow_text.normalize_utf8(texts, "NFC"))

  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("text", composed)})
  assert (blessed, parity["reasons"]) == (1, [])
  # The embedded server is a process of its own: it has them, too.
  assert {p["loader"] for p in parity["paths"]} >= {"TF1", "TF2", "REST", "gRPC"}


@pytest.mark.usefixtures("no_server")
def test_ops_are_held_to_the_release_that_will_serve(gate):
  toy = Toy()

  def with_sobol(texts):
    # Runs here: up to TensorFlow 2.18 its kernel is in Python's module, and since in the library.
    drawn = tf.raw_ops.SobolSample(dim=1, num_results=1, skip=0)
    return toy.predict(texts + tf.strings.substr("x", 0, tf.cast(drawn[0, 0] * 0, tf.int32)))

  functions = toy.functions() | {"serving_default": ("text", with_sobol)}
  blessed, parity = gate(toy, functions, serving_release="2.16.1")
  assert (blessed, parity["serving_release"]) == (0, "TensorFlow Serving 2.16")
  assert all(path["passed"] for path in parity["paths"])
  [reason] = parity["reasons"]
  assert reason == (
    "TensorFlow Serving 2.16 cannot run SobolSample; 2.19, 2.20 can. Serve with that, and say so "
    "with push.serving_release, or build the model without it."
  )


def test_a_release_that_is_not_known_is_bad_input(gate):
  with pytest.raises(BadInputError, match=r"push\.serving_release: .* Received: '2\.15\.1'"):
    gate(Toy(), serving_release="2.15.1")


@pytest.mark.usefixtures("no_server")
def test_unloadable_model_is_refused_with_the_errors_of_both_loaders(gate):
  def damage(root):
    (root / "model" / "Format-Serving" / "saved_model.pb").write_bytes(b"not a protobuf")

  blessed, parity = gate(Toy(), damage=damage)
  assert blessed == 0
  assert [(p["loader"], p["signature"]) for p in parity["paths"]] == [("TF2", "*"), ("TF1", "*")]
  first, second, third = parity["reasons"]
  assert first.startswith("saved_model.pb cannot be read: ")
  assert second.startswith("The TF2 loader cannot load the model: ")
  assert third.startswith("The TF1 loader cannot load the model: ")


@pytest.mark.usefixtures("no_server")
def test_lost_variables_are_refused(gate):
  def damage(root):
    (root / "model" / "Format-Serving" / "variables" / "variables.index").unlink()

  blessed, parity = gate(Toy(), damage=damage)
  assert blessed == 0
  assert len(parity["reasons"]) == 2


@pytest.mark.parametrize(
  ("name", "content", "message"),
  [
    ("expected.npz", None, "They cannot be read"),
    ("expected.npz", b"PK", "They cannot be read"),
    ("examples.tfrecord", b"", "Found 0 rows and 4 outputs"),
    ("input.json", b'{"input_key": "image"}', "an example lacks 'image'; it has text"),
  ],
)
def test_without_a_record_nothing_is_proved(gate, tmp_path, name, content, message):
  def damage(root):
    target = root / "run" / "parity" / name
    target.unlink() if content is None else target.write_bytes(content)

  with pytest.raises(DlpipeError, match=message):
    gate(Toy(), damage=damage)
  assert list((tmp_path / "blessing").iterdir()) == []


def test_record_of_another_number_of_rows_proves_nothing(gate):
  def twice(texts):
    return {k: tf.concat([v, v], axis=0) for k, v in Toy().predict(texts).items()}

  with pytest.raises(DlpipeError, match=r"Expected 10 rows in every array .* shape \[20"):
    gate(Toy(), predict=twice)


@pytest.mark.parametrize(
  ("name", "value"), [("tolerance", -1.0), ("max_latency_ms", -1.0), ("max_latency_ms", 0.0)]
)
def test_negative_bounds_are_bad_input(gate, name, value):
  with pytest.raises(BadInputError, match=f"{name}={value}"):
    gate(Toy(), **{name: value})


def test_component_declares_its_channels_and_properties():
  made = ServingGate(
    model=types.Channel(type=standard_artifacts.Model),
    model_run=types.Channel(type=standard_artifacts.ModelRun),
    model_name="toy",
    code_fingerprint="abc",
  )
  assert made.outputs["blessing"].type is standard_artifacts.InfraBlessing
  assert made.exec_properties == {
    "model_name": "toy",
    "tolerance": 1e-5,
    "max_latency_ms": None,
    "serving_release": None,
    "code_fingerprint": "abc",
  }
