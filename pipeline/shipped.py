"""Where tasks' sample data stands: below the user's cache folder, written at first use."""

from __future__ import annotations

import os
from collections.abc import Callable

from dlpipe.errors import BadInputError


def shipped_path(write: Callable[[str], str], task: str, name: str) -> str:
  """Writes a task's sample data, if it is not there, and returns its path, which stays the same.

  Args:
    write: `(path) -> path`; writes whole or not at all, and raises `OSError`.
    task: the task's name.
    name: of the file or folder.

  Raises:
    BadInputError: the cache folder cannot be written.
  """
  target = os.path.join(cache_folder(task), name)
  try:
    return write(target)
  except OSError as err:
    raise BadInputError(
      f"Cannot write the sample data to {target!r}: {err.strerror or err}. Set XDG_CACHE_HOME to a "
      "folder that can be written, or give your own data with --data."
    ) from err


def is_shipped(path: str, task: str) -> bool:
  """Returns whether a path is that of a task's sample data."""
  return path.startswith(cache_folder(task) + os.sep)


def cache_folder(name: str) -> str:
  """Returns the path of a folder for files that can be written or fetched again."""
  cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
  return os.path.join(cache, "dlpipe", name)
