"""The layers on numbers worked out by hand, and blind to padding."""

import numpy as np

from pipeline.tasks.sentiment.layers import (
  Corrected,
  Excerpt,
  Lengths,
  Pooling,
  WordVectors,
)


def test_lengths_count_what_is_no_padding():
  ids = np.array([[3, 1, 0], [0, 0, 0], [2, 2, 2]], "int32")
  assert Lengths()(ids).numpy().tolist() == [2, 0, 3]


def test_pooling_is_over_the_words_alone():
  sequence = np.array([[[1.0, -2.0], [3.0, -4.0], [50.0, 50.0]]] * 2, "float32")
  found = Pooling()(sequence, np.array([2, 0], "int32")).numpy()
  assert found.tolist() == [[3, -2, 2, -3], [0, 0, 0, 0]]


def test_a_words_vector_is_the_sum_of_its_own_and_its_parts():
  # Ids 1 and 2 are stems; 3, 4 and 5 words with the stems 1, 2 and 1.
  layer = WordVectors(np.array([0, 1, 2, 1, 2, 1]), 3, 1)
  layer.build()
  words, stems = [[10.0], [20.0], [30.0]], [[7.0], [1.0], [2.0]]
  starts, ends = [[7.0], [0.1], [0.2]], [[7.0], [0.01], [0.02]]
  layer.set_weights([np.array(table) for table in (words, stems, starts, ends)])
  rows = [[3, 4, 5, 1, 2, 0], [1, 1, 2, 2, 1, 0], [2, 1, 1, 2, 1, 0]]
  found = layer(*(np.array([row], "int32") for row in rows)).numpy()[0, :, 0]
  np.testing.assert_allclose(found, [11.12, 22.11, 31.21, 1.22, 2.11, 0], rtol=1e-6)


def test_pretrained_vectors_are_the_first_and_parts_add_nothing_yet():
  vectors = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
  layer = WordVectors(np.array([0, 1, 1, 1]), 2, 2, initializer="ones", pretrained=vectors)
  ids, parts = np.array([[2, 3, 1]], "int32"), np.array([[1, 1, 1]], "int32")
  assert layer(ids, parts, parts).numpy()[0].tolist() == [[1, 2], [3, 4], [0, 0]]


def test_an_excerpt_is_the_beginning_and_the_end():
  ids = np.array([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 0, 0], [1, 2, 3, 4, 5, 0], [0] * 6], "int32")
  found = Excerpt(4)(ids, np.array([6, 4, 5, 0], "int32")).numpy()
  assert found.tolist() == [[1, 2, 5, 6], [1, 2, 3, 4], [1, 2, 4, 5], [0] * 4]
  assert Excerpt(9)(ids, np.array([6, 4, 5, 0], "int32")).numpy().tolist() == ids.tolist()


def test_readers_answer_alone_in_training_and_correct_the_bag_elsewhere():
  bag, correction = np.array([[1.0, 2.0]], "float32"), np.array([[0.5, -0.5]], "float32")
  layer = Corrected()
  assert layer(bag, correction, training=True).numpy().tolist() == [[0.5, -0.5]]
  assert layer(bag, correction, training=False).numpy().tolist() == [[1.5, 1.5]]
