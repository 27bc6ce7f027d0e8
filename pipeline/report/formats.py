"""Formats values for a page; the templates' filters."""

from __future__ import annotations

import math
from typing import Any

from dlpipe import words


def number(value: Any) -> str:
  """Formats a number for a person; None and NaN become a dash, other values their text."""
  if value is None:
    return "-"
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    return str(value)
  return words.number(value)


def signed(value: float) -> str:
  """Formats a part of a sum: its sign and three significant digits, such as `+0.25`, `-12,345`."""
  return f"{value:+,.0f}" if abs(value) >= 1_000 else f"{value:+.3g}"


def cell(value: Any) -> str:
  """Formats like `number`, but gives shares four decimals so that a column lines up."""
  if is_number(value) and isinstance(value, float) and 0.001 <= abs(value) <= 1:
    return f"{value:.4f}"
  return number(value)


def percent(value: Any) -> str:
  """Formats a share, such as `93.1%`; a dash if there is none."""
  return f"{100 * value:.1f}%" if is_number(value) else "-"


def is_number(value: Any) -> bool:
  """Returns whether a value is a finite number."""
  return isinstance(value, (int, float)) and math.isfinite(value)
