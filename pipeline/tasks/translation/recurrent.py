"""The recurrent network: a bidirectional encoder, and a decoder that reads what it attends to.

Source: Luong, Pham, Manning 2015, "Effective Approaches to Attention-based Neural Machine
Translation", https://arxiv.org/abs/1508.04025; attention from the first decoder layer as in Wu et
al. 2016, "Google's Neural Machine Translation System", https://arxiv.org/abs/1609.08144
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import tensorflow as tf
from keras import layers

from pipeline.tasks.translation.attentive import NEVER, AttentiveGRU, Memory, attend
from pipeline.text.beam_search import State
from pipeline.text.recurrent import GRU, Bidirectional, ends

if TYPE_CHECKING:
  from pipeline.tasks.translation.params import TranslationParams


_LAYERS = 1  # of the encoder and of the decoder, by default


@dataclasses.dataclass(frozen=True, kw_only=True)
class Encoded:
  """Encoded sources.

  Attributes:
    memory: what the decoder attends to.
    states: `[batch, units]` each, the decoder's states before the first step.
  """

  memory: Memory
  states: list[tf.Tensor]


class RecurrentNetwork(layers.Layer):
  """Encodes sources, and maps target pieces to the states of the output layer.

  The first decoder layer attends to the source after each step. The result is an input of its next
  step and of the output.
  """

  def __init__(
    self, params: TranslationParams, embed_source: layers.Layer, embed_target: layers.Layer
  ):
    """Takes `embed_source` and `embed_target`: `[...]` ids to `[..., embedding]`."""
    super().__init__(name="recurrent")
    count, units = params.layers or _LAYERS, params.decoder_units
    self._embed_source, self._embed_target = embed_source, embed_target
    self._encoders = [Bidirectional(GRU, params.encoder_units) for _ in range(count)]
    self._bridges = [layers.Dense(units, activation="tanh") for _ in range(count)]
    self._reader = AttentiveGRU(units)
    self._decoders = [
      GRU(units, return_sequences=True, return_state=True) for _ in range(count - 1)
    ]
    self._key = layers.Dense(units, use_bias=False)
    # Fewer units than the values have: what the gates need to know costs less than what is said.
    self._feed = [
      layers.Dense(each, use_bias=False) for each in (max(params.embedding // 2, 1), 3 * units)
    ]
    # Both parts of Luong's attentional state: what the decoder knows, and what it attends to.
    self._known = layers.Dense(params.embedding)
    self._attended = layers.Dense(params.embedding, use_bias=False)
    # One mask for all steps of a sequence: Gal, Ghahramani 2016, https://arxiv.org/abs/1512.05287
    self._dropout = layers.Dropout(params.dropout, noise_shape=(None, 1, None))
    self.built = True  # it has no weights of its own, and is never called itself

  def encode(self, source: tf.Tensor, *, training: bool = False) -> Encoded:
    """Encodes `[batch, source time]` int64."""
    mask = source != 0
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    hidden = self._dropout(self._embed_source(source), training=training)
    states = []
    for encoder, bridge in zip(self._encoders, self._bridges, strict=True):
      hidden = encoder(hidden, lengths, training=training)
      states.append(bridge(ends(hidden, lengths)))
      hidden = self._dropout(hidden, training=training)
    # The scale of the scores, which a longer state would make larger.
    keys = self._key(hidden) * self._reader.units**-0.5
    fed = hidden
    for layer in self._feed:
      fed = layer(fed)
    values = self._attended(hidden)
    memory = Memory(keys=keys, values=values, fed=fed, bias=tf.where(mask, 0.0, NEVER))
    return Encoded(memory=memory, states=states)

  def target_states(self, encoded: Encoded, shifted: tf.Tensor, *, training: bool) -> tf.Tensor:
    """Maps `[batch, target time]` to `[batch, target time, embedding]`, all steps at once."""
    hidden = self._dropout(self._embed_target(shifted), training=training)
    first, *others = encoded.states
    queries = hidden = self._reader(hidden, first, memory=encoded.memory)
    for decoder, state in zip(self._decoders, others, strict=True):
      hidden = self._dropout(hidden, training=training)
      hidden, _ = decoder(hidden, initial_state=state, training=training)
    attention = attend(queries, encoded.memory)
    hidden = self._dropout(hidden, training=training)
    return self._dropout(self._output(hidden, attention, encoded), training=training)

  def start(self, encoded: Encoded, width: int) -> State:
    """Returns the states and the attention before the first step."""
    states = [tf.repeat(each[:, tf.newaxis], width, axis=1) for each in encoded.states]
    states = [tf.ensure_shape(each, [None, width, each.shape[2]]) for each in states]
    return State(moving=(attend(states[0], encoded.memory), *states))

  def step(
    self, encoded: Encoded, state: State, last: tf.Tensor, ancestry: tf.Tensor
  ) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Decodes one piece of each hypothesis, as `Decoder.step`; returns states of the output."""
    del ancestry
    attention, first, *others = state.moving
    hidden = self._embed_target(last)
    hidden = self._reader.step(hidden, first, attention, encoded.memory.fed)
    attention = attend(hidden, encoded.memory)
    after = [hidden]
    for decoder, before in zip(self._decoders, others, strict=True):
      rows, units = tf.reshape(hidden, [-1, hidden.shape[2]]), before.shape[2]
      rows, _ = decoder.cell(rows, [tf.reshape(before, [-1, units])])
      hidden = tf.reshape(rows, [-1, before.shape[1], units])
      after.append(hidden)
    output = self._output(hidden, attention, encoded)
    return output, attention, State(moving=(attention, *after))

  def _output(self, hidden: tf.Tensor, attention: tf.Tensor, encoded: Encoded) -> tf.Tensor:
    values = encoded.memory.values
    attended = tf.matmul(tf.cast(attention, values.dtype), values)
    known = self._known(tf.reshape(hidden, [-1, hidden.shape[2]]))
    return tf.tanh(tf.reshape(known, tf.shape(attended)) + attended)
