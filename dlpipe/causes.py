"""Finds the cause of an exception that Beam or TFX has wrapped; imports neither."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from dlpipe import errors
from dlpipe.errors import BadInputError, BusyError, DlpipeError
from dlpipe.own_names import explain

# Flink and Spark return a worker's error as the text of its traceback.
_RAISED_ELSEWHERE = re.compile(
  r"^dlpipe\.errors\.(\w+): (.*?)(?: \[while running |\n\n|\Z)", re.MULTILINE | re.DOTALL
)
# The messages of Beam's, TensorFlow's and SQLite's C++ code for Python's ENOSPC.
_FULL = ("No space left on device", "database or disk is full", "Disk quota exceeded")

# SQLite's message for a file that another program is writing to.
LOCKED = "database is locked"


def chain(error: BaseException | None) -> Iterator[BaseException]:
  """Yields the error and its causes, the outermost first."""
  seen: set[int] = set()
  while error is not None and id(error) not in seen:
    yield error
    seen.add(id(error))
    error = error.__cause__ or error.__context__


def user_error(error: BaseException | None) -> DlpipeError | None:
  """Returns the `DlpipeError` that an exception wraps, or None."""
  for cause in chain(error):
    if isinstance(cause, DlpipeError):
      return cause
    if isinstance(cause, RuntimeError) and (raised := _RAISED_ELSEWHERE.search(str(cause))):
      kind = getattr(errors, raised[1], None)
      return kind(raised[2]) if kind is not None else DlpipeError(raised[2])
    if isinstance(cause, ImportError) and (hidden := explain(cause)):
      return BadInputError(hidden)
  if any(is_full(cause) for cause in chain(error)):
    return DlpipeError(
      "no space is left on a disk that is written to, or a quota is used up: of the workspace, the "
      "output or the temporary folder. Make room, and run again."
    )
  if any(LOCKED in str(cause) for cause in chain(error)):
    return BusyError(
      "the metadata store is locked by another program. Run again when it is done with it."
    )
  return None


def is_full(error: BaseException) -> bool:
  """Returns whether an error says that the disk is full or a quota is exhausted."""
  if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
    return True
  return any(text in str(error) for text in _FULL)


def is_interrupt(error: BaseException | None) -> bool:
  """Returns whether Ctrl-C caused an exception."""
  # Beam turns any exception into a RuntimeError that names it, Ctrl-C included.
  return any(
    isinstance(cause, KeyboardInterrupt) or str(cause).startswith("KeyboardInterrupt")
    for cause in chain(error)
  )
