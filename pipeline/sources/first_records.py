"""Whether anything of an input can be used, as far as that is cheap to know."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.sources import encoding

_LOOKED_AT = 5_000  # records; a tenth of a second


def require_one(records: Iterable[Record | Rejected], *, source: str) -> None:
  """Reads records until one can be used, 5,000 at the most.

  Args:
    records: all of the input, or as many of them as shall be read.
    source: the input, for messages.

  Raises:
    BadInputError: there are records, and none of them can be used.
  """
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
