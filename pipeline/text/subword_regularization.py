"""Cuts some pieces of a training batch into smaller ones, so that a model reads words in many ways.

A rare word is then known by its parts, and a new name can be copied part by part. Serving always
takes the longest pieces.

Source: Provilkov, Emelianenko, Voita 2020, "BPE-Dropout: Simple and Effective Subword
Regularization", https://arxiv.org/abs/1910.13267; here the longest match is dropped, not a merge.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from pipeline.text.subword_learning import MAX_PIECE_CHARS


class Cutter:
  """Cuts pieces at random.

  Args:
    pieces: the vocabulary; the empty strings of special pieces are never cut.
    rate: part of the pieces to cut, 0 to 1.
  """

  def __init__(self, pieces: Sequence[str], rate: float):
    self._rate, self._size = rate, len(pieces)
    whole = [[number] for number in range(len(pieces))]
    self._table = tf.ragged.constant([*whole, *cuts(pieces)], tf.int64)

  def __call__(self, ids: tf.Tensor) -> tf.Tensor:
    """Maps `[batch, time]` ids, 0 after the end, to as many rows, some of them longer."""
    if not self._rate:
      return ids
    given = tf.ragged.boolean_mask(tf.cast(ids, tf.int64), ids != 0)
    is_cut = tf.random.uniform(tf.shape(given.flat_values)) < self._rate
    # The second half of the table has the cut pieces.
    chosen = given.flat_values + tf.where(is_cut, tf.constant(self._size, tf.int64), 0)
    parts = given.with_values(tf.gather(self._table, chosen)).merge_dims(1, 2).to_tensor()
    # Recurrent layers fail on a sequence of length 0.
    none = tf.cast(tf.shape(parts)[1] == 0, tf.int32)
    return tf.cast(tf.pad(parts, [[0, 0], [0, none]]), ids.dtype)


def cuts(pieces: Sequence[str]) -> list[list[int]]:
  """Returns the ids that each piece is cut into: a shorter piece, then the longest that follow.

  A piece that cannot be cut stays whole.
  """
  ids = {piece: number for number, piece in enumerate(pieces) if piece}

  def match(text: str, longest: int) -> str:
    sizes = range(min(longest, len(text)), 0, -1)
    return next((text[:size] for size in sizes if text[:size] in ids), "")

  found = []
  for number, piece in enumerate(pieces):
    part, rest, parts = match(piece, len(piece) - 1), piece, []
    while part:
      parts.append(ids[part])
      rest = rest[len(part) :]
      part = match(rest, MAX_PIECE_CHARS)
    found.append(parts if parts and not rest else [number])
  return found
