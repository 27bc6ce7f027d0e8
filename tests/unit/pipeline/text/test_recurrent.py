"""Both directions without a mask are what Keras' own are with one."""

import keras
import numpy as np
import pytest

from pipeline.text.recurrent import Bidirectional, ReverseWithin, ends


def test_a_sequence_is_reversed_within_its_length():
  sequence = np.array([[[1.0], [2.0], [9.0]], [[1.0], [2.0], [3.0]]], "float32")
  found = ReverseWithin()(sequence, np.array([2, 3], "int32")).numpy()[..., 0]
  assert found.tolist() == [[2, 1, 9], [3, 2, 1]]


@pytest.mark.parametrize("cell", [keras.layers.GRU, keras.layers.LSTM])
def test_both_directions_are_keras_own_with_a_mask(cell):
  keras.utils.set_random_seed(1)
  sequence = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
  lengths = np.array([5, 2, 1], "int32")
  ours = Bidirectional(cell, 3)
  found = ours(sequence, lengths)
  theirs = keras.layers.Bidirectional(cell(3, return_sequences=True, return_state=True))
  mask = np.arange(5) < lengths[:, None]
  theirs(sequence, mask=mask)
  theirs.set_weights(ours.forward.get_weights() + ours.backward.get_weights())
  expected, *states = theirs(sequence, mask=mask)
  # An LSTM's state is what it says and what it keeps.
  said = [states[0], states[len(states) // 2]]
  np.testing.assert_allclose(ends(found, lengths), np.concatenate(said, axis=1), atol=1e-6)
  for row, length in enumerate(lengths):
    np.testing.assert_allclose(found[row, :length], expected[row, :length], atol=1e-6)
