"""`ServingGate` on hand-made exports: one that is right, and each way to be wrong."""

import shutil

import pytest
import tensorflow as tf

from components.artifacts import TRY_AGAIN


def test_right_export_is_blessed_through_every_path(gate, tmp_path, toy):
  blessed, parity = gate(toy())
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


def test_shifted_serving_default_is_refused_and_the_rest_passes(gate, toy, failed_paths):
  blessed, parity = gate(toy(shift=1e-3))
  assert gate.blessing.get_int_custom_property(TRY_AGAIN) == 0
  assert (blessed, parity["passed"]) == (0, False)
  failed = failed_paths(parity)
  assert {f[:2] for f in failed} == {("TF1", "serving_default"), ("TF2", "serving_default")}
  assert ("TF1", "serving_default", "scores") in failed
  worst = max(p["max_difference"] or 0 for p in parity["paths"])
  assert worst == pytest.approx(1e-3, rel=1e-3)
  assert "serving_default (TF2 loader, batch of 1): score differs by 0.001" in parity["reasons"][0]
  assert parity["skipped"] == ["No model server was asked, since the model is refused without it."]
  assert parity["latency"] == []


@pytest.mark.usefixtures("no_server")
def test_model_that_takes_one_row_only_is_refused(gate, toy):
  made = toy()
  functions = made.functions()
  functions["serving_default"] = ("text", lambda texts: made.predict(tf.reshape(texts, [1])))
  blessed, parity = gate(made, functions)
  assert blessed == 0
  assert {(p["signature"], p["batch"]) for p in parity["paths"] if not p["passed"]} == {
    ("serving_default", 10)
  }


@pytest.mark.usefixtures("no_server")
def test_model_that_is_wrong_about_a_row_alone_is_refused(gate, toy):
  made = toy()

  def lonely(texts):
    return made.predict(texts, tf.where(tf.equal(tf.size(texts), 1), 0.1, 0.0))

  blessed, parity = gate(made, made.functions() | {"serving_default": ("text", lonely)})
  assert blessed == 0
  failed = [p for p in parity["paths"] if not p["passed"]]
  assert {(p["loader"], p["signature"], p["batch"]) for p in failed} == {
    ("TF1", "serving_default", 1),
    ("TF2", "serving_default", 1),
  }


@pytest.mark.usefixtures("no_server")
def test_answer_that_depends_on_the_other_rows_is_refused(gate, toy, failed_paths):
  made = toy()

  def leaky(texts):
    found = made.predict(texts)
    return found | {"score": found["score"] / tf.cast(tf.size(texts), tf.float32)}

  functions = made.functions() | {"serving_default": ("text", leaky)}
  blessed, parity = gate(made, functions)
  assert blessed == 0
  assert failed_paths(parity) == {
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


def test_explanations_are_replayed_in_every_way_though_batches_pad_them_otherwise(gate, toy):
  made = toy()
  blessed, parity = gate(made, made.functions() | {"explain": ("text", _explain)}, explain=_explain)
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
def test_an_export_that_explains_otherwise_than_the_trained_model_is_refused(
  gate, toy, failed_paths
):
  made = toy()

  def shifted(texts):
    found = _explain(texts, shift=0.01)
    darker = tf.zeros([4, 5, 3], tf.uint8)
    return {**found, "map_png_bytes": tf.fill(tf.shape(texts), tf.io.encode_png(darker))}

  blessed, parity = gate(made, made.functions() | {"explain": ("text", shifted)}, explain=_explain)
  assert blessed == 0
  assert failed_paths(parity) == {
    (loader, "explain", output)
    for loader in ("TF1", "TF2")
    for output in ("contributions", "map_png_bytes")
  }


@pytest.mark.usefixtures("no_server")
def test_an_explanation_that_was_recorded_and_is_gone_refuses_the_model(gate, toy):
  blessed, parity = gate(toy(), explain=_explain)
  assert blessed == 0
  assert "the model has no such signature" in parity["reasons"][0]


@pytest.mark.usefixtures("no_server")
def test_missing_signature_is_refused_by_name(gate, toy):
  made = toy()
  functions = made.functions()
  del functions["serving_examples"]
  blessed, parity = gate(made, functions)
  assert blessed == 0
  assert "the model has no such signature; it has " in parity["reasons"][0]
  assert "serving_examples (TF2 loader" in parity["reasons"][0]


@pytest.mark.usefixtures("no_server")
def test_other_input_name_is_refused(gate, toy):
  made = toy()
  blessed, parity = gate(made, made.functions() | {"serving_default": ("words", made.predict)})
  assert blessed == 0
  assert "expected the input 'text'; the signature takes ['words']" in parity["reasons"][0]


@pytest.mark.usefixtures("no_server")
def test_missing_output_is_refused(gate, toy, failed_paths):
  made = toy()

  def poorer(texts):
    found = made.predict(texts)
    del found["score"]
    return found

  blessed, parity = gate(made, made.functions() | {"serving_default": ("text", poorer)})
  assert blessed == 0
  assert failed_paths(parity) == {
    ("TF1", "serving_default", "score"),
    ("TF2", "serving_default", "score"),
  }
