"""Text to pieces and back, in the graph that is served."""

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text import subwords
from pipeline.text.subwords import BLANK, UNKNOWN

_PIECES = (
  [BLANK]
  + [chr(c) for c in range(ord("a"), ord("z") + 1)]
  + ["T", "'", ".", "!", "1", "é", f"{BLANK}T", "om", f"{BLANK}Tom", f"{BLANK}th", "ere", "er"]
)


@pytest.fixture(scope="module")
def to_pieces(tmp_path_factory):
  """A function from texts to lists of pieces, spelled as served."""
  path = tmp_path_factory.mktemp("vocabulary") / "pieces"
  path.write_text("".join(f"{piece}\n" for piece in _PIECES), encoding="utf-8")

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
  def graph(texts):
    pieces = subwords.to_pieces(subwords.split_words(texts), tf.constant(str(path)))
    return pieces.ids, pieces.spellings, pieces.whole_words

  def run(*texts):
    ids, spellings, whole = graph(tf.constant(list(texts)))
    names = [None, None, None, None, *_PIECES]
    rows = []
    for row, words in zip(ids.to_list(), spellings.to_list(), strict=True):
      rows.append(
        [(word.decode() if i == UNKNOWN else names[i]) for i, word in zip(row, words, strict=True)]
      )
      assert all((i == UNKNOWN) == bool(word) for i, word in zip(row, words, strict=True))
    return rows, ids.to_list(), whole.numpy().tolist()

  return run


def test_the_longest_piece_from_the_left_is_taken(to_pieces):
  [[*row]], _, _ = to_pieces("Tom there")
  assert row == [f"{BLANK}Tom", f"{BLANK}th", "ere"]


def test_composed_and_decomposed_texts_are_the_same_pieces(to_pieces):
  composed, decomposed = "Tom \u00e9\u1ead", "Tom e\u0301a\u0323\u0302"
  rows, ids, whole = to_pieces(composed, decomposed)
  assert rows[0] == rows[1] == [f"{BLANK}Tom", f"{BLANK}\u00e9\u1ead"]
  assert ids[0] == ids[1]
  assert whole == [1, 1]


def test_ids_are_lines_after_the_special_ones(to_pieces):
  _, [[only]], _ = to_pieces("Tom")
  assert only == _PIECES.index(f"{BLANK}Tom") + 4


def test_a_word_with_an_uncovered_character_is_one_unknown_with_its_spelling(to_pieces):
  [[*row]], [ids], _ = to_pieces("Tom Tomß 日本 a")
  assert row == [f"{BLANK}Tom", f"{BLANK}Tomß", f"{BLANK}日本", BLANK, "a"]
  assert [i == UNKNOWN for i in ids] == [False, True, True, False, False]


def test_whole_words_are_those_of_one_piece(to_pieces):
  assert to_pieces("Tom there", "Tom Tom .", "", "ß")[2] == [1, 2, 0, 0]


@pytest.mark.parametrize(
  ("text", "clean"),
  [
    (b"", ""),
    (b"   ", ""),
    ("a\u202f!".encode(), "a !"),
    ("a\u00a0b\tc\nd\x01e".encode(), "a b c d e"),
    ("a\u200bb\ufeffc\u00add".encode(), "abcd"),
    (b"a\xffb", "a\ufffdb"),
    ("\u2581a".encode(), "_a"),
    ("👩\u200d🔬".encode(), "👩\u200d🔬"),
  ],
)
def test_normalization(text, clean):
  assert subwords.normalize(tf.constant([text])).numpy()[0].decode() == clean


def test_words_are_letters_a_digit_or_one_other_character():
  words = subwords.split_words(tf.constant(["J'ai 25 ans..."])).to_list()[0]
  assert [w.decode() for w in words] == [
    f"{BLANK}J", "'", "ai", f"{BLANK}2", "5", f"{BLANK}ans", ".", ".", "."
  ]  # fmt: skip


def test_a_very_long_word_is_cut():
  words = subwords.split_words(tf.constant(["a" * 60])).to_list()[0]
  assert [len(w.decode()) for w in words] == [24, 24, 13]
  assert b"".join(words).decode() == BLANK + "a" * 60


def test_an_empty_batch_has_no_rows():
  assert subwords.split_words(tf.zeros([0], tf.string)).to_list() == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_joined_again_pieces_are_the_normalized_text(to_pieces, texts):
  encoded = [text.encode("utf-8", "replace") for text in texts]
  rows, _, _ = to_pieces(*encoded)
  clean = [t.decode() for t in subwords.normalize(tf.constant(encoded)).numpy()]
  width = max([1, *map(len, rows)])
  padded = tf.constant([[*row, *[""] * (width - len(row))] for row in rows])
  assert [t.decode() for t in subwords.join_pieces(padded).numpy()] == clean
