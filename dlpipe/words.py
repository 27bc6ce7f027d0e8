"""Formats numbers, times and sizes for people: on the screen, in reports and in tables."""

from __future__ import annotations

import math
import struct


def number(value: float) -> str:
  """Formats a metric with four significant digits; all before the point stay, with separators.

  >>> number(0.98765), number(12345.0), number(12345.67), number(float("nan"))
  ('0.9877', '12,345', '12,346', '-')
  """
  if math.isnan(value):
    return "-"
  if float(value).is_integer() and abs(value) < 1e15:
    return f"{int(value):,}"
  return f"{value:,.0f}" if 9999.5 <= abs(value) < 1e15 else f"{value:.4g}"


def duration(seconds: float) -> str:
  """Formats a duration, such as `0.4s`, `12s`, `4m 12s`, `2h 05m`."""
  if seconds < 9.95:
    return f"{seconds:.1f}s"
  whole = round(seconds)
  if whole < 60:
    return f"{whole}s"
  if whole < 3600:
    return f"{whole // 60}m {whole % 60:02d}s"
  minutes = round(seconds / 60)
  return f"{minutes // 60}h {minutes % 60:02d}m"


def minute(moment: str) -> str:
  """Formats an ISO 8601 moment in UTC.

  >>> minute("2026-11-30T22:51:07+00:00")
  '2026-11-30 22:51Z'
  """
  return f"{moment[:16].replace('T', ' ')}Z"


def memory(megabytes: float) -> str:
  """Formats a size, such as `512 MB`, `1.4 GB`."""
  return f"{megabytes / 1000:.1f} GB" if megabytes >= 999.5 else f"{megabytes:.0f} MB"


def one_line(text: str) -> str:
  """Removes line breaks, and control characters that could move a cursor."""
  return " ".join("".join(c if c.isprintable() else " " for c in text).split(" ")).strip()


def shortest(number: float) -> str:
  """Formats a number with the fewest digits that identify it as a float32.

  >>> shortest(928.0200195312), shortest(1e-30), shortest(16777217.0)
  ('928.02', '1e-30', '16777216')
  """
  [narrow] = struct.unpack("f", struct.pack("f", number))
  written = (f"{narrow:.{digits}g}" for digits in range(6, 10))
  return next((w for w in written if struct.pack("f", float(w)) == struct.pack("f", narrow)), "nan")


def left(seconds: float) -> str:
  """Formats how long something will still take, no more exactly than it can be known.

  >>> left(42.3), left(700), left(9000)
  ('42s left', '12m left', '2.5h left')
  """
  if seconds < 90:
    return f"{max(seconds, 0):.0f}s left"
  return f"{seconds / 60:.0f}m left" if seconds < 90 * 60 else f"{seconds / 3600:.1f}h left"
