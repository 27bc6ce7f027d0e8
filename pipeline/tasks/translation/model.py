"""The translation task's model: a network between two vocabularies of subword pieces.

`model.architecture` chooses the network: `recurrent` or `transformer`. The output layer shares the
target's embedding as in Press, Wolf 2017, "Using the Output Embedding to Improve Language Models",
https://arxiv.org/abs/1608.05859
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras import layers

from pipeline import carried_rows
from pipeline.task import Phase
from pipeline.tasks.translation import decoding
from pipeline.tasks.translation.features import (
  SOURCE_IDS,
  SOURCE_VOCABULARY,
  SPELLINGS,
  TARGET_VOCABULARY,
)
from pipeline.tasks.translation.recurrent import RecurrentNetwork
from pipeline.tasks.translation.transformer import TransformerNetwork
from pipeline.text.beam_search import State
from pipeline.text.subword_learning import read_pieces
from pipeline.text.subword_regularization import Cutter
from pipeline.text.subwords import BLANK, SPECIALS, START, UNKNOWN
from pipeline.text.teacher_forcing import TeacherForcedModel

if TYPE_CHECKING:
  from pipeline.tasks.translation.params import TranslationParams

# Of Vaswani et al.: the squares of gradients count for 50 steps, not 1,000.
_BETA_2 = 0.98
# Any: each network reads the encoding that it made, and no other.
_NETWORKS: Mapping[str, Any] = {"recurrent": RecurrentNetwork, "transformer": TransformerNetwork}


class Translator(TeacherForcedModel):
  """Translates source pieces to target pieces."""

  def __init__(
    self,
    params: TranslationParams,
    source_pieces: list[str],
    target_pieces: list[str],
  ):
    """Takes pieces that begin with an empty string for each special piece.

    If they are the same list, both sides share one embedding.
    """
    super().__init__(
      start_id=START,
      label_smoothing=params.label_smoothing,
      clip_norm=params.clip_norm,
      name="translator",
    )
    self.source_pieces, self.target_pieces = source_pieces, target_pieces
    self.decoding = decoding.Options.of(params)
    self._unknown_rate = params.unknown_rate
    self._cutters = [Cutter(each, params.cut_rate) for each in (source_pieces, target_pieces)]
    self._same_piece = _same_pieces(source_pieces, target_pieces)
    # The target's embedding is also the output layer, so it has the scale of a layer's weights.
    scale = keras.initializers.RandomNormal(stddev=params.embedding**-0.5)

    def embedding(pieces: carried_rows.Rows) -> layers.Layer:
      layer = layers.Embedding(pieces.size, params.embedding, embeddings_initializer=scale)
      return carried_rows.name_rows(layer, "embeddings", 0, [pieces])

    of_target = _rows("target pieces", target_pieces)
    self._embed_target = embedding(of_target)
    self._embed_source = (
      self._embed_target
      if source_pieces is target_pieces
      else embedding(_rows("source pieces", source_pieces))
    )
    carried_rows.name_rows(self, "output_bias", 0, [of_target])
    self._bias = self.add_weight(
      shape=(len(target_pieces),), initializer="zeros", name="output_bias"
    )
    self.network = _NETWORKS[params.architecture](params, self._embed_source, self._embed_target)
    self(tf.ones([1, 1], tf.int64))

  def call(self, source: tf.Tensor, training: bool = False) -> tf.Tensor:
    """Maps `[batch, time]` source to the logits of the first target piece, `[batch, pieces]`."""
    first = tf.fill([tf.shape(source)[0], 1], tf.constant(START, source.dtype))
    return self.logits(self.target_states(source, first, training=training)[:, 0])

  def target_states(self, source: tf.Tensor, shifted: tf.Tensor, *, training: bool) -> tf.Tensor:
    """Returns the decoder's outputs, `[batch, target time, embedding]`."""
    encoded = self.network.encode(source, training=training)
    return self.network.target_states(encoded, shifted, training=training)

  def logits(self, states: tf.Tensor) -> tf.Tensor:
    """Maps `[n, embedding]` to `[n, pieces]` float32."""
    # Outside of its layer, Keras does not cast a weight to the compute type.
    pieces = tf.cast(self._embed_target.embeddings, states.dtype)
    output = tf.matmul(states, pieces, transpose_b=True)
    return tf.cast(output, tf.float32) + tf.cast(self._bias, tf.float32)

  def encode(self, source: tf.Tensor) -> Any:
    """Encodes `[batch, source time]` for `start` and `step`."""
    return self.network.encode(source)

  def start(self, encoded: Any, width: int) -> State:
    """Returns the decoder's state before the first piece, as `beam_search.Decoder`."""
    return self.network.start(encoded, width)

  def step(
    self, encoded: Any, state: State, last: tf.Tensor, ancestry: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Decodes one piece of each hypothesis, as `beam_search.Decoder`."""
    output, attention, state = self.network.step(encoded, state, last, ancestry)
    logits = self.logits(tf.reshape(output, [-1, output.shape[2]]))
    return tf.reshape(logits, [-1, last.shape[1], logits.shape[1]]), attention, state

  def prepare(self, source: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Hides some names and digits on both sides as UNKNOWN, and cuts some pieces into smaller ones.

    The decoder learns to generate UNKNOWN at the place of an unknown word, and to attend to it.
    """
    counterpart = tf.gather(tf.constant(self._same_piece, target.dtype), source)
    pairs = target[:, :, tf.newaxis] == counterpart[:, tf.newaxis]
    chosen = tf.random.uniform(tf.shape(target)) < self._unknown_rate
    hidden = pairs & chosen[:, :, tf.newaxis]
    read, written = self._cutters
    return (
      read(tf.where(tf.reduce_any(hidden, axis=1), tf.constant(UNKNOWN, source.dtype), source)),
      written(tf.where(tf.reduce_any(hidden, axis=2), tf.constant(UNKNOWN, target.dtype), target)),
    )


def _rows(kind: str, pieces: list[str]) -> carried_rows.Rows:
  """Names the pieces, the special ones by their number."""
  return carried_rows.named(kind, [piece or f"<{at}>" for at, piece in enumerate(pieces)])


def _same_pieces(source: list[str], target: list[str]) -> np.ndarray:
  """Returns the target's id of the same name or digit, or -1: `[source pieces]` int64."""
  ids = {piece: number for number, piece in enumerate(target) if number >= SPECIALS}
  return np.array([ids.get(piece, -1) if _is_copied(piece) else -1 for piece in source], np.int64)


def _is_copied(piece: str) -> bool:
  """Returns whether a piece begins a word that translation copies: a name or a digit."""
  return piece.startswith(BLANK) and (piece[1:2].isupper() or piece[1:2].isdigit())


def vocabularies(
  params: TranslationParams, tft_output: tft.TFTransformOutput
) -> tuple[list[str], list[str]]:
  """Returns the pieces of the source and of the target; the same list if they share them."""
  source = [""] * SPECIALS + read_pieces(tft_output, SOURCE_VOCABULARY)
  if params.shared_pieces:
    return source, source
  return source, [""] * SPECIALS + read_pieces(tft_output, TARGET_VOCABULARY)


def build_model(params: TranslationParams, tft_output: tft.TFTransformOutput) -> keras.Model:
  """Builds the `Translator` over the vocabularies of the transform graph."""
  return Translator(params, *vocabularies(params, tft_output))


def compile_args(params: TranslationParams) -> dict[str, Any]:
  """Returns the optimizer, which is called with the phase's schedule."""
  return {"optimizer": functools.partial(keras.optimizers.Adam, beta_2=_BETA_2)}


def training_plan(params: TranslationParams) -> tuple[Phase, ...]:
  """Returns one phase for the whole training."""
  return (
    Phase(
      name="train",
      epochs=params.epochs,
      learning_rate=params.learning_rate,
      min_steps=params.min_steps,
      warmup=params.warmup,
    ),
  )


def search_space(hp: keras_tuner.HyperParameters, params: TranslationParams) -> None:
  """Declares the settings that the Tuner varies, around the values of this run."""
  rate = params.learning_rate
  hp.Float("learning_rate", min_value=rate / 5, max_value=rate * 5, sampling="log", default=rate)
  hp.Float("dropout", min_value=0.0, max_value=0.5, step=0.1, default=round(params.dropout, 1))


def serving_outputs(
  model: Translator, tft_output: tft.TFTransformOutput
) -> Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]:
  """Returns the in-graph function from transformed features to what `decoding.translate` returns.

  `translation` is `[batch]` string; `score` `[batch]` float32, the length-normalised
  log-probability, at most 0.
  """

  def outputs(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return decoding.translate(model, features[SOURCE_IDS], features[SPELLINGS], model.decoding)

  return outputs
