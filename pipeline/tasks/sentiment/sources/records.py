"""Converts a text and its label to a record of the sentiment task."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from dlpipe.records import FeatureValue, Record, Rejected
from pipeline.sources.labels import label_text
from pipeline.sources.text_files import texts
from pipeline.tasks.sentiment.features import LABEL, LENGTH_BUCKET, TEXT

INPUT = "the text"  # name of the input in messages
MAX_CHARS = 20_000  # the longest reviews of IMDB have 13,704 characters
_LENGTHS = (10, 20, 50, 200)


def max_chars(options: Mapping[str, Any]) -> int:
  """Returns the option `max_chars`, the largest number of characters of a usable text.

  Raises:
    BadInputError: it is not a positive number.
  """
  return texts.max_chars(options, MAX_CHARS)


def too_long(limit: int) -> str:
  """Returns the message for a text that is too long, which need not be read to its end."""
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
  """Returns the record of one text, or the reason for its rejection.

  Args:
    text: str or UTF-8 bytes; anything else is rejected.
    label: the name of its class, or another value that `read_label` accepts.
    split: the split that the input gave, or None.
    origin: file and row of the text, for messages.
    limit: largest number of characters of a text.
    read_label: converts the label to the value of its feature; raises `ValueError`.
    data: the bytes for the quarantine, if the text is a part of a file.
    file: path of the file for the quarantine, if the text is a whole file.
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
