"""Checks `airflow.schedule`: a preset such as `@daily`, or the five fields of cron.

Airflow would notice a wrong schedule only when it loads the DAG, and then skip the DAG.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PRESETS = ("@once", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# A value or a range, of numbers or names, with an optional step.
_RANGE = re.compile(r"(?P<low>\w+)(-(?P<high>\w+))?(/(?P<step>\d+))?")
_EVERY = re.compile(r"\*(/(?P<step>\d+))?")
_NTH = re.compile(r"(?P<day>\w+)#(?P<nth>[1-5])")


class _Field(NamedTuple):
  """A field of cron: its name, its first and last number, and the names of some numbers."""

  name: str
  first: int
  last: int
  names: dict[str, int]


_FIELDS = (
  _Field("minute", 0, 59, {}),
  _Field("hour", 0, 23, {}),
  _Field("day of the month", 1, 31, {}),
  _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
  _Field("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)


def fault(schedule: str) -> str | None:
  """Returns what is wrong with a schedule, as a sentence; None if Airflow accepts it.

  >>> fault("30 3 * * mon-fri")
  >>> fault("61 3 * * *")
  "The minute of cron is 0 to 59, and '61' is none."
  """
  if schedule in PRESETS:
    return None
  fields = schedule.split()
  if schedule.startswith("@") or len(fields) != len(_FIELDS):
    return f"It takes {', '.join(PRESETS)}, or the five fields of cron, such as '0 3 * * 1'."
  for field, text in zip(_FIELDS, fields, strict=True):
    for part in text.split(","):
      if not _is_part(field, part):
        return f"The {field.name} of cron is {field.first} to {field.last}, and {part!r} is none."
  return None


def _is_part(field: _Field, part: str) -> bool:
  by_week, by_month = field is _FIELDS[4], field is _FIELDS[2]
  if part == "?" and (by_week or by_month):
    return True
  if by_month and part.lower() == "l":
    return True
  if by_week and (nth := _NTH.fullmatch(part)):
    return _number(field, nth["day"]) is not None
  if every := _EVERY.fullmatch(part):
    return _is_step(field, every["step"])
  match = _RANGE.fullmatch(part)
  if match is None or not _is_step(field, match["step"]):
    return False
  low = _number(field, match["low"])
  high = low if match["high"] is None else _number(field, match["high"])
  return low is not None and high is not None


def _is_step(field: _Field, step: str | None) -> bool:
  return step is None or 1 <= int(step) <= field.last


def _number(field: _Field, text: str) -> int | None:
  """Returns the number of a digit string or a name; None if it is outside the field."""
  if not text.isascii():
    return None
  number = int(text) if text.isdigit() else field.names.get(text.lower())
  return number if number is not None and field.first <= number <= field.last else None
