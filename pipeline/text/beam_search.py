"""Beam search over any decoder, in graph. A beam of one is greedy decoding.

A decoder implements `Decoder`: `start` prepares the state of empty hypotheses, `step` reads the
last tokens and returns the logits of the next ones. The search knows neither layers nor caches.

Every hypothesis ends at END, or at a limit that depends only on its source, not on the batch.
The search ends as soon as no hypothesis that goes on can overtake the ones that are returned.

Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7 (length and coverage
penalties), https://arxiv.org/abs/1609.08144
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

_NEVER = -1e9
# Wu's coverage penalty takes the logarithm of the attention that a source position got; a position
# that got none would make it infinite.
_LEAST_COVERAGE = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """The settings of the search.

  Attributes:
    beam_width: hypotheses kept for each source; 1 is greedy.
    length_penalty: 0 compares sums of log-probabilities, which favours short outputs; 1 compares
      nearly their means.
    coverage_penalty: how much a hypothesis loses for source positions that it hardly attended to.
    n_best: number of hypotheses returned for each source, at most `beam_width`.
  """

  beam_width: int
  length_penalty: float
  coverage_penalty: float = 0.0
  n_best: int = 1


class State(NamedTuple):
  """What a decoder remembers of its hypotheses.

  Attributes:
    moving: `[batch, beam, ...]` each; the search moves every row with its hypothesis.
    written: tensors of any shape, such as caches of all hypotheses and steps; the search leaves
      them unchanged, and `ancestry` says which entries belong to a hypothesis.
  """

  moving: tuple[tf.Tensor, ...] = ()
  written: tuple[tf.Tensor, ...] = ()


class Decoder(Protocol):
  """What the search asks of a model."""

  def start(self, encoded: Any, width: int) -> State:
    """Returns the state before the first token, for `width` hypotheses of each source."""

  def step(
    self, encoded: Any, state: State, last: tf.Tensor, ancestry: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Reads one token of each hypothesis.

    Args:
      encoded: the encoded sources, as in `start`.
      state: the state before this step.
      last: `[batch, beam]` int64, the tokens to read.
      ancestry: `[batch, beam, steps]` int32, the row of the beam in which each of a hypothesis'
        tokens was read, step by step; the last is the hypothesis' own row.

    Returns:
      `[batch, beam, tokens]` float32 logits; `[batch, beam, source time]` float32 attention; the
      state after the step.
    """


class Found(NamedTuple):
  """The best hypotheses of each source, the best first.

  Attributes:
    tokens: `[batch, n_best, steps]` int64, 0 after END.
    origins: `[batch, n_best, steps]` int64, the source position that each token attended to.
    scores: `[batch, n_best]` float32, the log-probability over the length penalty, plus the
      coverage penalty.
    attention: `[batch, n_best, steps, source time]` float32, what each token attended to, if the
      search keeps it; else None.
  """

  tokens: tf.Tensor
  origins: tf.Tensor
  scores: tf.Tensor
  attention: tf.Tensor | None = None


class _Beam(NamedTuple):
  """The hypotheses. `tokens` and `origins` stay where they were written; `ancestry` finds them."""

  tokens: tf.Tensor  # [batch, steps, beam] int64, from the start token on
  origins: tf.Tensor  # [batch, steps, beam] int64
  ancestry: tf.Tensor  # [batch, beam, steps] int32
  likelihood: tf.Tensor  # [batch, beam] float32, the sum of log-probabilities
  covered: tf.Tensor  # [batch, beam, source time] float32, the attention got; or empty
  scores: tf.Tensor  # [batch, beam] float32
  lengths: tf.Tensor  # [batch, beam] int64, number of tokens with END
  ended: tf.Tensor  # [batch, beam] bool
  state: State
  attention: tuple[tf.Tensor, ...]  # [batch, steps, beam, source time] float32 as written; or none


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
  """A search with one decoder's tokens.

  Attributes:
    options: beam width, penalties, number of hypotheses.
    start_id: the token before the first; never generated.
    end_id: the token that ends a hypothesis.
    padding_id: stands after the end; never generated.
    keeps_attention: whether `Found` has the attention, which costs memory in each step.
  """

  options: Options
  start_id: int
  end_id: int
  padding_id: int = 0
  keeps_attention: bool = False

  def run(
    self,
    decoder: Decoder,
    encoded: Any,
    *,
    is_source: tf.Tensor,
    preferred: tf.Tensor,
    limits: tf.Tensor,
  ) -> Found:
    """Searches the best hypotheses of each source.

    Args:
      decoder: the model.
      encoded: what the decoder reads of the sources.
      is_source: `[batch, source time]` bool, false in the padding.
      preferred: `[batch, source time]` float32, added to attention where `origins` are chosen.
      limits: `[batch]` int64, largest number of tokens of each source's hypotheses.
    """
    width = self.options.beam_width

    def step(beam: _Beam) -> tuple[_Beam]:
      return (self._extend(decoder, encoded, beam, preferred, is_source, limits),)

    begin = self._begin(decoder.start(encoded, width), is_source)
    [beam] = tf.while_loop(
      lambda beam: ~tf.reduce_all(self._is_decided(beam, limits)),
      step,
      (begin,),
      shape_invariants=(_shapes(begin, width),),
    )
    # At the end, enough hypotheses have ended in every row.
    scores, best = tf.math.top_k(
      tf.where(beam.ended, beam.scores, 2 * _NEVER), k=self.options.n_best
    )
    paths = tf.gather(beam.ancestry, best, batch_dims=1)  # [batch, n, steps]

    def along(written: tf.Tensor, path: tf.Tensor) -> tf.Tensor:
      by_step = tf.gather(written, tf.transpose(path, [0, 2, 1]), batch_dims=2)
      return tf.transpose(by_step, [0, 2, 1, *range(3, written.shape.rank)])

    # A token attends while the one before it is read.
    tokens = along(beam.tokens, paths)[:, :, 1:]
    read = paths[:, :, :-1]
    attention = [along(each, read) for each in beam.attention]
    return Found(tokens, along(beam.origins, read), scores, *attention)

  def _begin(self, state: State, is_source: tf.Tensor) -> _Beam:
    """Creates the first beam: one hypothesis for each source; equal copies have no likelihood."""
    width, batch = self.options.beam_width, tf.shape(is_source)[0]
    likelihood = tf.tile(tf.constant([[0.0] + [_NEVER] * (width - 1)]), [batch, 1])
    return _Beam(
      tokens=tf.fill([batch, 1, width], tf.constant(self.start_id, tf.int64)),
      origins=tf.zeros([batch, 0, width], tf.int64),
      ancestry=tf.tile(tf.range(width)[tf.newaxis, :, tf.newaxis], [batch, 1, 1]),
      likelihood=likelihood,
      covered=tf.zeros([batch, width, tf.shape(is_source)[1]])
      if self.options.coverage_penalty
      else tf.zeros([batch, width, 0]),
      scores=likelihood,
      lengths=tf.zeros([batch, width], tf.int64),
      ended=tf.zeros([batch, width], tf.bool),
      state=state,
      attention=(tf.zeros([batch, 0, width, tf.shape(is_source)[1]]),) * self.keeps_attention,
    )

  def _is_decided(self, beam: _Beam, limits: tf.Tensor) -> tf.Tensor:
    """Returns `[batch]` bool: whether no hypothesis can overtake the ones that are returned.

    A hypothesis that goes on only loses likelihood, and its length penalty is at most that of the
    longest hypothesis, which bounds its score.
    """
    reachable = self._normalized(beam.likelihood, limits[:, tf.newaxis])
    threat = tf.reduce_max(tf.where(beam.ended, 2 * _NEVER, reachable), axis=1)
    ended = tf.where(beam.ended, beam.scores, 2 * _NEVER)
    if self.options.n_best == 1:
      worst_returned = tf.reduce_max(ended, axis=1)
    else:
      worst_returned = tf.math.top_k(ended, k=self.options.n_best).values[:, -1]
    return tf.reduce_all(beam.ended, axis=1) | (worst_returned > threat)

  def _extend(
    self,
    decoder: Decoder,
    encoded: Any,
    beam: _Beam,
    preferred: tf.Tensor,
    is_source: tf.Tensor,
    limits: tf.Tensor,
  ) -> _Beam:
    """Extends every hypothesis by one token, and keeps the best ones."""
    width = self.options.beam_width
    logits, attention, state = decoder.step(encoded, beam.state, beam.tokens[:, -1], beam.ancestry)
    origins = tf.argmax(attention + preferred[:, tf.newaxis], axis=2, output_type=tf.int64)
    gains, choices = self._likeliest(logits)
    each = choices.shape[2]
    # An ended hypothesis has one continuation, itself.
    first_only = tf.constant([0.0] + [_NEVER] * (each - 1))
    was_ended = beam.ended[:, :, tf.newaxis]
    gains = tf.where(was_ended, first_only, gains)
    choices = tf.where(was_ended, tf.constant(self.padding_id, tf.int64), choices)
    lengths = beam.lengths + tf.cast(~beam.ended, tf.int64)
    ended = (
      was_ended | (choices == self.end_id) | (lengths >= limits[:, tf.newaxis])[:, :, tf.newaxis]
    )
    likelihood = beam.likelihood[:, :, tf.newaxis] + gains
    scores = self._normalized(likelihood, lengths[:, :, tf.newaxis])
    covered = beam.covered
    if self.options.coverage_penalty:
      covered += tf.where(was_ended, 0.0, attention)
      # What goes on may still attend to the rest.
      penalty = self._uncovered(covered, is_source)[:, :, tf.newaxis]
      scores += tf.where(ended, penalty, 0.0)
    scores, kept = tf.math.top_k(tf.reshape(scores, [-1, width * each]), k=width)
    parents = kept // each

    def of_parents(values: tf.Tensor) -> tf.Tensor:
      return tf.gather(values, parents, batch_dims=1)

    def of_kept(values: tf.Tensor) -> tf.Tensor:
      return tf.gather(tf.reshape(values, [-1, width * each]), kept, batch_dims=1)

    rows = tf.tile(tf.range(width)[tf.newaxis, :, tf.newaxis], [tf.shape(kept)[0], 1, 1])
    return _Beam(
      tokens=tf.concat([beam.tokens, of_kept(choices)[:, tf.newaxis]], axis=1),
      origins=tf.concat([beam.origins, origins[:, tf.newaxis]], axis=1),
      ancestry=tf.concat([of_parents(beam.ancestry), rows], axis=2),
      likelihood=of_kept(likelihood),
      covered=of_parents(covered),
      scores=scores,
      lengths=of_parents(lengths),
      ended=of_kept(ended),
      state=State(tuple(of_parents(each) for each in state.moving), state.written),
      attention=tuple(tf.concat([each, attention[:, tf.newaxis]], 1) for each in beam.attention),
    )

  def _likeliest(self, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns log-probabilities and ids of the likeliest tokens, `[batch, beam, beam]` each.

    Padding and a second start are never generated; their share is not given to the others.
    """
    size, banned = logits.shape[-1], [self.padding_id, self.start_id]
    never = np.zeros(size, np.float32)
    never[banned] = _NEVER
    gains, choices = tf.math.top_k(logits + never, k=min(self.options.beam_width, size))
    # The largest logit is known already: one pass over all tokens less.
    shown = tf.concat([gains[:, :, :1], tf.gather(logits, banned, axis=2)], axis=2)
    largest = tf.reduce_max(shown, axis=2, keepdims=True)
    total = tf.reduce_sum(tf.exp(logits - largest), axis=2, keepdims=True)
    return gains - largest - tf.math.log(total), tf.cast(choices, tf.int64)

  def _normalized(self, likelihood: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Divides log-probabilities by the length penalty."""
    return likelihood / tf.pow((5 + tf.cast(lengths, tf.float32)) / 6, self.options.length_penalty)

  def _uncovered(self, covered: tf.Tensor, is_source: tf.Tensor) -> tf.Tensor:
    """Returns the coverage penalty, `[batch, beam]`, at most 0."""
    logarithm = tf.math.log(tf.clip_by_value(covered, _LEAST_COVERAGE, 1.0))
    known = tf.where(is_source[:, tf.newaxis], logarithm, 0.0)
    return self.options.coverage_penalty * tf.reduce_sum(known, axis=2)


def _shapes(beam: _Beam, width: int) -> _Beam:
  """Returns the shape invariants of the loop: steps grow, batches vary."""
  fixed = tf.TensorShape([None, width])
  return _Beam(
    tokens=tf.TensorShape([None, None, width]),
    origins=tf.TensorShape([None, None, width]),
    ancestry=tf.TensorShape([None, width, None]),
    likelihood=fixed,
    covered=tf.TensorShape([None, width, None]),
    scores=fixed,
    lengths=fixed,
    ended=fixed,
    state=State(
      moving=tuple(tf.TensorShape([None, width, *each.shape[2:]]) for each in beam.state.moving),
      written=tuple(tf.TensorShape([None] * each.shape.rank) for each in beam.state.written),
    ),
    attention=(tf.TensorShape([None, None, width, None]),) * len(beam.attention),
  )
