"""Names the rows that examples came from, where an example is a part of a file.

An example does not carry its origin, so the source is read again until the few that a finding shows
are met. Imports nothing heavy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from dlpipe.records import TRAIN, VAL, Record, Rejected
from pipeline.checks.description import Row, label_bytes

_MAX_RECORDS = 1_000_000  # some ten seconds of texts


def find(
  records: Iterable[Record | Rejected],
  rows: Mapping[int, Row],
  *,
  input_key: str,
  label_key: str,
) -> dict[int, str]:
  """Where examples stand in the input, such as `reviews.csv, row 7`, by number.

  Equal examples get an origin each, as long as there are records, and where the input draws splits,
  one of their split.

  Args:
    records: what the source reads; it is read only as far as is needed, a million at most.
    rows: examples by number.
    input_key: the raw feature that a caller sends.
    label_key: the raw feature to predict.
  """
  waiting: dict[tuple[bytes, bytes], list[int]] = {}
  for number, row in rows.items():
    waiting.setdefault((row.value, row.label), []).append(number)
  found: dict[int, str] = {}
  for record, _ in zip(records if rows else (), range(_MAX_RECORDS), strict=False):
    if isinstance(record, Rejected):
      continue
    numbers = waiting.get((_bytes(record, input_key), _bytes(record, label_key)), ())
    fitting = (n for n in numbers if n not in found and _fits(record.split, rows[n]))
    for number in itertools.islice(fitting, 1):
      found[number] = record.origin
    if len(found) == len(rows):
      break
  return found


def _fits(split: str | None, row: Row) -> bool:
  return split in (None, row.split) or (split == TRAIN and row.split == VAL)


def _bytes(record: Record, key: str) -> bytes:
  """A feature as `read_examples` gives it back."""
  value: Any = record.features.get(key, b"")
  return label_bytes(value if isinstance(value, (list, tuple)) else [value])
