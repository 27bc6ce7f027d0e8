"""Reads `--since` and `--until`: an age such as `24h`, or a moment in ISO 8601."""

from __future__ import annotations

import contextlib
import datetime
import re

from dlpipe.errors import BadInputError

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_AGE = re.compile(r"([0-9]+)([mhdw])")


def since(given: str, *, end: float) -> float:
  """Returns the beginning of a period in seconds since 1970, at least 0.

  Args:
    given: an age, which is taken from the end, or a moment.
    end: the end of the period.

  Raises:
    BadInputError: it is neither, or does not lie before the end.
  """
  age = _AGE.fullmatch(given)
  start = 0.0
  if age is None:
    start = moment("--since", given, or_age=True)
  else:
    with contextlib.suppress(OverflowError):  # so long ago that everything is later
      start = end - int(age[1]) * _SECONDS[age[2]]
  if start >= end:
    raise BadInputError(f"--since must lie before the end of the period. Received: {given!r}")
  return max(0.0, start)


def moment(option: str, given: str, *, or_age: bool = False) -> float:
  """Returns a moment in seconds since 1970.

  Args:
    option: the name of the option, for the message.
    given: ISO 8601; in UTC unless it says otherwise.
    or_age: whether the option takes an age, too, for the message.

  Raises:
    BadInputError: it is no moment.
  """
  with contextlib.suppress(ValueError, OverflowError):
    # Python 3.10 does not know the Z.
    found = datetime.datetime.fromisoformat(re.sub("[zZ]$", "+00:00", given))
    seconds = found.replace(tzinfo=found.tzinfo or datetime.timezone.utc).timestamp()
    words(seconds)
    return seconds
  age = ", or an age such as 30m, 24h, 7d or 2w" if or_age else ""
  raise BadInputError(
    f"{option} takes a moment such as 2026-01-31 or 2026-01-31T08:00, in UTC unless it says "
    f"otherwise{age}. Received: {given!r}"
  )


def words(seconds: float) -> str:
  """Returns a moment for a person, such as `2026-01-31T08:00+00:00`."""
  found = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
  return found.isoformat(timespec="minutes")
