"""The images task's sample data: written at first use, to a path that stays the same."""

from __future__ import annotations

import os

from components.errors import BadInputError
from data.images import digits


def shipped_data() -> str:
  """Writes the handwritten digits below the user's cache folder and returns their path.

  Raises:
    BadInputError: the cache folder cannot be written.
  """
  cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
  target = os.path.join(cache, "dlpipe", "images", "digits")
  try:
    return digits.write_digits(target)
  except OSError as err:
    raise BadInputError(
      f"Cannot write the sample pictures to {target!r}: {err.strerror or err}. Set XDG_CACHE_HOME "
      "to a folder that can be written, or give your own pictures with --data."
    ) from err
