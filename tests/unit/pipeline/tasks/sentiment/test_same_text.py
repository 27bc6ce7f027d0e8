"""Spellings that Unicode calls the same text have the same answer, in the export."""

import unicodedata

import numpy as np
import pytest

from components.serving_gate.loaders import load_tf1, load_tf2
from pipeline import signatures
from pipeline.tasks.sentiment.model import build_model, serving_outputs

_TEXTS = (
  "Le film 950 g\u00e9nial r\u00e9ussi ici",
  "Le film 950 rat\u00e9 m\u00e9diocre ici",
  "Le film 950 ordinaire banal ici",
  "Le film 950 \u015f\u0131mar\u0131k \u0131\u015f\u0131lt\u0131l\u0131 \u0130stanbul",
  "Le film 950 \u4f18\u79c0 \u7cbe\u5f69 \ud55c\uad6d\uc5b4",
  "Le film 950 \u0e23\u0e31\u0e01\u0e21\u0e32\u0e01 \u0111\u01b0\u1eddng ph\u1ed1 r\u1ed9ng",
  "Le film 950 \u0631\u0627\u0626\u0639 \u062c\u0645\u064a\u0644 ici",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, text_graph, hyperparameters):
  """A model whose answer depends on every word that it sees."""
  model = build_model(hyperparameters, text_graph)
  random = np.random.default_rng(1)
  model.set_weights([random.normal(0, 0.5, weights.shape) for weights in model.get_weights()])
  path = str(tmp_path_factory.mktemp("export") / "model")
  signatures.export(
    path,
    model=model,
    outputs=serving_outputs(model, text_graph),
    tft_output=text_graph,
    input_key="text",
    label_id_key="label_id",
  )
  return path


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
