"""Finds near-duplicates among many inputs in time and memory linear in their number.

Parts are compared by MinHash signatures (Broder 1997) and thumbnails by the 64 bits of a difference
hash (dHash, Krawetz 2013); inputs that agree in one band of either are compared in full. If very
many inputs share a band, each is compared with its next few neighbours only: some pairs may be
missed, but the time is never quadratic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

# 16 bands of 4 hashes: of pairs with a Jaccard index of 0.8, one in 5,000 agrees in no band.
_HASHES, _BANDS = 64, 16
_ALIKE = 0.8
_MAX_BITS = 2
# Many different pictures of one class, such as shirts, have hashes within 2 bits. Only copies that
# were scaled or compressed again also have thumbnails that correlate this much.
_MIN_CORRELATION = 0.995
_MIN_CONTRAST = 4.0  # grey levels of 255; with less contrast, a hash is noise
_WINDOW = 8
_CHUNK_PAIRS = 1 << 18
_COLUMNS, _ROWS = 9, 8


def _constants() -> tuple[np.ndarray, np.ndarray]:
  random = np.random.default_rng(20240229)
  multipliers = random.integers(0, 2**32, _HASHES, np.uint32) | np.uint32(1)
  return multipliers, random.integers(0, 2**32, _HASHES, np.uint32)


_MULTIPLIERS, _ADDENDS = _constants()


def signatures(parts: Sequence[np.ndarray]) -> np.ndarray:
  """Returns `[inputs, 64]` uint16 MinHash signatures; every input must have parts."""
  lengths = [len(each) for each in parts]
  numbers = np.concatenate([np.asarray(each, np.uint32) for each in parts])
  starts = np.cumsum([0, *lengths[:-1]])
  found = np.empty((len(parts), _HASHES), np.uint16)
  for column, (multiplier, addend) in enumerate(zip(_MULTIPLIERS, _ADDENDS, strict=True)):
    smallest = np.minimum.reduceat(numbers * multiplier + addend, starts)
    # The upper bits of a minimum are mostly zeros; the lower bits distinguish parts.
    found[:, column] = smallest.astype(np.uint16)
  return found


def similar_texts(signatures: np.ndarray) -> np.ndarray:
  """Returns `[pairs, 2]` row numbers of signatures whose Jaccard index is about 0.8 or more."""
  bands = np.ascontiguousarray(signatures).view(np.uint64)
  found = []
  for band in range(_BANDS):
    keys = bands[:, band]
    for pairs in _neighbours(keys, np.argsort(keys, kind="stable")):
      agreement = (signatures[pairs[:, 0]] == signatures[pairs[:, 1]]).mean(axis=1)
      found.append(pairs[agreement >= _ALIKE])
  return _joined(found)


def similar_pictures(thumbnails: np.ndarray) -> np.ndarray:
  """Returns `[pairs, 2]` row numbers of `[pictures, 72]` uint8 thumbnails that look alike."""
  if not len(thumbnails):
    return _joined([])
  grey = thumbnails.astype(np.float32)
  contrast = grey.std(axis=1)
  shape = (-1, _ROWS, _COLUMNS)
  bits = np.diff(thumbnails.reshape(shape).astype(np.int16), axis=2) > 0
  hashes = np.packbits(bits.reshape(len(bits), -1), axis=1).view(np.uint64)[:, 0]
  normal = (grey - grey.mean(axis=1, keepdims=True)) / np.maximum(contrast, 1)[:, None]
  rows = np.flatnonzero(contrast >= _MIN_CONTRAST)
  found = []
  # If two bits differ, at least one of the three bands is still equal.
  for shift, width in ((0, 21), (21, 21), (42, 22)):
    keys = hashes[rows] >> np.uint64(shift) & np.uint64((1 << width) - 1)
    for pairs in _neighbours(keys, np.lexsort((hashes[rows], keys))):
      pairs = rows[pairs]
      left, right = pairs[:, 0], pairs[:, 1]
      differing = np.unpackbits((hashes[left] ^ hashes[right])[:, None].view(np.uint8), axis=1)
      pairs = pairs[differing.sum(axis=1) <= _MAX_BITS]
      correlation = (normal[pairs[:, 0]] * normal[pairs[:, 1]]).mean(axis=1)
      found.append(pairs[correlation >= _MIN_CORRELATION])
  return _joined(found)


def groups(count: int, pairs: np.ndarray) -> np.ndarray:
  """Returns `[count]` group numbers; rows that pairs connect, directly or not, share a group."""
  from scipy.sparse import coo_array, csgraph

  ones = np.ones(len(pairs), np.uint8)
  graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
  return csgraph.connected_components(graph, directed=False)[1]


def _neighbours(keys: np.ndarray, order: np.ndarray) -> Iterator[np.ndarray]:
  """Yields `[pairs, 2]` row numbers with equal keys; pairs a row with its next few neighbours."""
  ordered = keys[order]
  for distance in range(1, _WINDOW + 1):
    starts = np.flatnonzero(ordered[distance:] == ordered[:-distance])
    if not len(starts):
      return
    for chunk in range(0, len(starts), _CHUNK_PAIRS):
      first = starts[chunk : chunk + _CHUNK_PAIRS]
      yield np.stack([order[first], order[first + distance]], axis=1)


def _joined(found: list[np.ndarray]) -> np.ndarray:
  return np.concatenate([np.empty((0, 2), np.int64), *found]) if found else np.empty((0, 2), int)
