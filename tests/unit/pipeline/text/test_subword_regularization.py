"""Cutting pieces: the text stays, and nothing that cannot be cut is lost."""

import pytest
import tensorflow as tf

from pipeline.text.subword_regularization import Cutter, cuts

_PIECES = ["", "", "", "", "a", "b", "ab", "abb", "xy", "x"]


def test_a_piece_is_cut_into_a_shorter_one_and_the_longest_that_follow():
  found = cuts(_PIECES)
  assert found[7] == [6, 5]  # abb: ab, b
  assert found[6] == [4, 5]
  assert found[4] == [4]
  assert found[8] == [8]  # "y" is no piece, so "xy" stays whole
  assert found[:4] == [[0], [1], [2], [3]]


@pytest.mark.parametrize(
  ("rate", "expected"), [(0.0, [[7, 1, 3], [4, 0, 0]]), (1.0, [[6, 5, 1, 3], [4, 0, 0, 0]])]
)
def test_rows_are_cut_and_padded_anew(rate, expected):
  ids = tf.constant([[7, 1, 3], [4, 0, 0]], tf.int32)
  found = Cutter(_PIECES, rate)(ids)
  assert found.dtype == tf.int32
  assert found.numpy().tolist() == expected


def test_a_batch_without_pieces_keeps_a_place():
  """Recurrent layers fail on sequences of length 0."""
  ids = tf.zeros([2, 3], tf.int64)
  assert Cutter(_PIECES, 0.5)(ids).numpy().tolist() == [[0], [0]]


def test_about_as_many_pieces_are_cut_as_asked_for():
  tf.keras.utils.set_random_seed(1)
  ids = tf.fill([50, 40], tf.constant(6, tf.int64))
  found = tf.function(Cutter(_PIECES, 0.1))(ids).numpy()
  assert 0.07 < (found == 4).sum() / 2000 < 0.13
  assert (found == 4).sum() == (found == 5).sum()
