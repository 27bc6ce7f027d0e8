"""Alignments: the attention of the translation that is served, joined to words."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.explanations.target import CannotExplain, Target
from pipeline.tasks.translation import decoding, explaining
from pipeline.tasks.translation.model import Translator
from pipeline.tasks.translation.params import TranslationParams
from pipeline.text.subwords import BLANK, END, START, UNKNOWN

_SOURCE = ["", "", "", "", f"{BLANK}un", "do", f"{BLANK}it", ".", f"{BLANK}2", "0"]
_TARGET = ["", "", "", "", f"{BLANK}x", "y", "!", *"abcdef"]
_ROWS = [[4, 5, 6, 7], [UNKNOWN, 8, 9, 0], [0, 0, 0, 0]]
_SPELLINGS = [["", "", "", ""], [f"{BLANK}\u65e5\u672c", "", "", ""], ["", "", "", ""]]


@pytest.fixture(scope="module", params=["recurrent", "transformer"])
def model(request):
  tf.keras.utils.set_random_seed(5)
  params = TranslationParams(
    architecture=request.param,
    embedding=6,
    encoder_units=4,
    decoder_units=8,
    heads=2,
    inner_units=8,
    layers=1,
    dropout=0.0,
    beam_width=3,
    max_pieces=9,
  )
  made = Translator(params, _SOURCE, _TARGET)
  for variable in made.trainable_variables:
    variable.assign(variable * (3 if request.param == "recurrent" else 1.5))
  made._bias.assign(np.where(np.arange(len(_TARGET)) == END, -1.0, 0.0))
  return made


def _target(*features):
  return Target(features=features, inputs=dict, numbers=lambda said, features: said)


def _features(rows=_ROWS, spellings=_SPELLINGS):
  return {"source_ids": tf.constant(rows, tf.int64), "spellings": tf.constant(spellings)}


@pytest.fixture(scope="module")
def found(model):
  explain = explaining.explain(model, _target("source_ids", "spellings"))
  traced = tf.function(explain, autograph=False)
  return {name: value.numpy() for name, value in traced(_features()).items()}


def test_words_are_what_people_see(found):
  words = [[word.decode() for word in row if word] for row in found["source_tokens"]]
  assert words == [["undo", "it", "."], ["\u65e5\u672c", "20"], []]
  for row, text in zip(found["target_tokens"], found["translation"], strict=True):
    said = [word.decode() for word in row if word]
    assert "".join(said) == text.decode().replace(" ", "")
  assert not found["target_tokens"][2].any()
  assert not found["alignment"][2].any()


def test_it_explains_the_translation_that_is_served(model, found):
  features = _features()
  served = decoding.translate(model, features["source_ids"], features["spellings"], model.decoding)
  assert found["translation"].tolist() == served["translation"].numpy().tolist()
  assert len(set(found["translation"].tolist())) == 3


def test_a_target_word_divides_its_attention_among_the_source_words(found):
  is_word = found["target_tokens"] != b""
  np.testing.assert_allclose(found["alignment"].sum(axis=2)[is_word], 1, atol=1e-5)
  assert not found["alignment"][~is_word].any()
  absent = np.broadcast_to(found["source_tokens"][:, None] == b"", found["alignment"].shape)
  assert not found["alignment"][absent].any()
  assert found["alignment"][is_word].max() < 1  # and not all on one word


def test_the_attention_is_that_of_each_step(model):
  """Whatever else is in the beam: what is kept is what the best translation attended to."""
  source, sizes = tf.constant([[4, 5, 6, 7]], tf.int64), tf.constant([4], tf.int64)
  kept = decoding.search(model, source, sizes, model.decoding, keeps_attention=True)
  encoded = model.encode(source)
  state, said = model.start(encoded, 1), START
  for number, piece in enumerate(kept.tokens.numpy()[0, 0].tolist()):
    if not piece:
      break
    ancestry = tf.zeros([1, 1, number + 1], tf.int32)
    _, attention, state = model.step(encoded, state, tf.constant([[said]], tf.int64), ancestry)
    np.testing.assert_allclose(kept.attention[0, 0, number], attention[0, 0], atol=1e-5)
    said = piece
  assert number > 1
  plain = decoding.search(model, source, sizes, model.decoding)
  assert plain.attention is None
  assert plain.tokens.numpy().tolist() == kept.tokens.numpy().tolist()


def test_an_alignment_does_not_depend_on_its_batch(model, found):
  explain = explaining.explain(model, _target("source_ids", "spellings"))
  alone = explain(_features([_ROWS[1][:3]], [_SPELLINGS[1][:3]]))
  targets, sources = alone["alignment"].shape[1:]
  np.testing.assert_allclose(
    found["alignment"][1, :targets, :sources], alone["alignment"][0], atol=1e-5
  )


def test_a_transform_graph_without_pieces_is_told(model):
  with pytest.raises(CannotExplain, match="no Translator over the pieces of words"):
    explaining.explain(model, _target("text"))
