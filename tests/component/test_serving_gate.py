"""`ServingGate` on hand-made exports: one that is right, and each way to be wrong."""

import keras
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import standard_artifacts

from components.errors import BadInputError, DlpipeError
from components.serving_gate.component import ServingGate

_LABELS = [b"cat", b"dog"]


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


def _failed_paths(parity):
  return {(p["loader"], p["signature"], p["output"]) for p in parity["paths"] if not p["passed"]}


def test_right_export_is_blessed_through_every_path(gate):
  blessed, parity = gate(Toy())
  assert blessed == 1
  assert (parity["passed"], parity["rows"], parity["tolerance"]) == (True, 10, 1e-5)
  assert parity["reasons"] == []
  found = {(p["loader"], p["signature"], p["output"], p["batch"]) for p in parity["paths"]}
  outputs = ["label", "labels", "score", "scores"]
  assert found == {
    (loader, signature, output, batch)
    for loader in ("TF1", "TF2")
    for signature, names in (
      ("serving_default", outputs),
      ("serving_examples", outputs),
      ("classify", ["classes", "scores"]),
    )
    for output in names
    for batch in (1, 10)
  }
  assert len(parity["paths"]) == len(found)
  assert all(p["passed"] and 0 <= p["max_difference"] <= 1e-5 for p in parity["paths"])


def test_shifted_serving_default_is_refused_and_the_rest_passes(gate):
  blessed, parity = gate(Toy(shift=1e-3))
  assert (blessed, parity["passed"]) == (0, False)
  failed = _failed_paths(parity)
  assert {f[:2] for f in failed} == {("TF1", "serving_default"), ("TF2", "serving_default")}
  assert ("TF1", "serving_default", "scores") in failed
  worst = max(p["max_difference"] or 0 for p in parity["paths"])
  assert worst == pytest.approx(1e-3, rel=1e-3)
  assert "serving_default (TF2 loader, batch of 1): score differs by 0.001" in parity["reasons"][0]


def test_the_tolerance_decides(gate):
  assert gate(Toy(shift=1e-3), tolerance=2e-3)[0] == 1


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


def test_model_that_takes_one_row_only_is_refused(gate):
  toy = Toy()
  functions = toy.functions()
  functions["serving_default"] = ("text", lambda texts: toy.predict(tf.reshape(texts, [1])))
  blessed, parity = gate(toy, functions)
  assert blessed == 0
  assert {(p["signature"], p["batch"]) for p in parity["paths"] if not p["passed"]} == {
    ("serving_default", 10)
  }


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


def test_missing_signature_is_refused_by_name(gate):
  toy = Toy()
  functions = toy.functions()
  del functions["serving_examples"]
  blessed, parity = gate(toy, functions)
  assert blessed == 0
  assert "the model has no such signature; it has " in parity["reasons"][0]
  assert "serving_examples (TF2 loader" in parity["reasons"][0]


def test_missing_classify_is_no_fault(gate):
  toy = Toy()
  functions = toy.functions()
  del functions["classify"]
  assert gate(toy, functions)[0] == 1


def test_other_input_name_is_refused(gate):
  toy = Toy()
  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("words", toy.predict)})
  assert blessed == 0
  assert "expected the input 'text'; the signature takes ['words']" in parity["reasons"][0]


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


def test_python_inside_the_graph_is_refused_though_it_runs_here(gate):
  toy = Toy()

  def with_python(texts):
    return toy.predict(tf.ensure_shape(tf.py_function(lambda t: t, [texts], tf.string), [None]))

  blessed, parity = gate(toy, toy.functions() | {"serving_default": ("text", with_python)})
  assert blessed == 0
  assert parity["reasons"][-1] == (
    "The model uses ops that TensorFlow Serving cannot run: EagerPyFunc."
  )


def test_unloadable_model_is_refused_with_the_errors_of_both_loaders(gate):
  def damage(root):
    (root / "model" / "Format-Serving" / "saved_model.pb").write_bytes(b"not a protobuf")

  blessed, parity = gate(Toy(), damage=damage)
  assert blessed == 0
  assert [(p["loader"], p["signature"]) for p in parity["paths"]] == [("TF2", "*"), ("TF1", "*")]
  assert parity["reasons"][0].startswith("The TF2 loader cannot load the model: ")
  assert parity["reasons"][1].startswith("The TF1 loader cannot load the model: ")


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


def test_negative_tolerance_is_bad_input(gate):
  with pytest.raises(BadInputError, match="tolerance=-1"):
    gate(Toy(), tolerance=-1.0)


def test_component_declares_its_channels_and_properties():
  made = ServingGate(
    model=types.Channel(type=standard_artifacts.Model),
    model_run=types.Channel(type=standard_artifacts.ModelRun),
    code_fingerprint="abc",
  )
  assert made.outputs["blessing"].type is standard_artifacts.InfraBlessing
  assert made.exec_properties == {"tolerance": 1e-5, "code_fingerprint": "abc"}
