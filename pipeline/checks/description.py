"""`Row` and `Description`: one example, and what a task tells the data check about its input.

Imports no framework.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from dlpipe.words import shortest


class Row(NamedTuple):
  """One example: its split, the raw input, and the raw label as bytes of text."""

  split: str
  value: bytes
  label: bytes


def label_bytes(values: Sequence[bytes | str | int | float]) -> bytes:
  """A label's values as bytes of text, several of them with `|` between; empty without any."""
  return b"|".join(map(_bytes, values))


def _bytes(value: bytes | str | int | float) -> bytes:
  if isinstance(value, bytes):
    return value
  return (shortest(value) if isinstance(value, float) else str(value)).encode("utf-8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
  """One input, measured, and what it is compared with others by.

  Two inputs are near-duplicates if their keys are equal, or they share at least 0.8 of all their
  parts (the Jaccard index), or their thumbnails look alike. What is empty is not compared.

  Attributes:
    excerpt: the input in one short line, for a person.
    suffix: how the name of a file with these bytes ends, such as `.png`; empty for what is no file.
    lengths: measures by name, such as `{"words": 12}`; every input has the same names.
    key: what is left of the input when nothing but the essential is kept.
    parts: 32-bit numbers that stand for the input's parts, such as its pairs of words; give none
      where there are too few to compare by.
    thumbnail: the picture in 8 rows of 9 grey values.
    met: in a few words, what is out of the ordinary and no fault, such as `turned by EXIF`.
  """

  excerpt: str
  suffix: str = ""
  lengths: Mapping[str, float]
  key: bytes = b""
  parts: Collection[int] = ()
  thumbnail: bytes = b""
  met: Collection[str] = ()


class IndescribableError(Exception):
  """An input that cannot be read as what it should be, and why."""
