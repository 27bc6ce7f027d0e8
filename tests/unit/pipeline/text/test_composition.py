"""Canonical composition in graph, held to `unicodedata`."""

import random
import unicodedata

import pytest
import tensorflow as tf

from pipeline.text.composition import compose

_CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
_MARKS = [char for char in _CHARACTERS if unicodedata.combining(char)]
_COMPOSITES = [char for char in _CHARACTERS if unicodedata.normalize("NFD", char) != char]
_LETTERS = [unicodedata.normalize("NFD", char)[0] for char in _COMPOSITES]
_HANGUL = ["\u1100", "\u1112", "\u1161", "\u1175", "\u11a7", "\u11a8", "\u11c2", "가", "각", "힣"]


@pytest.fixture(scope="module")
def run():
  graph = tf.function(compose, input_signature=[tf.TensorSpec([None], tf.string)])

  def run(texts):
    given = tf.constant([text.encode() for text in texts], tf.string)
    return [text.decode() for text in graph(given).numpy()]

  return run


def _nfc(texts):
  return [unicodedata.normalize("NFC", text) for text in texts]


def test_every_character_and_what_it_is_made_of(run):
  assert run(_CHARACTERS) == _nfc(_CHARACTERS)
  apart = [unicodedata.normalize("NFD", char) for char in _COMPOSITES]
  assert run(apart) == _nfc(_COMPOSITES)


def test_any_marks_in_any_order(run):
  draw = random.Random(5)
  groups = (
    _MARKS,
    _COMPOSITES,
    _LETTERS,
    _HANGUL,
    "aeouSZ",
    "\u0301\u0323\u0302\u0327\u031b",
    " \0",
  )
  texts = [
    "".join(draw.choice(draw.choice(groups)) for _ in range(draw.randint(0, 9)))
    for _ in range(30_000)
  ]
  assert run(texts) == _nfc(texts)


@pytest.mark.parametrize(
  ("text", "composed"),
  [
    ("  e\u0301  e\u0301 ", "  \u00e9  \u00e9 "),
    ("\u0301 e\n\u0301e\u0301\n", "\u0301 e\n\u0301\u00e9\n"),
    ("a\u0302\u0323", "\u1ead"),  # out of order
    ("q\u0307\u0323", "q\u0323\u0307"),  # ordered, and composed with nothing
    ("e\u030b\u0301", "e\u030b\u0301"),  # what stands between them blocks
    ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국"),
    ("\u0915\u093c \u0958", "\u0915\u093c \u0915\u093c"),  # left apart, says Unicode
    ("\u212b\u2126", "\u00c5\u03a9"),
    ("\ufb01 \u00bd \uff21 \u2026", "\ufb01 \u00bd \uff21 \u2026"),  # for NFKC alone
    ("", ""),
  ],
)
def test_texts(run, text, composed):
  assert run([text]) == [composed]
  assert run(["plain", text, "e\u0301"]) == ["plain", composed, "\u00e9"]


def test_no_batch(run):
  assert run([]) == []
