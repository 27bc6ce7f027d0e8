"""The Transformer network: attention instead of recurrence, and a cache of keys in decoding."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import tensorflow as tf
from keras import layers

from pipeline.tasks.translation.blocks import Block, normalization, positions
from pipeline.text.beam_search import State

if TYPE_CHECKING:
  from pipeline.tasks.translation.params import TranslationParams


@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoded:
  """Encoded sources.

  Attributes:
    pairs: keys and values that each decoder block attends to, `[2, batch, heads, source time,
      size]` each.
    visible: `[batch, 1, 1, source time]` bool, whether a piece is there.
  """

  pairs: list[tf.Tensor]
  visible: tf.Tensor


_LAYERS = 3  # of the encoder and of the decoder, by default


class TransformerNetwork(layers.Layer):
  """Encodes sources, and maps target pieces to the states of the output layer."""

  def __init__(
    self, params: TranslationParams, embed_source: layers.Layer, embed_target: layers.Layer
  ):
    """Takes `embed_source` and `embed_target`: `[...]` ids to `[..., embedding]`."""
    super().__init__(name="transformer")
    self._units, self._heads = params.embedding, params.heads
    self._embed_source, self._embed_target = embed_source, embed_target

    def blocks(reads_source: bool) -> list[Block]:
      return [
        Block(
          self._units,
          heads=params.heads,
          inner=params.inner_units,
          dropout=params.dropout,
          reads_source=reads_source,
        )
        for _ in range(params.layers or _LAYERS)
      ]

    self._encoders, self._decoders = blocks(False), blocks(True)
    self._encoder_norm, self._decoder_norm = normalization(), normalization()
    self._dropout = layers.Dropout(params.dropout, noise_shape=(None, 1, None))
    self.built = True  # it has no weights of its own, and is never called itself

  def encode(self, source: tf.Tensor, *, training: bool = False) -> Encoded:
    """Encodes `[batch, source time]` int64."""
    batch, count = tf.shape(source)[0], tf.shape(source)[1]
    visible = (source != 0)[:, tf.newaxis, tf.newaxis]
    rows = self._rows(self._embed_source(source), (0, count), training)
    for block in self._encoders:
      rows, _, _ = block(rows, batch, visible, training=training)
    rows = self._encoder_norm(rows)
    pairs = [
      block.source_attention.pairs(rows, batch)
      for block in self._decoders
      if block.source_attention is not None
    ]
    return Encoded(pairs=pairs, visible=visible)

  def target_states(self, encoded: Encoded, shifted: tf.Tensor, *, training: bool) -> tf.Tensor:
    """Maps `[batch, target time]` to `[batch, target time, embedding]`, all steps at once."""
    batch, count = tf.shape(shifted)[0], tf.shape(shifted)[1]
    steps = tf.range(count)
    visible = (steps[tf.newaxis] <= steps[:, tf.newaxis])[tf.newaxis, tf.newaxis]
    rows = self._rows(self._embed_target(shifted), (0, count), training)
    for block, source in zip(self._decoders, encoded.pairs, strict=True):
      rows, _, _ = block(
        rows, batch, visible, source=source, source_visible=encoded.visible, training=training
      )
    return tf.reshape(self._decoder_norm(rows), [batch, -1, self._units])

  def start(self, encoded: Encoded, width: int) -> State:
    """Returns empty caches."""
    del width
    return State(written=tuple(each[:, :, :, :0] for each in encoded.pairs))

  def step(
    self, encoded: Encoded, state: State, last: tf.Tensor, ancestry: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Decodes one piece of each hypothesis, as `Decoder.step`; returns states of the output."""
    batch, width, steps = tf.shape(last)[0], last.shape[1], tf.shape(ancestry)[2]
    is_own = ancestry[..., tf.newaxis] == tf.range(width)
    visible = tf.reshape(is_own, [batch, 1, width, steps * width])
    rows = self._rows(self._embed_target(last), (steps - 1, 1), training=False)
    written = []
    for block, source, past in zip(self._decoders, encoded.pairs, state.written, strict=True):
      rows, pairs, weights = block(
        rows, batch, visible, past=past, source=source, source_visible=encoded.visible
      )
      written.append(pairs)
    output = tf.reshape(self._decoder_norm(rows), [-1, width, self._units])
    return output, tf.reduce_mean(weights, axis=1), State(written=tuple(written))

  def _rows(
    self, embedded: tf.Tensor, place: tuple[tf.Tensor | int, tf.Tensor | int], training: bool
  ) -> tf.Tensor:
    """Adds the positions, which begin at `place[0]`, to `[batch, time, units]`; returns rows."""
    waves = tf.cast(positions(*place, self._units), embedded.dtype)
    # Embeddings have the scale of the output layer's weights.
    hidden = embedded * self._units**0.5 + waves
    return tf.reshape(self._dropout(hidden, training=training), [-1, self._units])
