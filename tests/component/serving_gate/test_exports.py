"""ServingGate and what an export is: its ops, its files, and the record of its training."""

import keras
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import standard_artifacts

from components.serving_gate.component import ServingGate
from dlpipe.errors import BadInputError, DlpipeError


@pytest.mark.usefixtures("no_server")
def test_keras_model_without_bare_variables_is_refused_by_the_tf1_loader_alone(gate, toy):
  class Held(tf.Module):
    def __init__(self):
      super().__init__()
      self.model = keras.Sequential([keras.layers.Dense(2, name="head")])
      self.model.build((None, 1))

    def predict(self, texts):
      length = tf.cast(tf.strings.length(texts), tf.float32)[:, tf.newaxis]
      return {"scores": self.model(length)}

  module = Held()
  parse = toy().parse
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
def test_python_inside_the_graph_is_refused_though_it_runs_here(gate, toy):
  made = toy()

  def with_python(texts):
    return made.predict(tf.ensure_shape(tf.py_function(lambda t: t, [texts], tf.string), [None]))

  blessed, parity = gate(made, made.functions() | {"serving_default": ("text", with_python)})
  assert blessed == 0
  assert parity["reasons"][0] == (
    "EagerPyFunc calls back into the Python process that exported the model, which a server has "
    "not. Write it with TensorFlow's ops."
  )


def test_ops_that_the_binary_links_beside_tensorflows_are_served(gate, toy):
  import tensorflow_text

  made = toy()

  def composed(texts):
    return made.predict(tensorflow_text.normalize_utf8(texts, "NFC"))

  blessed, parity = gate(made, made.functions() | {"serving_default": ("text", composed)})
  assert (blessed, parity["reasons"]) == (1, [])
  # The embedded server is a process of its own: it has them, too.
  assert {p["loader"] for p in parity["paths"]} >= {"TF1", "TF2", "REST", "gRPC"}


@pytest.mark.usefixtures("no_server")
def test_ops_are_held_to_the_release_that_will_serve(gate, toy):
  made = toy()

  def with_sobol(texts):
    # Runs here: up to TensorFlow 2.18 its kernel is in Python's module, and since in the library.
    drawn = tf.raw_ops.SobolSample(dim=1, num_results=1, skip=0)
    return made.predict(texts + tf.strings.substr("x", 0, tf.cast(drawn[0, 0] * 0, tf.int32)))

  functions = made.functions() | {"serving_default": ("text", with_sobol)}
  blessed, parity = gate(made, functions, serving_release="2.16.1")
  assert (blessed, parity["serving_release"]) == (0, "TensorFlow Serving 2.16")
  assert all(path["passed"] for path in parity["paths"])
  [reason] = parity["reasons"]
  assert reason == (
    "TensorFlow Serving 2.16 cannot run SobolSample; 2.19, 2.20 can. Serve with that, and say so "
    "with push.serving_release, or build the model without it."
  )


def test_a_release_that_is_not_known_is_bad_input(gate, toy):
  with pytest.raises(BadInputError, match=r"push\.serving_release: .* Received: '2\.15\.1'"):
    gate(toy(), serving_release="2.15.1")


@pytest.mark.usefixtures("no_server")
def test_unloadable_model_is_refused_with_the_errors_of_both_loaders(gate, toy):
  def damage(root):
    (root / "model" / "Format-Serving" / "saved_model.pb").write_bytes(b"not a protobuf")

  blessed, parity = gate(toy(), damage=damage)
  assert blessed == 0
  assert [(p["loader"], p["signature"]) for p in parity["paths"]] == [("TF2", "*"), ("TF1", "*")]
  first, second, third = parity["reasons"]
  assert first.startswith("saved_model.pb cannot be read: ")
  assert second.startswith("The TF2 loader cannot load the model: ")
  assert third.startswith("The TF1 loader cannot load the model: ")


@pytest.mark.usefixtures("no_server")
def test_lost_variables_are_refused(gate, toy):
  def damage(root):
    (root / "model" / "Format-Serving" / "variables" / "variables.index").unlink()

  blessed, parity = gate(toy(), damage=damage)
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
def test_without_a_record_nothing_is_proved(gate, tmp_path, name, content, message, toy):
  def damage(root):
    target = root / "run" / "parity" / name
    target.unlink() if content is None else target.write_bytes(content)

  with pytest.raises(DlpipeError, match=message):
    gate(toy(), damage=damage)
  assert list((tmp_path / "blessing").iterdir()) == []


def test_record_of_another_number_of_rows_proves_nothing(gate, toy):
  def twice(texts):
    return {k: tf.concat([v, v], axis=0) for k, v in toy().predict(texts).items()}

  with pytest.raises(DlpipeError, match=r"Expected 10 rows in every array .* shape \[20"):
    gate(toy(), predict=twice)


@pytest.mark.parametrize(
  ("name", "value"), [("tolerance", -1.0), ("max_latency_ms", -1.0), ("max_latency_ms", 0.0)]
)
def test_negative_bounds_are_bad_input(gate, name, value, toy):
  with pytest.raises(BadInputError, match=f"{name}={value}"):
    gate(toy(), **{name: value})


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
