"""Formats values for a page; the templates' filters."""

from __future__ import annotations

import math
from typing import Any

from dlpipe import words

# Embeddings, overrides and isolates of Unicode's bidirectional algorithm; C0 and C1 controls.
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE: dict[int, str | int] = {
  **{code: f"[U+{code:04X}]" for code in (*_TURNING, *range(0x7F, 0xA0))},
  **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"},
}


def number(value: Any) -> str:
  """Formats a number for a person; None and NaN become a dash, other values their text."""
  if value is None:
    return "-"
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    return str(value)
  return words.number(value)


def visible(page: str) -> str:
  """Returns a page in which characters that hide or turn what stands around them are named.

  A label, text or file name may hold marks that turn the order of letters, which a browser would
  obey in the numbers behind them, too: `99.1%` would read `%1.99`. Control characters are shown as
  their pictures. Spaces, line breaks and joiners, of which emoji are made, stay.

  >>> visible("\u202e12.5 \x1b[0m")
  '[U+202E]12.5 \u241b[0m'
  """
  return page.translate(_VISIBLE)


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
