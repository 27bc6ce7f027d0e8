"""Learns a vocabulary of subword pieces from word counts, by byte-pair encoding.

The most frequent pair of neighbouring pieces is merged into a new piece, again and again, until the
vocabulary has its size. The words come from the transform graph, so that only this graph defines
what a word is. `subwords` applies the vocabulary.

Source: Sennrich, Haddow, Birch 2016, "Neural Machine Translation of Rare Words with Subword Units",
https://arxiv.org/abs/1508.07909
"""

from __future__ import annotations

import collections
import heapq
import itertools
import os
from collections.abc import Iterable, Mapping

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.beam.experimental import PTransformAnalyzer

from pipeline.text.word_counts import NO_WORD, CountWords, asset_text, write_asset

MAX_PIECE_CHARS = 16
# Rarer words hardly change the merges, and would slow down learning.
_MAX_WORDS = 50_000
_MIN_CHARACTER_COUNT = 3

Pair = tuple[str, str]


def subword_vocabulary(words: tf.Tensor, *, size: int, file_name: str) -> tf.Tensor:
  """Learns pieces from the training split, in `preprocessing_fn`.

  Args:
    words: `[n]` string, the words to split into pieces.
    size: largest number of pieces.
    file_name: the asset that gets the pieces, one a line.

  Returns:
    The asset's path, for `tft.apply_vocabulary`.
  """
  [path] = tft.experimental.ptransform_analyzer(
    inputs=[words],
    ptransform=_LearnPieces(size, file_name),
    output_dtypes=[tf.string],
    output_shapes=[[]],
    output_asset_default_values=[b"a"],
    name=file_name,
  )
  return path


def learn_pieces(counts: Mapping[str, int], size: int) -> list[str]:
  """Learns at most `size` pieces: the frequent characters, then the merges in their order.

  Args:
    counts: word to its number of occurrences.
    size: largest number of pieces.
  """
  ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
  characters: collections.Counter[str] = collections.Counter()
  for word, count in ranked:
    for character in word:
      characters[character] += count
  pieces = [
    character
    for character, count in sorted(characters.items(), key=lambda item: (-item[1], item[0]))
    if count >= _MIN_CHARACTER_COUNT
  ][:size]
  known = set(pieces)
  for merged in _merges([(list(word), count) for word, count in ranked[:_MAX_WORDS]]):
    if len(pieces) >= size:
      break
    if merged not in known:
      known.add(merged)
      pieces.append(merged)
  return pieces


def _merges(words: list[tuple[list[str], int]]) -> Iterable[str]:
  """Merges pairs in all words, and yields each new piece."""
  pairs: collections.Counter[Pair] = collections.Counter()
  places: dict[Pair, set[int]] = collections.defaultdict(set)
  for index, (symbols, count) in enumerate(words):
    for pair in itertools.pairwise(symbols):
      pairs[pair] += count
      places[pair].add(index)
  heap = [(-count, pair) for pair, count in pairs.items()]
  heapq.heapify(heap)
  while heap:
    negative, pair = heapq.heappop(heap)
    count = pairs[pair]
    if count != -negative:
      # The count is outdated; the pair was pushed again with its new count.
      if 0 < count < -negative:
        heapq.heappush(heap, (-count, pair))
      continue
    if count < 2:
      return
    merged = pair[0] + pair[1]
    if len(merged) > MAX_PIECE_CHARS:
      continue
    yield merged
    grown: set[Pair] = set()
    for index in places.pop(pair):
      symbols, times = words[index]
      joined = _join(symbols, pair, merged)
      words[index] = (joined, times)
      for old in itertools.pairwise(symbols):
        pairs[old] -= times
      for new in itertools.pairwise(joined):
        pairs[new] += times
        places[new].add(index)
        if merged in new:
          grown.add(new)
    for new in grown:
      heapq.heappush(heap, (-pairs[new], new))


def _join(symbols: list[str], pair: Pair, merged: str) -> list[str]:
  joined, position = [], 0
  while position < len(symbols):
    if symbols[position : position + 2] == list(pair):
      joined.append(merged)
      position += 2
    else:
      joined.append(symbols[position])
      position += 1
  return joined


class _LearnPieces(PTransformAnalyzer):
  """Turns batches of words into the path of the vocabulary file."""

  def __init__(self, size: int, file_name: str):
    super().__init__()
    self._size, self._file_name = size, file_name

  def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
    path = os.path.join(self.base_temp_dir, self._file_name)
    return pcoll | CountWords() | "Learn" >> beam.Map(_write_pieces, self._size, path)


def _write_pieces(counts: Mapping[bytes, int], size: int, path: str) -> np.ndarray:
  decoded = {word.decode("utf-8"): count for word, count in counts.items()}
  pieces = learn_pieces(decoded, size)
  # Normalized texts do not contain the placeholder of an empty vocabulary.
  return write_asset(path, pieces or [NO_WORD])


def read_pieces(tft_output: tft.TFTransformOutput, file_name: str) -> list[str]:
  """Returns the pieces of a vocabulary of the transform graph, in the order of their ids."""
  return asset_text(tft_output, file_name).split("\n")
