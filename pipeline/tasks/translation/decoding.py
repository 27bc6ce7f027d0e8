"""Decodes translations by beam search, in graph. A beam of one is greedy decoding.

Every hypothesis ends at END, or at a limit that depends only on its source, not on the batch.
Unknown pieces are replaced by the source word that they attend to.

Source: Wu et al. 2016, "Google's Neural Machine Translation System", section 7 (length penalty),
https://arxiv.org/abs/1609.08144
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from pipeline.text.subwords import END, PADDING, START, UNKNOWN, join_pieces

if TYPE_CHECKING:
  from pipeline.tasks.translation.model import Memory, Translator

_NEVER = -1e9
# A translation has at most this many pieces per source piece, plus this constant.
_LONGER, _LONGER_BY = 2, 10
# Added to attention weights, which are at most 1, so that an unknown source word ranks first.
_PREFERENCE = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """The settings of the decoding.

  Attributes:
    beam_width: hypotheses kept for each sentence; 1 is greedy.
    length_penalty: 0 compares sums of log-probabilities, which favours short sentences; 1 compares
      nearly their means.
    max_pieces: largest number of pieces of a translation.
  """

  beam_width: int
  length_penalty: float
  max_pieces: int


class _Beam(NamedTuple):
  """The hypotheses, `[batch, beam, ...]`; `states` are `[batch * beam, units]`."""

  pieces: tf.Tensor  # [batch, beam, steps] int64
  origins: tf.Tensor  # [batch, beam, steps] int64, the source position that each piece attends to
  likelihood: tf.Tensor  # [batch, beam] float32, the sum of log-probabilities
  lengths: tf.Tensor  # [batch, beam] int64, number of pieces with END
  ended: tf.Tensor  # [batch, beam] bool
  states: tuple[tf.Tensor, ...]


def translate(
  model: Translator, source: tf.Tensor, spellings: tf.Tensor, options: Options
) -> dict[str, tf.Tensor]:
  """Translates a batch.

  Args:
    model: the trained model.
    source: `[batch, time]` int64, 0 after the end.
    spellings: `[batch, time]` string, the words whose pieces are UNKNOWN.
    options: beam width, length penalty and limit.

  Returns:
    `translation` `[batch]` string and `score` `[batch]` float32, the log-probability divided by the
    length penalty. An empty source gives an empty translation and the score 0.
  """
  sizes = tf.reduce_sum(tf.cast(source != PADDING, tf.int64), axis=1)
  longest = tf.maximum(tf.reduce_max(tf.concat([sizes, [1]], axis=0)), 1)
  source, spellings = source[:, :longest], spellings[:, :longest]
  pieces, origins, score = search(model, source, sizes, options)
  texts = join_pieces(_spell(model, pieces, origins, source, spellings))
  is_empty = sizes == 0
  return {"translation": tf.where(is_empty, "", texts), "score": tf.where(is_empty, 0.0, score)}


def search(
  model: Translator, source: tf.Tensor, sizes: tf.Tensor, options: Options
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Searches the best hypothesis for each source.

  Returns:
    `[batch, steps]` int64 pieces, 0 after END; `[batch, steps]` int64 source positions; `[batch]`
    float32 scores.
  """
  width = options.beam_width
  limits = tf.minimum(_LONGER * sizes + _LONGER_BY, options.max_pieces)
  memory, states = model.encode(source)
  memory = type(memory)(
    keys=tf.repeat(memory.keys, width, axis=0),
    values=tf.repeat(memory.values, width, axis=0),
    bias=tf.repeat(memory.bias, width, axis=0),
  )
  is_unknown = tf.repeat(source == UNKNOWN, width, axis=0)
  begin = _begin(tf.shape(source)[0], [tf.repeat(state, width, axis=0) for state in states], width)

  def step(beam: _Beam) -> tuple[_Beam]:
    return (_extend(model, beam, memory, is_unknown, limits, options),)

  growing, fixed = tf.TensorShape([None, width, None]), tf.TensorShape([None, width])
  shapes = _Beam(
    pieces=growing,
    origins=growing,
    likelihood=fixed,
    lengths=fixed,
    ended=fixed,
    states=tuple(tf.TensorShape([None, state.shape[-1]]) for state in states),
  )
  [beam] = tf.while_loop(
    lambda beam: ~tf.reduce_all(beam.ended), step, (begin,), shape_invariants=(shapes,)
  )
  scores = _normalized(beam.likelihood, beam.lengths, options)
  best = tf.argmax(scores, axis=1)
  return (
    tf.gather(beam.pieces, best, batch_dims=1)[:, 1:],
    tf.gather(beam.origins, best, batch_dims=1)[:, 1:],
    tf.gather(scores, best, batch_dims=1),
  )


def _begin(batch: tf.Tensor, states: list[tf.Tensor], width: int) -> _Beam:
  """Creates the first beam: one hypothesis for each source; equal copies have no likelihood."""
  likelihood = tf.tile(tf.constant([[0.0] + [_NEVER] * (width - 1)]), [batch, 1])
  return _Beam(
    pieces=tf.fill([batch, width, 1], tf.constant(START, tf.int64)),
    origins=tf.zeros([batch, width, 1], tf.int64),
    likelihood=likelihood,
    lengths=tf.zeros([batch, width], tf.int64),
    ended=tf.zeros([batch, width], tf.bool),
    states=tuple(states),
  )


def _extend(
  model: Translator,
  beam: _Beam,
  memory: Memory,
  is_unknown: tf.Tensor,
  limits: tf.Tensor,
  options: Options,
) -> _Beam:
  """Extends every hypothesis by one piece, and keeps the best ones."""
  width = options.beam_width
  last = tf.reshape(beam.pieces[:, :, -1], [-1, 1])
  output, states, attention = model.decode(last, memory, list(beam.states))
  origins = tf.argmax(
    attention[:, 0] + tf.where(is_unknown, _PREFERENCE, 0.0), axis=1, output_type=tf.int64
  )
  likely = tf.nn.log_softmax(model.logits(output[:, 0]))
  # Padding and a second start are never generated.
  likely += tf.reduce_sum(tf.one_hot([PADDING, START], likely.shape[-1], on_value=_NEVER), axis=0)
  gains, choices = tf.math.top_k(likely, k=width)
  gains = tf.reshape(gains, [-1, width, width])
  choices = tf.cast(tf.reshape(choices, [-1, width, width]), tf.int64)
  # An ended hypothesis has one continuation, itself.
  first_only = tf.constant([0.0] + [_NEVER] * (width - 1))
  ended = beam.ended[:, :, tf.newaxis]
  gains = tf.where(ended, first_only, gains)
  choices = tf.where(ended, tf.constant(PADDING, tf.int64), choices)
  lengths = beam.lengths + tf.cast(~beam.ended, tf.int64)
  likelihood = beam.likelihood[:, :, tf.newaxis] + gains
  scores = _normalized(likelihood, lengths[:, :, tf.newaxis], options)
  _, kept = tf.math.top_k(tf.reshape(scores, [-1, width * width]), k=width)
  parents = kept // width

  def of_parents(values: tf.Tensor) -> tf.Tensor:
    return tf.gather(values, parents, batch_dims=1)

  def of_kept(values: tf.Tensor) -> tf.Tensor:
    return tf.gather(tf.reshape(values, [-1, width * width]), kept, batch_dims=1)

  pieces, lengths = of_kept(choices), of_parents(lengths)
  rows = tf.reshape(tf.range(tf.shape(parents)[0])[:, tf.newaxis] * width + parents, [-1])
  return _Beam(
    pieces=tf.concat([of_parents(beam.pieces), pieces[:, :, tf.newaxis]], axis=2),
    origins=tf.concat(
      [of_parents(beam.origins), of_parents(tf.reshape(origins, [-1, width]))[:, :, tf.newaxis]],
      axis=2,
    ),
    likelihood=of_kept(likelihood),
    lengths=lengths,
    ended=of_parents(beam.ended) | (pieces == END) | (lengths >= limits[:, tf.newaxis]),
    states=tuple(tf.gather(state, rows) for state in states),
  )


def _normalized(likelihood: tf.Tensor, lengths: tf.Tensor, options: Options) -> tf.Tensor:
  """Divides log-probabilities by the length penalty."""
  return likelihood / tf.pow((5 + tf.cast(lengths, tf.float32)) / 6, options.length_penalty)


def _spell(
  model: Translator,
  pieces: tf.Tensor,
  origins: tf.Tensor,
  source: tf.Tensor,
  spellings: tf.Tensor,
) -> tf.Tensor:
  """Returns `[batch, steps]` string: each piece, or the source word if the piece is UNKNOWN."""
  read = tf.where(source == UNKNOWN, spellings, tf.gather(tf.constant(model.source_pieces), source))
  copied = tf.gather(read, origins, batch_dims=1)
  said = tf.gather(tf.constant(model.target_pieces), pieces)
  return tf.where(pieces == UNKNOWN, copied, said)
