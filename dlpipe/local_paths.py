"""Refuses paths that are not on this machine, before anything is created.

Imports only the standard library and our errors.
"""

from __future__ import annotations

import os
import re

from dlpipe.errors import BadInputError

# Even if a folder of this name exists: an older release created it by mistake.
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")


def require_local(option: str, path: str) -> str:
  """Returns the absolute path.

  Args:
    option: the option that gave the path, such as `--data`.
    path: the path as the user wrote it.

  Raises:
    BadInputError: the path is empty, or a remote address such as `gs://bucket/pictures`.
  """
  if not path:
    # Such as an unset shell variable: the user did not mean the default.
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
