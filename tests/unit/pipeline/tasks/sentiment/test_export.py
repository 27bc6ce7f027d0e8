"""The exported model: what it answers to other spellings, and what it can be served by."""

import importlib
import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from components.serving_gate.loaders import load_tf1, load_tf2, used_ops
from components.serving_gate.replay import op_reasons
from components.serving_gate.serving_ops import release_of_tag
from pipeline.tasks.sentiment.model import build_model
from pipeline.tasks.sentiment.task import TASK
from pipeline.training.answering import answering
from pipeline.training.export import signatures

_TEXTS = (
  "Le film 950 g\u00e9nial r\u00e9ussi ici",
  "Le film 950 rat\u00e9 m\u00e9diocre ici",
  "Le film 950 ordinaire banal ici",
  "Le film 950 \u015f\u0131mar\u0131k \u0131\u015f\u0131lt\u0131l\u0131 \u0130stanbul",
  "Le film 950 \u4f18\u79c0 \u7cbe\u5f69 \ud55c\uad6d\uc5b4",
  "Le film 950 \u0e23\u0e31\u0e01\u0e21\u0e32\u0e01 \u0111\u01b0\u1eddng ph\u1ed1 r\u1ed9ng",
  "Le film 950 \u0631\u0627\u0626\u0639 \u062c\u0645\u064a\u0644 ici",
)


def _export(path, text_graph, params):
  """Writes a model whose answer depends on every word that it sees."""
  model = build_model(params, text_graph)
  random = np.random.default_rng(1)
  model.set_weights([random.normal(0, 0.5, weights.shape) for weights in model.get_weights()])
  signatures.export(
    str(path),
    model=model,
    outputs=answering(TASK, model, text_graph, {}),
    tft_output=text_graph,
    input_key="text",
    label_id_key="label_id",
  )
  return str(path)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, text_graph, params):
  return _export(tmp_path_factory.mktemp("export") / "model", text_graph, params)


@pytest.mark.parametrize("load", [load_tf1, load_tf2])
def test_composed_and_decomposed_texts_are_answered_alike(exported, load):
  def encoded(form):
    return np.array([unicodedata.normalize(form, text).encode() for text in _TEXTS], object)

  assert encoded("NFC").tolist() != encoded("NFD").tolist()
  with load(exported) as (run, _):
    composed, decomposed = (
      run("serving_default", "text", encoded(form)) for form in ("NFC", "NFD")
    )
  np.testing.assert_array_equal(composed["scores"], decomposed["scores"])
  assert len(np.unique(composed["score"])) > 1


def test_only_core_ops_with_kernels_for_cpus_are_exported(exported):
  assert op_reasons(exported, release_of_tag("2.16.1")) == []
  assert {op.name for op in used_ops(exported)} <= set(dir(tf.raw_ops))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_model_of_a_gpu_serves_without_one(tmp_path, text_graph, params, cell, monkeypatch):
  # What Keras asks while it traces: no GPU is needed to write its ops into a graph.
  backend = importlib.import_module("keras.src.backend.tensorflow.rnn")
  monkeypatch.setattr(backend, "_is_gpu_available", lambda: True)
  path = _export(tmp_path / "model", text_graph, params.replace(cell=cell))
  assert op_reasons(path, release_of_tag("2.16.1")) == []
