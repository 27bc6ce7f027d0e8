"""The translator: padding, the two ways to run the decoder, and what it learns of unknown words."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.translation.model import Translator
from pipeline.tasks.translation.params import TranslationParams
from pipeline.text.subwords import BLANK, START, UNKNOWN

_SOURCE = ["", "", "", "", f"{BLANK}Tom", f"{BLANK}a", f"{BLANK}7", "b", f"{BLANK}Ann"]
_TARGET = ["", "", "", "", f"{BLANK}x", f"{BLANK}7", f"{BLANK}Tom", "b", "c"]


def make_translator(**changes):
  small = {"embedding": 8, "encoder_units": 6, "decoder_units": 10, "layers": 2}
  noise = {"dropout": 0.5, "label_smoothing": 0.1, "clip_norm": 1.0, "unknown_rate": 1.0}
  tf.keras.utils.set_random_seed(3)
  params = TranslationParams(**{**small, **noise, **changes})
  return Translator(params, _SOURCE, _TARGET)


@pytest.fixture(scope="module")
def translator():
  return make_translator()


def test_every_variable_is_built_and_trained(translator):
  names = [variable.path for variable in translator.trainable_variables]
  assert len(names) == len(set(names))
  # 2 embeddings; an encoder layer has 6 and a decoder layer 3, a bridge 2; key, combination, bias.
  assert len(names) == 2 + 2 * 6 + 2 * 3 + 2 * 2 + 1 + 2 + 1


def test_padding_changes_no_answer(translator):
  source = tf.constant([[4, 5, 7]])
  padded = tf.constant([[4, 5, 7, 0, 0], [5, 6, 7, 8, 5]])
  np.testing.assert_allclose(translator(source)[0], translator(padded)[0], atol=1e-6)
  shifted = tf.constant([[START, 4, 5]])
  alone = translator.target_states(source, shifted, training=False)
  together = translator.target_states(padded, tf.repeat(shifted, 2, axis=0), training=False)
  np.testing.assert_allclose(alone[0], together[0], atol=1e-6)


def test_an_empty_sentence_passes_where_a_gpu_reads(translator, monkeypatch):
  monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: ["a GPU"])
  read = tf.function(lambda source: translator.encode(source)[0].values)
  operations = read.get_concrete_function(tf.TensorSpec([None, None], tf.int64)).graph
  kinds = {operation.type for operation in operations.get_operations()}
  assert any(kind.startswith("CudnnRNN") for kind in kinds)
  # cuDNN's rule about masks would fail the whole batch.
  assert "Assert" not in kinds


def test_all_steps_at_once_are_one_step_after_another(translator):
  source = tf.constant([[4, 5, 7], [8, 7, 0]])
  target = tf.constant([[START, 4, 5, 6], [START, 7, 8, 4]])
  memory, states = translator.encode(source)
  at_once, last, attention = translator.decode(target, memory, states)
  for step in range(4):
    one, states, weights = translator.decode(target[:, step : step + 1], memory, states)
    np.testing.assert_allclose(one[:, 0], at_once[:, step], atol=1e-5)
    np.testing.assert_allclose(weights[:, 0], attention[:, step], atol=1e-5)
  for one, other in zip(states, last, strict=True):
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_attention_is_a_distribution_over_pieces_and_not_over_padding(translator):
  memory, states = translator.encode(tf.constant([[4, 5, 0]]))
  _, _, attention = translator.decode(tf.constant([[START]]), memory, states)
  assert float(tf.reduce_sum(attention)) == pytest.approx(1)
  assert float(attention[0, 0, 2]) == 0


def test_names_and_digits_of_both_sides_are_hidden_on_both(translator):
  source, target = translator.prepare(
    tf.constant([[4, 5, 6, 7, 8]], tf.int64), tf.constant([[6, 4, 5, 7, 3]], tf.int64)
  )
  # Tom and 7 are on both sides; Ann has no counterpart, "b" begins no word.
  assert source.numpy().tolist() == [[UNKNOWN, 5, UNKNOWN, 7, 8]]
  assert target.numpy().tolist() == [[UNKNOWN, 4, UNKNOWN, 7, 3]]


def test_nothing_is_hidden_at_a_rate_of_zero():
  source, target = tf.constant([[4, 5]], tf.int64), tf.constant([[6, 3]], tf.int64)
  same = make_translator(unknown_rate=0.0).prepare(source, target)
  np.testing.assert_array_equal(same[0], source)
  np.testing.assert_array_equal(same[1], target)
