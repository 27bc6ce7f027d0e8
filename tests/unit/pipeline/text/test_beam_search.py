"""Beam search against all outputs of a toy decoder, and when it may end."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from pipeline.text.beam_search import Options, Search, State

_PADDING, _START, _END, _A, _B, _C = range(6)
_TOKENS = 6
_NEVER = -1e9


class _Toy:
  """Says what a table says of all that was said: another hypothesis' history is another answer."""

  def __init__(self, seed=0, end=0.0, sharp=2.0):
    self.table = np.random.default_rng(seed).normal(size=(97, _TOKENS)).astype("float32") * sharp
    self.table[:, _END] += end

  def start(self, encoded, width):
    return State(moving=(tf.zeros([tf.shape(encoded)[0], width], tf.int64),))

  def step(self, encoded, state, last, ancestry):
    history = (state.moving[0] * 7 + last + tf.cast(encoded, tf.int64)[:, tf.newaxis]) % 97
    attention = tf.one_hot(last % 3, 3)  # A, B and C attend to positions 0, 1 and 2
    return tf.gather(tf.constant(self.table), history), attention, State(moving=(history,))

  def log_probabilities(self, source, said):
    """The log-probability of each token."""
    history, found = 0, []
    for last, token in zip([_START, *said], said, strict=False):
      history = (history * 7 + last + source) % 97
      row = self.table[history].astype("float64")
      found.append(row[token] - np.log(np.exp(row).sum()))
    return found


def _run(toy, sources, limits, is_source=None, **options):
  count = len(sources)
  found = Search(
    options=Options(**{"beam_width": 4, "length_penalty": 0.6, **options}),
    start_id=_START,
    end_id=_END,
    padding_id=_PADDING,
  ).run(
    toy,
    tf.constant(sources),
    is_source=tf.ones([count, 3], tf.bool) if is_source is None else tf.constant(is_source),
    preferred=tf.zeros([count, 3]),
    limits=tf.constant(limits, tf.int64),
  )
  said = [[[t for t in row if t] for row in of_one] for of_one in found.tokens.numpy().tolist()]
  return said, found.scores.numpy(), found.tokens.shape[2]


def _ranked(toy, source, limit, penalty=0.6, coverage=0.0):
  """All outputs, the best first, with their scores."""
  words = (_A, _B, _C)
  outputs = [
    [*begin, _END] for size in range(limit) for begin in itertools.product(words, repeat=size)
  ]
  outputs += [list(words_) for words_ in itertools.product(words, repeat=limit)]

  def score(said):
    read = np.zeros(3)
    for last in [_START, *said[:-1]]:
      read[last % 3] += 1
    uncovered = np.log(np.clip(read, 1e-3, 1)).sum()
    likely = sum(toy.log_probabilities(source, said))
    return likely / ((5 + len(said)) / 6) ** penalty + coverage * uncovered

  return sorted(((score(said), said) for said in outputs), reverse=True)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("penalty", "coverage"), [(0.6, 0.0), (0.0, 0.0), (1.5, 0.0), (0.6, 0.3)])
def test_a_wide_beam_finds_the_best_of_all_outputs(seed, penalty, coverage):
  toy = _Toy(seed)
  said, scores, _ = _run(
    toy,
    [3, 11],
    [4, 3],
    beam_width=120,
    n_best=3,
    length_penalty=penalty,
    coverage_penalty=coverage,
  )
  for row, (source, limit) in enumerate([(3, 4), (11, 3)]):
    best = _ranked(toy, source, limit, penalty, coverage)[:3]
    np.testing.assert_allclose(scores[row], [score for score, _ in best], atol=1e-4)
    assert said[row] == [output for _, output in best]


@pytest.mark.parametrize("seed", range(6))
def test_a_narrow_beam_answers_with_outputs_that_have_their_scores(seed):
  toy = _Toy(seed, end=-1)
  said, scores, _ = _run(toy, [5, 2, 9], [9, 4, 7], n_best=2)
  for source, outputs, found in zip([5, 2, 9], said, scores, strict=True):
    for output, score in zip(outputs, found, strict=True):
      expected = sum(toy.log_probabilities(source, output)) / ((5 + len(output)) / 6) ** 0.6
      assert score == pytest.approx(expected, abs=1e-4)
    assert outputs[0] != outputs[1]


def test_it_ends_once_nothing_can_overtake_the_best():
  toy = _Toy(1)
  toy.table[:] = -8
  toy.table[:, _A] = 0  # a hypothesis that goes on would say A for ever
  toy.table[:, _END] = 4
  said, _, steps = _run(toy, [0], [60])
  assert said == [[[_END]]]
  assert steps < 10


def test_it_goes_on_while_a_longer_output_may_still_win():
  """The end is likelier than anything at once, and a long sure output scores better."""
  toy = _Toy(1)
  toy.table[:] = -12
  first = _START % 97
  toy.table[first, _END], toy.table[first, _A] = 0.1, 0.0
  history, last = first, _A
  for _ in range(8):
    history = (history * 7 + last) % 97
    toy.table[history, _A] = 12
  said, _, _ = _run(toy, [0], [9], length_penalty=2.0)
  assert said == [[[_A] * 9]]


def test_coverage_prefers_what_attends_to_all_of_the_source():
  toy = _Toy(0)
  toy.table[:] = -12
  first = _START % 97
  toy.table[first, _C] = toy.table[first, _A] = 0.0
  after_c, after_a = (first * 7 + _C) % 97, (first * 7 + _A) % 97
  toy.table[after_c, _END] = 0  # the likelier: start, C; it leaves out position 0
  toy.table[after_a, _C] = toy.table[after_a, _END] = 0
  toy.table[(after_a * 7 + _C) % 97, _END] = 0
  without, with_it = (_run(toy, [0], [6], coverage_penalty=rate)[0] for rate in (0.0, 1.0))
  assert without == [[[_C, _END]]]
  assert with_it == [[[_A, _C, _END]]]


def test_coverage_asks_nothing_of_the_padding():
  toy = _Toy(0)
  _, plain, _ = _run(toy, [4], [5], beam_width=60)
  _, scores, _ = _run(toy, [4], [5], is_source=[[False] * 3], beam_width=60, coverage_penalty=1.0)
  np.testing.assert_allclose(scores, plain, atol=1e-5)
  _, scores, _ = _run(toy, [4], [1], beam_width=60, coverage_penalty=1.0)
  _, short, _ = _run(toy, [4], [1], beam_width=60)
  # START attends to position 2 alone: two positions are uncovered.
  assert scores[0, 0] - short[0, 0] == pytest.approx(2 * np.log(1e-3), rel=1e-4)


def test_origins_prefer_what_they_are_told_to():
  found = Search(
    options=Options(beam_width=2, length_penalty=0.6), start_id=_START, end_id=_END
  ).run(
    _Toy(0, end=-9),
    tf.constant([1]),
    is_source=tf.ones([1, 3], tf.bool),
    preferred=tf.constant([[0.0, 0.0, 2.0]]),
    limits=tf.constant([3], tf.int64),
  )
  assert found.origins.numpy().tolist() == [[[2, 2, 2]]]
