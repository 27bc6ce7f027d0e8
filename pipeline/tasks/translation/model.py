"""The translation task's model: a recurrent encoder and decoder with attention between them.

Source: Luong, Pham, Manning 2015, "Effective Approaches to Attention-based Neural Machine
Translation", https://arxiv.org/abs/1508.04025; the output layer shares the target's embedding as in
Press, Wolf 2017, "Using the Output Embedding to Improve Language Models",
https://arxiv.org/abs/1608.05859
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras import layers

from pipeline.task import Phase
from pipeline.tasks.translation import decoding
from pipeline.tasks.translation.features import (
  SOURCE_IDS,
  SOURCE_VOCABULARY,
  SPELLINGS,
  TARGET_VOCABULARY,
)
from pipeline.text.recurrent import GRU, Bidirectional, ends
from pipeline.text.subword_learning import read_pieces
from pipeline.text.subwords import BLANK, SPECIALS, START, UNKNOWN
from pipeline.text.teacher_forcing import TeacherForcedModel

if TYPE_CHECKING:
  from pipeline.tasks.translation.params import TranslationParams

_NEVER = -1e9  # a logit that softmax makes 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
  """The encoded sources that the decoder attends to.

  Attributes:
    keys: `[batch, source time, units]`, compared with the queries.
    values: `[batch, source time, units]`, averaged by attention.
    bias: `[batch, 1, source time]` float32, 0 at a piece and very negative after the end.
  """

  keys: tf.Tensor
  values: tf.Tensor
  bias: tf.Tensor


class Translator(TeacherForcedModel):
  """Translates source pieces to target pieces."""

  def __init__(
    self,
    params: TranslationParams,
    source_pieces: list[str],
    target_pieces: list[str],
  ):
    """Args: source_pieces, target_pieces: begin with an empty string for each special piece."""
    super().__init__(
      start_id=START,
      label_smoothing=params.label_smoothing,
      clip_norm=params.clip_norm,
      name="translator",
    )
    self.source_pieces, self.target_pieces = source_pieces, target_pieces
    self._unknown_rate = params.unknown_rate
    self._same_piece = _same_pieces(source_pieces, target_pieces)
    # The target's embedding is also the output layer, so it has the scale of a layer's weights.
    scale = keras.initializers.RandomNormal(stddev=params.embedding**-0.5)
    self._embed_source = layers.Embedding(len(source_pieces), params.embedding)
    self._embed_target = layers.Embedding(
      len(target_pieces), params.embedding, embeddings_initializer=scale
    )
    self._encoders = [Bidirectional(GRU, params.encoder_units) for _ in range(params.layers)]
    self._bridges = [
      layers.Dense(params.decoder_units, activation="tanh") for _ in range(params.layers)
    ]
    self._decoders = [
      GRU(params.decoder_units, return_sequences=True, return_state=True)
      for _ in range(params.layers)
    ]
    self._key = layers.Dense(params.decoder_units, use_bias=False)
    self._combine = layers.Dense(params.embedding, activation="tanh")
    self._dropout = layers.Dropout(params.dropout)
    self._bias = self.add_weight(
      shape=(len(target_pieces),), initializer="zeros", name="output_bias"
    )
    self(tf.ones([1, 1], tf.int64))

  def call(self, source: tf.Tensor, training: bool = False) -> tf.Tensor:
    """Maps `[batch, time]` source to the logits of the first target piece, `[batch, pieces]`."""
    first = tf.fill([tf.shape(source)[0], 1], tf.constant(START, source.dtype))
    return self.logits(self.target_states(source, first, training=training)[:, 0])

  def target_states(self, source: tf.Tensor, shifted: tf.Tensor, *, training: bool) -> tf.Tensor:
    """Returns the decoder's outputs, `[batch, target time, embedding]`."""
    memory, states = self.encode(source, training=training)
    return self.decode(shifted, memory, states, training=training)[0]

  def logits(self, states: tf.Tensor) -> tf.Tensor:
    """Maps `[n, embedding]` to `[n, pieces]` float32."""
    # Outside of its layer, Keras does not cast a weight to the compute type.
    pieces = tf.cast(self._embed_target.embeddings, states.dtype)
    output = tf.matmul(states, pieces, transpose_b=True)
    return tf.cast(output, tf.float32) + tf.cast(self._bias, tf.float32)

  def encode(self, source: tf.Tensor, *, training: bool = False) -> tuple[Memory, list[tf.Tensor]]:
    """Encodes `[batch, source time]`; returns the memory and the decoder's initial states."""
    mask = source != 0
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    hidden = self._dropout(self._embed_source(source), training=training)
    states = []
    for encoder, bridge in zip(self._encoders, self._bridges, strict=True):
      hidden = encoder(hidden, lengths)
      states.append(bridge(ends(hidden, lengths)))
      hidden = self._dropout(hidden, training=training)
    bias = tf.where(mask, 0.0, _NEVER)
    return Memory(keys=self._key(hidden), values=hidden, bias=bias[:, tf.newaxis]), states

  def decode(
    self,
    target: tf.Tensor,
    memory: Memory,
    states: list[tf.Tensor],
    *,
    training: bool = False,
  ) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
    """Decodes `[batch, target time]`, starting from the states.

    The recurrence does not get the attended values, so attention runs for all steps at once.

    Returns:
      `[batch, target time, embedding]`; the states after the last step; the attention,
      `[batch, target time, source time]` float32.
    """
    hidden = self._dropout(self._embed_target(target), training=training)
    after = []
    for decoder, state in zip(self._decoders, states, strict=True):
      hidden, last = decoder(hidden, initial_state=state, training=training)
      after.append(last)
      hidden = self._dropout(hidden, training=training)
    scores = tf.matmul(hidden, memory.keys, transpose_b=True) * memory.keys.shape[-1] ** -0.5
    # In float16 the bias would become minus infinity, and an empty source nan.
    attention = tf.nn.softmax(tf.cast(scores, tf.float32) + memory.bias)
    context = tf.matmul(tf.cast(attention, memory.values.dtype), memory.values)
    combined = self._combine(tf.concat([hidden, context], axis=2))
    return self._dropout(combined, training=training), after, attention

  def prepare(self, source: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Replaces some names and digits on both sides by UNKNOWN, to train for unknown words.

    The decoder learns to generate UNKNOWN at the place of an unknown word, and to attend to it.
    """
    counterpart = tf.gather(tf.constant(self._same_piece, target.dtype), source)
    pairs = target[:, :, tf.newaxis] == counterpart[:, tf.newaxis]
    chosen = tf.random.uniform(tf.shape(target)) < self._unknown_rate
    hidden = pairs & chosen[:, :, tf.newaxis]
    return (
      tf.where(tf.reduce_any(hidden, axis=1), tf.constant(UNKNOWN, source.dtype), source),
      tf.where(tf.reduce_any(hidden, axis=2), tf.constant(UNKNOWN, target.dtype), target),
    )


def _same_pieces(source: list[str], target: list[str]) -> np.ndarray:
  """Returns the target's id of the same name or digit, or -1: `[source pieces]` int64."""
  ids = {piece: number for number, piece in enumerate(target) if number >= SPECIALS}
  return np.array([ids.get(piece, -1) if _is_copied(piece) else -1 for piece in source], np.int64)


def _is_copied(piece: str) -> bool:
  """Returns whether a piece begins a word that translation copies: a name or a digit."""
  return piece.startswith(BLANK) and (piece[1:2].isupper() or piece[1:2].isdigit())


def build_model(params: TranslationParams, tft_output: tft.TFTransformOutput) -> keras.Model:
  """Builds the `Translator` over the vocabularies of the transform graph."""
  specials = [""] * SPECIALS
  model = Translator(
    params,
    specials + read_pieces(tft_output, SOURCE_VOCABULARY),
    specials + read_pieces(tft_output, TARGET_VOCABULARY),
  )
  model.decoding = decoding.Options(
    beam_width=params.beam_width,
    length_penalty=params.length_penalty,
    max_pieces=params.max_pieces,
  )
  return model


def training_plan(params: TranslationParams) -> tuple[Phase, ...]:
  """Returns one phase for the whole training."""
  return (
    Phase(
      name="train",
      epochs=params.epochs,
      learning_rate=params.learning_rate,
      min_steps=params.min_steps,
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
  """Returns the in-graph function from transformed features to `translation` and `score`.

  `translation` is `[batch]` string; `score` `[batch]` float32, the length-normalised
  log-probability, at most 0.
  """

  def outputs(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return decoding.translate(model, features[SOURCE_IDS], features[SPELLINGS], model.decoding)

  return outputs
