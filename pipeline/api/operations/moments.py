"""Reads what `--since` and `--until` are given: an age, or a moment in UTC."""

from __future__ import annotations

import datetime
import re

from dlpipe.errors import BadInputError

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_AGE = re.compile(r"([0-9]{1,6})([mhdw])")


def since(given: str, *, end: float) -> float:
  """Returns where a window begins, in seconds since 1970.

      since("24h", end=time.time())
      since("2026-01-31T08:00Z", end=time.time())

  Args:
    given: the window's length in minutes, hours, days or weeks, such as `30m`, `24h`, `7d`, `2w`;
      or a moment, ISO 8601, in UTC unless it says otherwise.
    end: where the window ends, in seconds since 1970.

  Raises:
    BadInputError: it is neither, or does not lie before the end.
  """
  age = _AGE.fullmatch(given)
  start = end - int(age[1]) * _SECONDS[age[2]] if age is not None else _read(given)
  if start is None:
    raise BadInputError(
      "--since takes an age in minutes, hours, days or weeks, such as 30m, 24h, 7d or 2w, or a date"
      f" in UTC, such as 2026-01-31 or 2026-01-31T08:00. Received: {given!r}"
    )
  if start >= end:
    raise BadInputError(f"--since must lie before the end of the window. Received: {given!r}")
  return max(start, 0.0)


def until(given: str) -> float:
  """Returns where a window ends, in seconds since 1970.

  Args:
    given: a moment, ISO 8601, in UTC unless it says otherwise.

  Raises:
    BadInputError: it is none.
  """
  end = _read(given)
  if end is None:
    raise BadInputError(
      f"--until takes a date in UTC, such as 2026-01-31 or 2026-01-31T08:00. Received: {given!r}"
    )
  return end


def _read(given: str) -> float | None:
  try:
    moment = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", given))
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()
  except (ValueError, OverflowError):
    return None
