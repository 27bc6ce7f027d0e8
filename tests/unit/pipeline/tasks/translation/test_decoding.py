"""Beam search against all translations there are, and that any sentence comes to an end."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.translation import decoding
from pipeline.tasks.translation.model import Translator
from pipeline.tasks.translation.params import TranslationParams
from pipeline.text.beam_search import Found
from pipeline.text.subwords import BLANK, END, START, UNKNOWN

_SOURCE = ["", "", "", "", f"{BLANK}a", f"{BLANK}b", "c"]
_TARGET = ["", "", "", "", f"{BLANK}x", "y"]
_PENALTY = 0.6


@pytest.fixture(scope="module", params=["recurrent", "transformer"])
def translator(request):
  """Random weights, large enough that some answers are much likelier than others."""
  return _random(11, 3 if request.param == "recurrent" else 1.5, _TARGET, request.param)


def _random(seed, scale, target, architecture="recurrent"):
  tf.keras.utils.set_random_seed(seed)
  model = Translator(
    TranslationParams(
      architecture=architecture,
      embedding=6,
      encoder_units=4,
      decoder_units=8,
      heads=2,
      inner_units=8,
      layers=1,
      dropout=0.0,
    ),
    _SOURCE,
    target,
  )
  for variable in model.trainable_variables:
    variable.assign(variable * scale)
  return model


def _options(**changes):
  return decoding.Options(
    **{"beam_width": 3, "length_penalty": _PENALTY, "max_pieces": 3, **changes}
  )


def _search(model, source, **changes):
  source = tf.constant(source, tf.int64)
  sizes = tf.reduce_sum(tf.cast(source != 0, tf.int64), axis=1)
  found = decoding.search(model, source, sizes, _options(**changes))
  return found.tokens.numpy()[:, 0], found.origins.numpy()[:, 0], found.scores.numpy()[:, 0]


def _score(model, source, pieces):
  """The length-normalised log-probability of one translation, by teacher forcing."""
  shifted = tf.constant([[START, *pieces[:-1]]], tf.int64)
  states = model.target_states(tf.constant([source], tf.int64), shifted, training=False)
  logits = model.logits(states[0]).numpy().astype(np.float64)
  logits[:, [0, START]] = -np.inf  # never said
  # Their share is not given to the others.
  likely = (
    logits - np.log(np.exp(model.logits(states[0]).numpy().astype(np.float64)).sum(1))[:, None]
  )
  total = sum(likely[step, piece] for step, piece in enumerate(pieces))
  return total / ((5 + len(pieces)) / 6) ** _PENALTY


def _all_translations(max_pieces):
  said = [UNKNOWN, 4, 5]
  for length in range(max_pieces):
    for begin in itertools.product(said, repeat=length):
      yield [*begin, END]
  yield from (list(pieces) for pieces in itertools.product(said, repeat=max_pieces))


@pytest.mark.parametrize("source", [[4, 5, 6], [6], [5, 5, 4, 6]])
def test_a_wide_beam_finds_the_best_of_all_translations(translator, source):
  best = max(_all_translations(3), key=lambda pieces: _score(translator, source, pieces))
  pieces, _, score = _search(translator, [source], beam_width=6)
  found = [piece for piece in pieces[0].tolist() if piece]
  assert found == best
  assert score[0] == pytest.approx(_score(translator, source, best), abs=1e-5)


def test_a_beam_of_one_takes_the_likeliest_piece_at_each_step(translator):
  source, pieces = [4, 5, 6], []
  while len(pieces) < 3 and END not in pieces:
    shifted = tf.constant([[START, *pieces]], tf.int64)
    states = translator.target_states(tf.constant([source], tf.int64), shifted, training=False)
    logits = translator.logits(states[0]).numpy()[-1]
    logits[[0, START]] = -np.inf
    pieces.append(int(np.argmax(logits)))
  found, _, score = _search(translator, [source], beam_width=1)
  assert [piece for piece in found[0].tolist() if piece] == pieces
  assert score[0] == pytest.approx(_score(translator, source, pieces), abs=1e-5)


@pytest.mark.parametrize("width", [1, 4])
def test_an_answer_does_not_depend_on_its_batch(translator, width):
  rows = [[4, 5, 6, 4, 5], [6, 0, 0, 0, 0], [5, 4, 0, 0, 0]]
  together = _search(translator, rows, beam_width=width, max_pieces=20)
  for number, row in enumerate(rows):
    alone = _search(translator, [[p for p in row if p]], beam_width=width, max_pieces=20)
    steps = alone[0].shape[1]
    assert together[0][number, :steps].tolist() == alone[0][0].tolist()
    assert not together[0][number, steps:].any()
    assert together[2][number] == pytest.approx(alone[2][0], abs=1e-6)


def test_every_sentence_ends_at_a_length_of_its_own(translator):
  bias = translator._bias.numpy().copy()
  try:
    # END is never likely: only the bounds end a translation.
    translator._bias.assign(np.where(np.arange(len(bias)) == END, -1e4, 0.0))
    pieces, _, _ = _search(translator, [[4, 0, 0], [4, 5, 6]], max_pieces=14)
    assert (pieces != 0).sum(axis=1).tolist() == [12, 14]
  finally:
    translator._bias.assign(bias)


def test_unknown_pieces_are_the_source_words_they_attend_to(translator):
  found = Found(
    tokens=tf.constant([[[4, UNKNOWN, 5, UNKNOWN, END, 0]]], tf.int64),
    origins=tf.constant([[[0, 1, 0, 2, 0, 0]]], tf.int64),
    scores=tf.zeros([1, 1]),
  )
  spelled = decoding.spell(
    translator,
    found,
    tf.constant([[4, UNKNOWN, 5]], tf.int64),
    tf.constant([["", f"{BLANK}日本", ""]]),
  )
  assert [s.decode() for s in spelled.numpy()[0, 0]] == [
    f"{BLANK}x", f"{BLANK}日本", "y", f"{BLANK}b", "", ""
  ]  # fmt: skip


def test_an_unknown_piece_prefers_an_unknown_word(translator):
  bias = translator._bias.numpy().copy()
  try:
    translator._bias.assign(np.where(np.arange(len(bias)) == UNKNOWN, 1e4, 0.0))
    _, origins, _ = _search(translator, [[4, 5, UNKNOWN, 6]], beam_width=2)
    assert set(origins[0].tolist()) == {2}
  finally:
    translator._bias.assign(bias)


def _attended(model, source, pieces):
  """The source position that each piece of one translation attends to, said one by one."""
  encoded = model.encode(tf.constant([source], tf.int64))
  state, positions, said = model.start(encoded, 1), [], START
  for number, piece in enumerate(pieces):
    ancestry = tf.zeros([1, 1, number + 1], tf.int32)
    _, attention, state = model.step(encoded, state, tf.constant([[said]], tf.int64), ancestry)
    positions.append(int(np.argmax(attention[0, 0])))
    said = piece
  return positions


@pytest.fixture(
  scope="module",
  params=[(5, 3, -1, "recurrent"), (6, 6, -2, "recurrent"), (1, 1.5, -1, "transformer")],
)
def talker(request):
  """Random weights: the best translation begins with a piece that is not the likeliest."""
  seed, scale, end, architecture = request.param
  target = [*_TARGET, *"abcdef"]
  model = _random(seed, scale, target, architecture)
  model._bias.assign(np.where(np.arange(len(target)) == END, end, 0.0))
  return model


@pytest.mark.parametrize("width", [2, 4])
def test_a_hypothesis_is_one_translation_with_its_score_and_positions(talker, width):
  """Whatever else is in the beam and in the batch: pieces, scores and states keep together."""
  sources = [[4, 5, 6, 4, 5], [6, 5, 0, 0, 0], [5, 5, 4, 6, 0]]
  pieces, origins, scores = _search(talker, sources, beam_width=width, max_pieces=7)
  greedy, _, _ = _search(talker, sources, beam_width=1, max_pieces=7)
  assert (greedy != pieces).any()
  for source, found, positions, score in zip(sources, pieces, origins, scores, strict=True):
    said, read = ([piece for piece in row if piece] for row in (found.tolist(), source))
    assert score == pytest.approx(_score(talker, read, said), abs=1e-4)
    assert positions[: len(said)].tolist() == _attended(talker, read, said)
    assert END not in said[:-1]


def test_a_second_start_is_never_said(translator):
  bias = translator._bias.numpy().copy()
  try:
    translator._bias.assign(np.where(np.isin(np.arange(len(bias)), (0, START)), 1e4, 0.0))
    pieces, _, _ = _search(translator, [[4, 5]])
    assert START not in pieces
    assert (pieces != 0).any()
  finally:
    translator._bias.assign(bias)


def test_of_nothing_nothing_is_said_however_talkative(talker):
  source, spelled = tf.constant([[0, 0], [4, 0]], tf.int64), tf.fill([2, 2], "")
  nothing, something = decoding.translate(talker, source, spelled, _options(max_pieces=8))[
    "translation"
  ].numpy()
  assert nothing == b""
  assert something != b""


def test_empty_sentences_have_empty_translations(translator):
  answer = decoding.translate(
    translator,
    tf.constant([[0, 0], [4, 0]], tf.int64),
    tf.fill([2, 2], ""),
    _options(max_pieces=8),
  )
  assert answer["translation"].numpy()[0] == b""
  assert answer["score"].numpy()[0] == 0
  assert answer["score"].numpy()[1] < 0
  only = decoding.translate(translator, tf.zeros([1, 2], tf.int64), tf.fill([1, 2], ""), _options())
  assert only["translation"].numpy().tolist() == [b""]


def test_several_translations_are_the_best_there_are(translator):
  source = [4, 5, 6]
  ranked = sorted(
    _all_translations(3), key=lambda pieces: _score(translator, source, pieces), reverse=True
  )
  given = tf.constant([source], tf.int64)
  found = decoding.search(
    translator, given, tf.constant([3], tf.int64), _options(beam_width=30, n_best=4)
  )
  said = [[piece for piece in row if piece] for row in found.tokens.numpy()[0].tolist()]
  assert said == ranked[:4]
  scores = [_score(translator, source, pieces) for pieces in ranked[:4]]
  np.testing.assert_allclose(found.scores[0], scores, atol=1e-5)


def test_several_translations_are_answered_beside_the_best(translator):
  source, spelled = tf.constant([[4, 5], [0, 0]], tf.int64), tf.fill([2, 2], "")
  answer = decoding.translate(translator, source, spelled, _options(n_best=2, max_pieces=6))
  alone = decoding.translate(translator, source, spelled, _options(max_pieces=6))
  assert answer["translations"].shape == answer["scores"].shape == (2, 2)
  assert answer["translations"].numpy()[:, 0].tolist() == alone["translation"].numpy().tolist()
  np.testing.assert_array_equal(answer["scores"][:, 0], alone["score"])
  assert answer["translations"].numpy()[1].tolist() == [b"", b""]
  assert set(alone) == {"translation", "score"}
