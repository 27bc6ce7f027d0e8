"""BehaviourGate and the tests of behaviour that are shipped with the tasks."""

import pytest
import tensorflow as tf


def has_word(texts, words):
  """Returns for each text whether it holds one of some words, as they are written."""
  return tf.strings.regex_full_match(texts, rf".*\b({'|'.join(words)})\b.*")


_NAMES = ("negative", "positive")
_REVIEWS = [
  *((f"a great film, number {n}", "positive") for n in range(20)),
  *((f"a boring film, number {n}", "negative") for n in range(20)),
]
_PAIRS = [(f"I paid {n} euros.", f"J'ai payé {n} euros.") for n in range(100, 120)]


def _by_words(texts):
  return tf.where(has_word(texts, ["great", "wonderful", "brilliant"]), 0.9, 0.1)


@pytest.fixture
def colours(coloured):
  """Twenty red pictures and twenty green ones, each with its label."""
  return [
    *((coloured(200 + n, 20, 30), "red") for n in range(20)),
    *((coloured(10, 150 + n, 30), "green") for n in range(20)),
  ]


def test_a_model_that_reads_capitals_as_other_words_is_refused(judged, classes):
  found = judged("sentiment", classes(_NAMES, _by_words), _REVIEWS)
  ruling = found.ruling("capitals")
  assert (found.blessed, ruling.passed, ruling.value) == (0, False, 0.5)
  assert "20 of 40 failed" in ruling.reason
  assert (
    "'A GREAT FILM, NUMBER 0' -> negative where 'a great film, number 0' -> positive"
    in ruling.reason
  )


def test_a_model_that_lowers_capitals_first_passes(judged, classes):
  answer = classes(_NAMES, lambda texts: _by_words(tf.strings.lower(texts)))
  found = judged("sentiment", answer, _REVIEWS)
  assert found.blessed == 1
  assert found.ruling("capitals").value == 0


_COLOURS_MATTER = """
tests:
  - name: grey
    kind: direction
    change: grey
    score: falls
    by: 0.05
    at_most: 0.5
    reason: the classes differ by their colours
  - name: plain colours
    kind: minimum_functionality
    cases:
      - {colour: red, answer: red}
      - {colour: "#009900", answer: green}
    at_most: 0
    reason: what is all red is red
"""


def test_a_colour_blind_model_is_refused(judged, classes, pixels, colours):
  def by_brightness(encoded):
    grey = tf.reduce_sum(pixels(encoded) * [0.299, 0.587, 0.114], axis=1)
    return tf.sigmoid(40 * (0.31 - grey))  # green is brighter

  found = judged("images", classes(("green", "red"), by_brightness), colours, _COLOURS_MATTER)
  assert found.blessed == 0
  assert found.ruling("grey").value == 1
  assert "data, row 0 -> red where the input as it was -> red" in found.ruling("grey").reason
  case = found.tested("grey").cases[0]
  assert len(case.pictures) == 2
  assert all(uri.startswith("data:image/png;base64,") for uri in case.pictures)


def test_a_model_that_sees_colours_passes(judged, classes, pixels, colours):
  def by_hue(encoded):
    mean = pixels(encoded)
    return tf.sigmoid(10 * (mean[:, 0] - mean[:, 1]))

  found = judged("images", classes(("green", "red"), by_hue), colours, _COLOURS_MATTER)
  assert (found.blessed, [each.value for each in found.verdict.rulings]) == (1, [0, 0])


def test_a_wrong_answer_to_a_made_up_picture_is_named(judged, classes, colours):
  always = classes(("green", "red"), lambda encoded: tf.ones(tf.shape(encoded)))
  found = judged("images", always, colours, _COLOURS_MATTER)
  reason = found.ruling("plain colours").reason
  assert "1 of 2 failed: a picture all #009900 -> red, and green is right." in reason


def _translated(texts, number):
  texts = tf.strings.regex_replace(texts, r"\s+", " ")
  words = tf.strings.regex_replace(texts, "I paid", "J'ai payé")
  return tf.strings.strip(tf.strings.regex_replace(words, r"\d+", number))


def test_a_model_that_drops_numbers_is_refused(judged, translations):
  answer = translations(lambda texts: _translated(texts, "des"))
  found = judged("translation", answer, _PAIRS)
  ruling = found.ruling("numbers")
  assert (found.blessed, ruling.value) == (0, 1)
  assert (
    "'I paid 100 euros.' -> J'ai payé des euros., and a text with 100 is right" in ruling.reason
  )


def test_a_model_that_copies_numbers_passes(judged, translations):
  answer = translations(lambda texts: _translated(texts, r"\0"))
  found = judged("translation", answer, _PAIRS)
  assert found.blessed == 1
  assert (found.ruling("numbers").value, found.ruling("spaces").value) == (0, 0)
