"""Writes the images task's sample data at first use, to a fixed path."""

from __future__ import annotations

from data.images import digits
from pipeline.shipped import shipped_path


def shipped_data() -> str:
  """Writes the handwritten digits at first use; returns their path.

  Raises:
    BadInputError: the cache folder cannot be written.
  """
  return shipped_path(digits.write_digits, "images", "digits")
