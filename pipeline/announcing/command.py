"""Starts a program of the user's with a notice on its standard input."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess

from pipeline.announcing.notices import Notice, NotToldError

_SHOWN = 200  # characters of what the program wrote
_PATIENCE_S = 1.0  # for the end of what was killed


def run(notice: Notice, command: str, *, timeout_s: float) -> None:
  """Runs a program and waits for it; no shell reads the command.

  Args:
    notice: what to tell; its JSON goes to stdin.
    command: the program with its arguments, quoted as for a shell.
    timeout_s: seconds until it is ended.

  Raises:
    NotToldError: it cannot be started, ended with another code than 0, or took too long.
  """
  try:
    started = subprocess.Popen(
      shlex.split(command),
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      start_new_session=True,
    )
  except (OSError, ValueError) as err:
    raise NotToldError(f"it cannot be started: {getattr(err, 'strerror', None) or err}") from err
  said = b""
  try:
    said, _ = started.communicate(json.dumps(notice.document).encode(), timeout=timeout_s)
  except subprocess.TimeoutExpired as err:
    # A program that left another one behind, which holds its output open, has ended all the same.
    if started.poll() is None:
      _end(started)
      raise NotToldError(f"it took more than {timeout_s:g} seconds and was ended") from err
  finally:
    _close(started)
  if started.returncode:
    last = said.decode("utf-8", "replace").strip()[-_SHOWN:]
    raise NotToldError(f"it ended with {started.returncode}{f': {last}' if last else ''}")


def _end(started: subprocess.Popen[bytes]) -> None:
  """Ends a program with what it has started; who left its group is not waited for."""
  with contextlib.suppress(ProcessLookupError):
    os.killpg(started.pid, signal.SIGKILL)
  with contextlib.suppress(subprocess.TimeoutExpired):
    started.wait(timeout=_PATIENCE_S)


def _close(started: subprocess.Popen[bytes]) -> None:
  for pipe in (started.stdin, started.stdout):
    with contextlib.suppress(OSError):
      if pipe is not None:
        pipe.close()
