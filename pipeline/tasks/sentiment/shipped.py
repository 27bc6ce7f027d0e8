"""The sentiment task's sample data: written at first use, to a path that stays the same."""

from __future__ import annotations

import os

from components.errors import BadInputError
from data.sentiment import reviews


def shipped_data() -> str:
  """Writes the made-up reviews below the user's cache folder and returns the file's path.

  Raises:
    BadInputError: the cache folder cannot be written.
  """
  cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
  target = os.path.join(cache, "dlpipe", "sentiment", "reviews.csv")
  try:
    return reviews.write_reviews(target)
  except OSError as err:
    raise BadInputError(
      f"Cannot write the sample reviews to {target!r}: {err.strerror or err}. Set XDG_CACHE_HOME "
      "to a folder that can be written, or give your own texts with --data."
    ) from err
