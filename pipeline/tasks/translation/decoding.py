"""Decodes translations by beam search, in graph.

Unknown pieces are replaced by the source word that they attend to.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import tensorflow as tf

from pipeline.text import beam_search
from pipeline.text.subwords import END, PADDING, START, UNKNOWN, join_pieces

if TYPE_CHECKING:
  from pipeline.tasks.translation.model import Translator
  from pipeline.tasks.translation.params import TranslationParams

# A translation has at most this many pieces per source piece, plus this constant.
_LONGER, _LONGER_BY = 2, 10
# Added to attention weights, which are at most 1, so that an unknown source word ranks first.
_PREFERENCE = 2.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(beam_search.Options):
  """The settings of the decoding.

  Attributes:
    max_pieces: largest number of pieces of a translation.
  """

  max_pieces: int

  @classmethod
  def of(cls, params: TranslationParams) -> Options:
    """Returns those among the task's settings."""
    return cls(**{field.name: getattr(params, field.name) for field in dataclasses.fields(cls)})


def translate(
  model: Translator, source: tf.Tensor, spellings: tf.Tensor, options: Options
) -> dict[str, tf.Tensor]:
  """Translates a batch.

  Args:
    model: the trained model.
    source: `[batch, time]` int64, 0 after the end.
    spellings: `[batch, time]` string, the words whose pieces are UNKNOWN.
    options: of the search.

  Returns:
    `translation` `[batch]` string and `score` `[batch]` float32, the log-probability divided by the
    length penalty, plus the coverage penalty. If `options.n_best` is above 1, also `translations`
    `[batch, n_best]` string, the best first, and `scores` `[batch, n_best]` float32. An empty
    source gives empty translations and the scores 0.
  """
  source, spellings, sizes = cut(source, spellings)
  found = search(model, source, sizes, options)
  count, steps = options.n_best, tf.shape(found.tokens)[2]
  pieces = tf.reshape(spell(model, found, source, spellings), [-1, steps])
  texts = tf.reshape(join_pieces(pieces), [-1, count])
  is_empty = (sizes == 0)[:, tf.newaxis]
  texts, scores = tf.where(is_empty, "", texts), tf.where(is_empty, 0.0, found.scores)
  best = {"translation": texts[:, 0], "score": scores[:, 0]}
  return best if count == 1 else {**best, "translations": texts, "scores": scores}


def cut(source: tf.Tensor, spellings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Cuts both to the longest source, at least 1 long; returns `[batch]` sizes, int64, too."""
  sizes = tf.reduce_sum(tf.cast(source != PADDING, tf.int64), axis=1)
  longest = tf.maximum(tf.reduce_max(tf.concat([sizes, [1]], axis=0)), 1)
  return source[:, :longest], spellings[:, :longest], sizes


def search(
  model: Translator,
  source: tf.Tensor,
  sizes: tf.Tensor,
  options: Options,
  *,
  keeps_attention: bool = False,
) -> beam_search.Found:
  """Searches the best hypotheses for `[batch, time]` sources of `[batch]` sizes."""
  searching = beam_search.Search(
    options=options,
    start_id=START,
    end_id=END,
    padding_id=PADDING,
    keeps_attention=keeps_attention,
  )
  return searching.run(
    model,
    model.encode(source),
    is_source=source != PADDING,
    preferred=tf.where(source == UNKNOWN, _PREFERENCE, 0.0),
    limits=tf.minimum(_LONGER * sizes + _LONGER_BY, options.max_pieces),
  )


def written(model: Translator, source: tf.Tensor, spellings: tf.Tensor) -> tf.Tensor:
  """Returns `[batch, time]` string: each piece of the source, or the word if it is UNKNOWN."""
  return tf.where(source == UNKNOWN, spellings, tf.gather(tf.constant(model.source_pieces), source))


def spell(
  model: Translator, found: beam_search.Found, source: tf.Tensor, spellings: tf.Tensor
) -> tf.Tensor:
  """Returns `[batch, n, steps]` string: each piece, or the source word if it is UNKNOWN."""
  copied = tf.gather(written(model, source, spellings), found.origins, batch_dims=1)
  said = tf.gather(tf.constant(model.target_pieces), found.tokens)
  return tf.where(found.tokens == UNKNOWN, copied, said)
