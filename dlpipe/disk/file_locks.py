"""Waits for a locked file: reports the process that holds the lock, and gives up after a limit."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import sys
import time
from collections.abc import Callable

from dlpipe import progress
from dlpipe.errors import BusyError

NOTICE_AFTER_S = 10.0
_POLL_S = 0.1
_COMMAND_SHOWN = 80


def wait(take: Callable[[], bool], path: str | os.PathLike[str], *, give_up_after_s: float) -> None:
  """Tries to take a lock until it succeeds; after ten seconds it reports the holder of the lock.

  Args:
    take: tries once, and returns whether it succeeded.
    path: the locked file.
    give_up_after_s: how long to try, in seconds.

  Raises:
    BusyError: the lock was not taken within `give_up_after_s`.
  """
  started = time.monotonic()
  told = False
  while not take():
    waited = time.monotonic() - started
    if waited >= give_up_after_s:
      raise BusyError(
        f"{path} has been locked by {holders(path)} for {waited:.0f} s. Nothing was changed. Run "
        "again when it is done."
      )
    if not told and waited >= NOTICE_AFTER_S:
      told = True
      _say(
        f"waiting for {path}, which is locked by {holders(path)}; giving up after "
        f"{give_up_after_s:.0f} s"
      )
    time.sleep(_POLL_S)


def holders(path: str | os.PathLike[str]) -> str:
  """Returns the process ids and command lines that hold a lock on a file, as far as known."""
  found = sorted((_lock_owners(path) or _open_in(path)) - {os.getpid()})
  named = [f"process {pid}{_command(pid)}" for pid in found]
  return " and ".join(named) or "another program"


def _lock_owners(path: str | os.PathLike[str]) -> set[int]:
  """Reads the kernel's list of locks; empty if there is none or the owner is in a container."""
  owners = set()
  with contextlib.suppress(OSError):
    inode = f":{os.stat(path).st_ino}"
    for line in pathlib.Path("/proc/locks").read_text().splitlines():
      fields = line.split()
      # 1: POSIX ADVISORY WRITE <pid> <device>:<inode> <start> <end>; a waiting process has a ->.
      if len(fields) >= 6 and fields[1] != "->" and fields[5].endswith(inode):
        owners.add(int(fields[4]))
  return {pid for pid in owners if pid > 0}


def _open_in(path: str | os.PathLike[str]) -> set[int]:
  """Returns the processes that have the file open; processes of other users are not visible."""
  wanted = os.path.realpath(path)
  found = set()
  for folder in pathlib.Path("/proc").glob("[0-9]*/fd"):
    with contextlib.suppress(OSError):
      if any(os.path.realpath(each) == wanted for each in folder.iterdir()):
        found.add(int(folder.parent.name))
  return found


def _command(pid: int) -> str:
  with contextlib.suppress(OSError):
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    if words:
      shown = words if len(words) <= _COMMAND_SHOWN else f"{words[:_COMMAND_SHOWN]}..."
      return f" ({shown})"
  return ""


def _say(message: str) -> None:
  if logging.getLogger(progress.LOGGER_NAME).handlers:
    progress.report(message)  # to the screen of the run
  else:
    sys.stderr.write(f"{message[0].upper()}{message[1:]}\n")
    sys.stderr.flush()
