"""The signature `explain` of an export: in both loaders, for a stock server, or left out aloud."""

import dataclasses
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.serving_gate.loaders import load_tf1, load_tf2
from components.serving_gate.replay import op_reasons
from components.serving_gate.serving_ops import release_of_tag
from pipeline.problems import number
from pipeline.tasks.images.model import build_model
from pipeline.tasks.images.task import TASK
from pipeline.training.answering import answering
from pipeline.training.export import explaining, signatures

_OUTPUTS = {"map", "map_png_bytes", "explained", "intercept", "unexplained", "label"}


def _export(path, graph, model, task=TASK):
  return signatures.export(
    str(path),
    model=model,
    outputs=answering(task, model, graph.output, {}),
    explanation=explaining.explanation(task, model, graph.output, {}),
    tft_output=graph.output,
    input_key="image",
    label_id_key="label_id",
  )


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mirrored"])
def exported(tmp_path_factory, graph, request):
  tf.keras.utils.set_random_seed(1)
  changes = {"widths": [4], "image_size": 12, "flip": True, "mirrored_answers": request.param}
  model = build_model(TASK.params.usual().replace(**changes), graph.output)
  path = tmp_path_factory.mktemp("export") / "model"
  return path, _export(path, graph, model)


@pytest.mark.parametrize("load", [load_tf1, load_tf2])
def test_both_loaders_explain_as_the_model(exported, graph, load):
  path, module = exported
  pictures = np.array(graph.pictures[:5], object)
  expected = module.explain(tf.constant(graph.pictures[:5]))
  with load(str(path)) as (run, names):
    assert "explain" in names
    found = run("explain", "image", pictures)
    scores = run("serving_default", "image", pictures)["scores"]
  assert set(found) == _OUTPUTS
  assert found["map"].shape == (5, 12, 12)
  for name in ("map", "explained", "unexplained"):
    np.testing.assert_allclose(found[name], expected[name], atol=1e-5)
  assert found["label"].tolist() == expected["label"].numpy().tolist()
  answered = module.predict(tf.constant(graph.pictures[:5]))
  assert found["label"].tolist() == answered["label"].numpy().tolist()
  np.testing.assert_allclose(scores, answered["scores"], atol=1e-5)
  assert found["map"].any()
  assert tf.io.decode_png(found["map_png_bytes"][0]).shape == (120, 120, 3)


def test_a_stock_server_of_any_release_has_its_ops(exported):
  assert op_reasons(str(exported[0]), release_of_tag("2.16.1")) == []


@pytest.fixture
def told(caplog):
  caplog.set_level(logging.INFO, "dlpipe.progress")
  return lambda: [r.message for r in caplog.records if "explain" in r.message]


def _without_a_map(inputs):
  return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


class _Blind(keras.layers.Layer):
  """Answers without a gradient."""

  def call(self, pixels):
    return tf.cast(tf.cast(tf.reduce_mean(pixels, axis=(1, 2)), tf.int32), tf.float32)[:, :2]

  def compute_output_shape(self, shape):
    return (shape[0], 2)


def test_a_network_that_offers_no_way_is_exported_without_it_and_that_is_told(
  tmp_path, graph, told
):
  inputs = keras.Input((12, 12, 3), name="pixels")
  module = _export(tmp_path / "model", graph, keras.Model(inputs, _Blind()(inputs)))
  assert told() == ["no signature explain: the answer has no gradient by the picture"]
  assert "explain" not in tf.saved_model.load(str(tmp_path / "model")).signatures
  assert module.explain(tf.constant(graph.pictures[:1])) == {}


def test_an_explanation_that_fails_ends_no_run(tmp_path, graph, told, monkeypatch):
  def broken(model, target):
    raise KeyError("a layer")

  monkeypatch.setattr("pipeline.explanations.pictures.explain", broken)
  inputs = keras.Input((12, 12, 3), name="pixels")
  _export(tmp_path / "model", graph, _without_a_map(inputs))
  assert told() == ["no signature explain: KeyError: 'a layer'"]


def test_a_number_is_explained_by_its_own_unit(graph):
  """The kind of answer decides what is explained: here the number, and not its deviations."""
  task = dataclasses.replace(TASK, problem=number.PROBLEM, gates=number.GATES)
  target = explaining.target(task, graph.output, {}, None)
  features = {"target_mean": tf.constant([10.0, 20.0]), "target_deviation": tf.constant([2.0, 3.0])}
  explained, columns = target.chosen(tf.constant([[1.0], [-1.0]]), features)
  assert explained.numpy().tolist() == [12, 17]
  assert columns.numpy().tolist() == [0, 0]
  assert target.labels is None
