"""Converts a sentence and its translation to a record of the translation task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.records import Record, Rejected
from pipeline.sources.text_files import texts
from pipeline.tasks.translation.features import LENGTH_BUCKET, SOURCE, TARGET

INPUT = "the source"  # name of the input in messages
MAX_CHARS = 1000  # of either side
_LENGTHS = (5, 10, 20)


def max_chars(options: Mapping[str, Any]) -> int:
  """Returns the option `max_chars`, the largest number of characters of either side.

  Raises:
    BadInputError: it is not a positive number.
  """
  return texts.max_chars(options, MAX_CHARS)


def to_record(
  source: Any, target: Any, *, split: str | None, origin: str, limit: int, data: bytes
) -> Record | Rejected:
  """Returns the record of one pair, or the reason for its rejection.

  Only the source decides the split, so a sentence with several translations is in one split.

  Args:
    source: str or UTF-8 bytes; anything else is rejected.
    target: its translation, of the same types.
    split: the split that the input gave, or None.
    origin: file and row of the pair, for messages.
    limit: largest number of characters of either side.
    data: the bytes for the quarantine.
  """
  try:
    written = texts.usable(source, INPUT, limit)
    translation = texts.usable(target, "the target", limit)
  except ValueError as err:
    return Rejected(origin=origin, reason=str(err), data=data)
  return Record(
    features={
      SOURCE: written,
      TARGET: translation,
      LENGTH_BUCKET: texts.length_bucket(written, _LENGTHS),
    },
    content=texts.content(written),
    split=split,
    origin=origin,
  )
