"""Paths that a user gives: they are on this machine, or are refused before anything is made there.

Imports only the standard library and our errors.
"""

from __future__ import annotations

import os
import re

from dlpipe.errors import BadInputError

# Also where a folder of such a name is there: an older release has made it by mistake.
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")


def require_local(option: str, path: str) -> str:
  """Returns the path, absolute.

  Args:
    option: what it was given as, such as `--data`.
    path: as it was given.

  Raises:
    BadInputError: it is empty, or the address of something elsewhere, such as
      `gs://bucket/pictures`.
  """
  if not path:
    # As of a variable that is not set: what was meant is not what holds without the option.
    raise BadInputError(
      f"{option} takes a path. Received an empty text; give one, or leave it out."
    )
  scheme = _SCHEME.match(path)
  if scheme is None:
    return os.path.abspath(path)
  if scheme[1].lower() == "file":
    advice = "leave file:// out"
  elif option in ("--data", "--input"):
    advice = "copy it here first, or give the folder where it is mounted"
  else:
    advice = "give a folder here, such as one where the bucket is mounted"
  raise BadInputError(f"{option} takes a path on this machine. Received: {path!r}; {advice}.")
