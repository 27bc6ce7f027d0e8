"""The translator: padding, the two ways to run the decoder, and what it learns of unknown words."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.translation.model import Translator
from pipeline.tasks.translation.params import TranslationParams
from pipeline.text.beam_search import State
from pipeline.text.subwords import BLANK, START, UNKNOWN

_SOURCE = ["", "", "", "", f"{BLANK}Tom", f"{BLANK}a", f"{BLANK}7", "b", f"{BLANK}Ann"]
_TARGET = ["", "", "", "", f"{BLANK}x", f"{BLANK}7", f"{BLANK}Tom", "b", "c"]


def make_translator(architecture="recurrent", **changes):
  small = {"embedding": 8, "encoder_units": 6, "decoder_units": 10, "heads": 2, "inner_units": 12}
  noise = {"layers": 2, "dropout": 0.5, "unknown_rate": 1.0, "cut_rate": 0.0}
  tf.keras.utils.set_random_seed(3)
  params = TranslationParams(architecture=architecture, **{**small, **noise, **changes})
  return Translator(params, _SOURCE, _TARGET)


@pytest.fixture(scope="module")
def recurrent():
  return make_translator()


@pytest.fixture(scope="module", params=["recurrent", "transformer"])
def translator(request):
  model = make_translator(request.param)
  for variable in model.trainable_variables:
    variable.assign(variable * 1.5)
  return model


def test_every_variable_is_built_and_trained(recurrent):
  names = [variable.path for variable in recurrent.trainable_variables]
  assert len(names) == len(set(names))
  # 2 embeddings; a layer of the encoder has 6, of the decoder 3, a bridge 2; key, 2 that feed,
  # 2 parts of the output's states with one bias, and the output's bias.
  assert len(names) == 2 + 2 * 6 + 2 * 3 + 2 * 2 + 1 + 2 + 3 + 1


def test_every_variable_of_the_transformer_is_built_and_trained():
  model = make_translator("transformer")
  names = [variable.path for variable in model.trainable_variables]
  assert len(names) == len(set(names))
  # An attention has 3 layers, a block 2 more, and a normalization before each part.
  encoder, decoder = 3 * 2 + 2 * 2 + 2 * 2, 6 * 2 + 2 * 2 + 3 * 2
  assert len(names) == 2 + 2 * encoder + 2 * decoder + 2 * 2 + 1


@pytest.mark.parametrize("architecture", ["recurrent", "transformer"])
def test_every_variable_gets_a_gradient(architecture):
  model = make_translator(architecture, dropout=0.0)
  source, target = tf.constant([[4, 5, 7], [8, 7, 0]]), tf.constant([[4, 5, 6], [7, 8, 4]])
  with tf.GradientTape() as tape:
    smoothed, _, _ = model._judge(source, target, training=True)
    loss = tf.reduce_sum(smoothed)
  gradients = tape.gradient(loss, [each.value for each in model.trainable_variables])
  for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
    assert float(tf.reduce_max(tf.abs(tf.convert_to_tensor(gradient)))) > 0, variable.path


def test_equal_vocabularies_share_their_embedding():
  params = TranslationParams(embedding=8, encoder_units=6, decoder_units=10)
  pieces = list(_SOURCE)
  shared = Translator(params, pieces, pieces)
  embeddings = [each for each in shared._flatten_layers() if each.name.startswith("embedding")]
  assert len(set(map(id, embeddings))) == 1


def test_padding_changes_no_answer(translator):
  source = tf.constant([[4, 5, 7]])
  padded = tf.constant([[4, 5, 7, 0, 0], [5, 6, 7, 8, 5]])
  np.testing.assert_allclose(translator(source)[0], translator(padded)[0], atol=1e-6)
  shifted = tf.constant([[START, 4, 5]])
  alone = translator.target_states(source, shifted, training=False)
  together = translator.target_states(padded, tf.repeat(shifted, 2, axis=0), training=False)
  np.testing.assert_allclose(alone[0], together[0], atol=1e-6)


def test_an_empty_sentence_passes_where_a_gpu_reads(recurrent, monkeypatch):
  monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: ["a GPU"])
  read = tf.function(lambda source: recurrent.encode(source).memory.values)
  operations = read.get_concrete_function(tf.TensorSpec([None, None], tf.int64)).graph
  kinds = {operation.type for operation in operations.get_operations()}
  assert any(kind.startswith("CudnnRNN") for kind in kinds)
  # cuDNN's rule about masks would fail the whole batch.
  assert "Assert" not in kinds


def _step_by_step(model, source, target):
  """Logits and attention of each step, `[time, batch, ...]`: every piece in a beam of one."""
  encoded = model.encode(source)
  state, found = model.start(encoded, 1), []
  for step in range(target.shape[1]):
    ancestry = tf.zeros([len(source), 1, step + 1], tf.int32)
    logits, attention, state = model.step(encoded, state, target[:, step : step + 1], ancestry)
    found.append((logits[:, 0].numpy(), attention[:, 0].numpy()))
  return [np.stack(each) for each in zip(*found, strict=True)]


def test_all_steps_at_once_are_one_step_after_another(translator):
  source = tf.constant([[4, 5, 7], [8, 7, 0]])
  target = tf.constant([[START, 4, 5, 6], [START, 7, 8, 4]])
  states = translator.target_states(source, target, training=False)
  at_once = tf.reshape(translator.logits(tf.reshape(states, [-1, 8])), [2, 4, -1])
  logits, _ = _step_by_step(translator, source, target)
  np.testing.assert_allclose(logits.transpose(1, 0, 2), at_once, atol=1e-5)


def test_a_hypothesis_goes_on_from_its_own_steps(translator):
  """In a beam, the second step of each row goes on from the other row's first step."""
  source = tf.constant([[4, 5, 7]])
  encoded = translator.encode(source)
  state = translator.start(encoded, 2)
  rows = tf.constant([[[0], [1]]])
  _, _, state = translator.step(encoded, state, tf.constant([[START, 5]]), rows)
  crossed = tf.constant([[1, 0]])
  moved = tuple(tf.gather(each, crossed, batch_dims=1) for each in state.moving)
  ancestry = tf.constant([[[1, 0], [0, 1]]])
  logits, attention, _ = translator.step(
    encoded, State(moved, state.written), tf.constant([[4, 6]]), ancestry
  )
  for row, said in enumerate([[5, 4], [START, 6]]):
    alone, attended = _step_by_step(translator, source, tf.constant([said]))
    np.testing.assert_allclose(logits[0, row], alone[1, 0], atol=1e-5)
    np.testing.assert_allclose(attention[0, row], attended[1, 0], atol=1e-5)


def test_attention_is_a_distribution_over_pieces_and_not_over_padding(translator):
  _, attention = _step_by_step(translator, tf.constant([[4, 5, 0]]), tf.constant([[START, 5]]))
  np.testing.assert_allclose(attention.sum(axis=2), 1, atol=1e-6)
  assert (attention[:, 0, 2] == 0).all()


def test_names_and_digits_of_both_sides_are_hidden_on_both(recurrent):
  source, target = recurrent.prepare(
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
