"""Starts a program of the user's with a notice on its standard input."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
import threading

from pipeline.announcing.notices import Notice, NotToldError

_SHOWN = 200  # characters of what the program wrote
_KEPT = 4 * _SHOWN  # bytes of it: a character has up to four
_BLOCK = 1 << 16
_PATIENCE_S = 1.0  # for the end of what was killed, and of what was written


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
    # A file, which a program may leave unread.
    with tempfile.TemporaryFile() as body:
      body.write(json.dumps(notice.document).encode())
      body.seek(0)
      started = subprocess.Popen(
        shlex.split(command),
        stdin=body,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
      )
  except (OSError, ValueError) as err:
    raise NotToldError(f"it cannot be started: {getattr(err, 'strerror', None) or err}") from err
  said = _Said(started)
  try:
    started.wait(timeout=timeout_s)
  except subprocess.TimeoutExpired as err:
    with contextlib.suppress(ProcessLookupError):
      os.killpg(started.pid, signal.SIGKILL)  # with what it has started
    started.wait()
    raise NotToldError(f"it took more than {timeout_s:g} seconds and was ended") from err
  finally:
    last = said.end()
  if started.returncode:
    raise NotToldError(f"it ended with {started.returncode}{f': {last}' if last else ''}")


class _Said:
  """Reads what a program writes, so that it can go on, and keeps the end of it."""

  def __init__(self, started: subprocess.Popen[bytes]):
    assert started.stdout is not None
    self._pipe = started.stdout
    self._kept = b""
    self._thread = threading.Thread(target=self._read, daemon=True)
    self._thread.start()

  def end(self) -> str:
    """Returns the last characters; who holds the pipe open after the program is not waited for."""
    self._thread.join(_PATIENCE_S)
    return self._kept.decode("utf-8", "replace").strip()[-_SHOWN:]

  def _read(self) -> None:
    with self._pipe:
      while block := os.read(self._pipe.fileno(), _BLOCK):
        self._kept = (self._kept + block)[-_KEPT:]
