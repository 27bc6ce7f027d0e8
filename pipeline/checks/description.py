"""`Row` is one example; `Description` is a task's measurements of one input, for the data check.

Imports no framework.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from dlpipe.words import shortest


class Row(NamedTuple):
  """One example: its split, the raw input, the raw label as bytes of text, and its origin."""

  split: str
  value: bytes
  label: bytes
  origin: str = ""


def label_bytes(values: Sequence[bytes | str | int | float]) -> bytes:
  """Returns a label's values as text in bytes, joined by `|`; empty if there are none.

  >>> label_bytes([b"red", "blue"])
  b'red|blue'
  """
  return b"|".join(map(_bytes, values))


def _bytes(value: bytes | str | int | float) -> bytes:
  if isinstance(value, bytes):
    return value
  return (shortest(value) if isinstance(value, float) else str(value)).encode("utf-8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
  """Measurements of one input, and the fields by which it is compared with others.

  Two inputs are near-duplicates if their keys are equal, or the Jaccard index of their parts is at
  least 0.8, or their thumbnails look alike. Empty fields are not compared.

  Attributes:
    excerpt: the input in one short line, for a person.
    suffix: the file name extension of these bytes, such as `.png`; empty if the input is no file.
    lengths: measures by name, such as `{"words": 12}`; every input has the same names.
    key: the input reduced to its essential content, such as a text without case and punctuation.
    parts: 32-bit hashes of the input's parts, such as its pairs of words; empty if there are too
      few parts to compare.
    thumbnail: the picture in 8 rows of 9 grey values.
    met: unusual but valid properties in a few words, such as `turned by EXIF`.
    looks: measures by which an input may look odd, such as `{"brightness": 12.5}`; every input has
      the same names.
    script: the script of a text, such as `LATIN`; empty if it has none.
    words: 32-bit hashes of a text's words.
  """

  excerpt: str
  suffix: str = ""
  lengths: Mapping[str, float]
  key: bytes = b""
  parts: Collection[int] = ()
  thumbnail: bytes = b""
  met: Collection[str] = ()
  looks: Mapping[str, float] = dataclasses.field(default_factory=dict)
  script: str = ""
  words: Sequence[int] = ()


class IndescribableError(Exception):
  """An input cannot be decoded; the message says why."""
