"""Turns a text and its label, however an input holds them, into a record of the sentiment task."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from dlpipe.records import FeatureValue, Record, Rejected
from pipeline.sources.labels import label_text
from pipeline.sources.text_files import texts
from pipeline.tasks.sentiment.features import LABEL, LENGTH_BUCKET, TEXT

INPUT = "the text"  # what messages call the input
MAX_CHARS = 20_000  # the longest reviews of IMDB have 13,704 characters
_LENGTHS = (10, 20, 50, 200)


def max_chars(options: Mapping[str, Any]) -> int:
  """Returns the option `max_chars`, the most characters of a text that is used.

  Raises:
    BadInputError: it is no positive number.
  """
  return texts.max_chars(options, MAX_CHARS)


def too_long(limit: int) -> str:
  """Returns the reason for a text that need not be read to its end to know."""
  return texts.too_long(INPUT, limit)


def to_record(
  text: Any,
  label: Any,
  *,
  split: str | None,
  origin: str,
  limit: int,
  read_label: Callable[[Any], FeatureValue] = label_text,
  data: bytes | None = None,
  file: str | None = None,
) -> Record | Rejected:
  """Returns the record of one text, or why there is none.

  Args:
    text: str or UTF-8 bytes; anything else is rejected.
    label: whatever names its class, or what else `read_label` takes.
    split: the split the input gave it, or None.
    origin: where it comes from, for messages.
    limit: the most characters of a text.
    read_label: from the label to the value of its feature; raises `ValueError`.
    data: the bytes for the quarantine, where the text is a part of a file.
    file: the file for the quarantine, where the text is one of its own.
  """
  try:
    written = texts.usable(text, INPUT, limit)
    name = read_label(label)
  except ValueError as err:
    known = _known(label, read_label)
    return Rejected(origin=origin, reason=str(err), data=data, file=file, label=known)
  return Record(
    features={TEXT: written, LABEL: name, LENGTH_BUCKET: texts.length_bucket(written, _LENGTHS)},
    content=texts.content(written),
    split=split,
    origin=origin,
  )


def _known(label: Any, read_label: Callable[[Any], FeatureValue]) -> FeatureValue | None:
  with contextlib.suppress(ValueError):
    return read_label(label)
  return None
