"""Writes the sentiment task's sample data at first use, to a fixed path."""

from __future__ import annotations

from data.sentiment import reviews
from pipeline.shipped import shipped_path


def shipped_data() -> str:
  """Writes the made-up reviews at first use; returns their path.

  Raises:
    BadInputError: the cache folder cannot be written.
  """
  return shipped_path(reviews.write_reviews, "sentiment", "reviews.csv")
