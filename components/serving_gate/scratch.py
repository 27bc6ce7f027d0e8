"""A temporary folder for a served copy of the model, and the end of those of killed gates."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

_PREFIX = "dlpipe-gate-"
_NEW_PREFIX = "dlpipe-new-gate-"


@contextlib.contextmanager
def folder() -> Iterator[str]:
  """Makes a folder that is locked while it is used; deletes those that nobody uses any more."""
  _clear()
  new = pathlib.Path(tempfile.mkdtemp(prefix=_NEW_PREFIX))
  handle = os.open(new, os.O_RDONLY)
  try:
    # Locked before it gets the name that other processes look for.
    fcntl.flock(handle, fcntl.LOCK_EX)
    used = new.rename(new.with_name(_PREFIX + new.name.removeprefix(_NEW_PREFIX)))
    try:
      yield str(used)
    finally:
      shutil.rmtree(used, ignore_errors=True)
  finally:
    os.close(handle)


def _clear() -> None:
  """Deletes the folders whose owner was killed; another user's stay."""
  for left in pathlib.Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
    with contextlib.suppress(OSError):
      handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
      try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
      finally:
        os.close(handle)
