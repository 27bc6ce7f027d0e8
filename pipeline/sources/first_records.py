"""Checks cheaply, before a run, that a record of the input can be used."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected, is_part
from pipeline.sources import encoding

_LOOKED_AT = 5_000  # records; a tenth of a second


def require_one(records: Iterable[Record | Rejected], *, source: str) -> None:
  """Reads records until one can be used, at most 5,000; reads none of a part of an input.

  Args:
    records: all records of the input, or those that may be read.
    source: the input, for messages.

  Raises:
    BadInputError: there are records, and none of those read can be used.
  """
  if is_part():
    return
  first: Rejected | None = None
  for record in itertools.islice(records, _LOOKED_AT):
    if isinstance(record, Record):
      return
    first = first or record
  if first:
    remedy = encoding.remedy(first.reason)
    raise BadInputError(
      f"Expected rows that can be used in {source!r}. Found none; {first.origin} cannot be used: "
      f"{first.reason}. {remedy}".rstrip()
    )
