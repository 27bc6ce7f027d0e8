"""Turns inputs into numbers for a cheap model: words of texts, edges and colours of pictures."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from pipeline.sources.file_formats import MAX_PIXELS

_HASHES = 1 << 20
_SIDE = 64  # pictures are scaled to so many pixels a side
_CELLS, _ANGLES = 8, 9
_CELL = _SIDE // _CELLS
_CHUNK = 256  # pictures described at once
_CLIPPED = 0.4  # of a normalized histogram of gradients


def of_inputs(
  inputs: Sequence[bytes], *, is_text: bool, parts: bool = False
) -> tuple[Any, np.ndarray]:
  """Returns the features of those that can be read, and `[inputs]` bool: which these are."""
  if is_text:
    return of_texts(inputs, parts=parts), np.ones(len(inputs), bool)
  return of_pictures(inputs)


def joined(parts: Sequence[Any]) -> Any:
  """Returns features of several parts, one below the other."""
  if scipy.sparse.issparse(parts[0]):
    return scipy.sparse.vstack(parts).tocsr()
  return np.concatenate(parts)


def of_texts(texts: Sequence[bytes], *, parts: bool = False) -> scipy.sparse.csr_matrix:
  """Returns `[texts, 2^20]` float32: which words and pairs of words each text has.

  A text in a script without spaces is taken as its runs of two characters.

  Args:
    texts: UTF-8.
    parts: whether the beginnings and ends of words count, too.
  """
  from sklearn.feature_extraction.text import HashingVectorizer

  vectorizer = HashingVectorizer(
    n_features=_HASHES,
    analyzer=_words_and_parts if parts else _words_and_pairs,
    alternate_sign=False,
    norm=None,
    binary=True,
    dtype=np.float32,
  )
  return vectorizer.transform([text.decode("utf-8", "replace").casefold() for text in texts])


_WORD = re.compile(r"\w+|[^\w\s]")
_LONG_WORD = 20  # characters; longer ones are of a script without spaces


def _words(text: str) -> list[str]:
  found = _WORD.findall(text)
  if any(len(word) > _LONG_WORD for word in found):
    return [part for word in found for part in (word if len(word) > _LONG_WORD else [word])]
  return found


def _words_and_pairs(text: str) -> list[str]:
  words = _words(text)
  return [*words, *map(" ".join, itertools.pairwise(words))]


def _words_and_parts(text: str) -> list[str]:
  """Returns words, pairs, and each word's first 6, first 4 and last 4 characters, marked."""
  parts = [
    part for word in set(_words(text)) for part in (f"={word[:6]}", f"<{word[:4]}", f"{word[-4:]}>")
  ]
  return _words_and_pairs(text) + parts


def of_pictures(pictures: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
  """Describes pictures by histograms of their gradients and by their colours.

  Source: Dalal, Triggs: Histograms of Oriented Gradients for Human Detection, CVPR 2005.

  Returns:
    `[readable pictures, features]` float32, and `[pictures]` bool: which could be read.
  """
  described = [
    _described(pictures[first : first + _CHUNK]) for first in range(0, len(pictures), _CHUNK)
  ]
  described = described or [_described([])]
  return (
    np.concatenate([found for found, _ in described]),
    np.concatenate([readable for _, readable in described]),
  )


def _described(pictures: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
  decoded = [_pixels(data) for data in pictures]
  readable = np.array([each is not None for each in decoded], bool)
  pixels = [each for each in decoded if each is not None]
  if not pixels:
    return np.zeros((0, _CELLS * _CELLS * (4 * _ANGLES + 3)), np.float32), readable
  rgb = np.stack(pixels).astype(np.float32) / 255
  colours = rgb.reshape(len(rgb), _CELLS, _CELL, _CELLS, _CELL, 3).mean((2, 4))
  parts = (_gradients(rgb.mean(-1)), colours)
  return np.concatenate([part.reshape(len(rgb), -1) for part in parts], 1), readable


def _pixels(data: bytes) -> np.ndarray | None:
  """Returns `[64, 64, 3]` uint8; None if the picture cannot be decoded."""
  from PIL import Image

  try:
    with Image.open(io.BytesIO(data)) as picture:
      if picture.width * picture.height > MAX_PIXELS:
        return None
      picture.draft("RGB", (2 * _SIDE, 2 * _SIDE))  # JPEGs are decoded at a fraction of their size
      return np.asarray(picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
    return None


def _gradients(grey: np.ndarray) -> np.ndarray:
  """Returns `[pictures, 8, 8, 36]`: each cell's histogram of angles, normalized in four ways."""
  across, down = np.zeros_like(grey), np.zeros_like(grey)
  across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
  down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
  strength = np.hypot(across, down)
  angle = np.arctan2(down, across) % np.pi / np.pi * _ANGLES
  low = np.minimum(angle.astype(np.int64), _ANGLES - 1)
  part = angle - low
  rows = np.arange(_SIDE) // _CELL
  cell = (
    np.arange(len(grey))[:, np.newaxis, np.newaxis] * _CELLS + rows[:, np.newaxis]
  ) * _CELLS + rows
  histogram = np.zeros(len(grey) * _CELLS * _CELLS * _ANGLES)
  for number, share in ((low, 1 - part), ((low + 1) % _ANGLES, part)):
    places = (cell * _ANGLES + number).ravel()
    histogram += np.bincount(places, (strength * share).ravel(), len(histogram))
  histogram = histogram.reshape(len(grey), _CELLS, _CELLS, _ANGLES).astype(np.float32)
  energy = np.pad(np.square(histogram).sum(-1), ((0, 0), (1, 1), (1, 1)))
  found = []
  for y in (0, 1):
    for x in (0, 1):
      block = sum(
        energy[:, y + b : y + b + _CELLS, x + a : x + a + _CELLS] for a in (0, 1) for b in (0, 1)
      )
      found.append(np.minimum(histogram / np.sqrt(block + 1e-3)[..., np.newaxis], _CLIPPED))
  return np.concatenate(found, -1)
