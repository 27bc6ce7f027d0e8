"""Word ids, unknown words and label numbers through a real transform graph."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.sentiment.features import WORDS
from pipeline.tasks.sentiment.preprocessing import beginning_and_end
from pipeline.text.word_counts import read_counts
from pipeline.text.words import part_buckets

_BUCKETS = 5


@pytest.fixture(scope="module")
def transform(text_graph):
  """Texts to transformed features, without a label, as in serving."""
  layer = text_graph.transform_features_layer()
  return lambda *texts: layer({"text": tf.constant(texts)[:, tf.newaxis]})


def _bucket(word, chars=6):
  return 1 + int(part_buckets(tf.constant(word), chars=chars, buckets=_BUCKETS))


def test_the_vocabulary_has_frequent_words_with_their_counts(text_graph):
  words, counts = read_counts(text_graph, WORDS)
  assert words[0] == b"good"
  assert dict(zip(words, counts.tolist(), strict=True)) == {
    b"good": 4,
    b"bad": 3,
    b".": 3,
    b"film": 2,
    b"not": 2,
  }


def test_words_are_numbered_after_the_unknown_ones(text_graph, transform):
  words, _ = read_counts(text_graph, WORDS)
  number = {word.decode(): 1 + _BUCKETS + rank for rank, word in enumerate(words)}
  ids = transform("GOOD film", "unheard good").pop("word_ids")
  assert ids.dtype == tf.int64
  assert ids.numpy().tolist() == [
    [number["good"], number["film"], 0, 0, 0, 0, 0, 0],
    [_bucket("unheard"), number["good"], 0, 0, 0, 0, 0, 0],
  ]


def test_unknown_words_are_known_by_their_beginning(transform):
  ids = transform("unhelpful", "unhelp", "unhelped").pop("word_ids").numpy()
  assert ids[:, 0].tolist() == [_bucket("unhelp")] * 3
  assert 1 <= ids[0, 0] <= _BUCKETS


def test_every_word_has_the_numbers_of_its_start_and_end(transform):
  features = transform("good unheard", "")
  for name, chars in (("start_ids", 4), ("end_ids", -4)):
    assert features[name].dtype == tf.int64
    expected = [_bucket("good", chars), _bucket("unheard", chars), 0, 0, 0, 0, 0, 0]
    assert features[name].numpy().tolist() == [expected, [0] * 8]


def test_a_long_text_keeps_its_beginning_and_its_end(text_graph, transform):
  words, _ = read_counts(text_graph, WORDS)
  [ids] = transform("good good bad film " + "plot " * 30 + "not bad . film").pop("word_ids")
  kept = [words[i - 1 - _BUCKETS].decode() for i in ids.numpy()]
  assert kept == ["good", "good", "bad", "film", "not", "bad", ".", "film"]


@pytest.mark.parametrize(("length", "expected"), [(5, [1, 2, 7, 8, 9]), (4, [1, 2, 8, 9])])
def test_the_middle_is_left_out(length, expected):
  words = tf.ragged.constant([[*range(1, 10)], [], [1], [1, 2, 3, 4]], dtype=tf.int64)
  places, there = beginning_and_end(words, length)
  cut = tf.where(there, tf.gather(words.flat_values, places), 0).numpy()
  zeros = [0] * length
  assert cut.tolist() == [
    expected,
    zeros,
    [1, *zeros[1:]],
    [1, 2, 3, 4, *zeros[4:]],
  ]


def test_a_text_without_words_is_all_padding(transform):
  features = transform("", " <br/> ")
  assert not features["word_ids"].numpy().any()
  assert features["oov_bucket"].numpy().tolist() == [b"0 %", b"0 %"]


def test_texts_are_told_by_their_share_of_unknown_words(transform):
  known = "good " * 10
  found = transform("good bad", known + "plot", known + "plot plot", "plot")["oov_bucket"]
  assert found.numpy().tolist() == [b"0 %", b"up to 10 %", b"over 10 %", b"over 10 %"]


def test_any_bytes_pass(transform):
  features = transform(b"\xff\xfe good", "\U0001f44d".encode(), b"nul\0 good")
  assert (features["word_ids"].numpy() != 0).sum(axis=1).tolist() == [3, 1, 2]


def test_labels_are_numbered_by_frequency_and_unknown_ones_are_minus_one(text_graph):
  assert text_graph.vocabulary_by_name("labels") == [b"negative", b"positive"]
  features = text_graph.transform_features_layer()(
    {
      "text": tf.constant([["good"]] * 3),
      "label": tf.constant([["positive"], ["negative"], ["mixed"]]),
    }
  )
  assert features["label_id"].numpy().tolist() == [1, 0, -1]


def test_what_a_request_gets_does_not_need_the_label(transform):
  assert set(transform("good")) == {
    "word_ids", "start_ids", "end_ids", "tokens", "oov_bucket",
  }  # fmt: skip


def test_a_row_is_the_same_alone_and_in_a_batch(transform):
  texts = ("Good film.", "", "bad " * 20, "電影 👍")
  together = transform(*texts)["word_ids"].numpy()
  for row, text in zip(together, texts, strict=True):
    np.testing.assert_array_equal(transform(text)["word_ids"].numpy()[0], row)
