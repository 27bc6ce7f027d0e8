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
  body = json.dumps(notice.document, ensure_ascii=False).encode()
  try:
    said, _ = started.communicate(body, timeout=timeout_s)
  except subprocess.TimeoutExpired as err:
    with contextlib.suppress(ProcessLookupError):
      os.killpg(started.pid, signal.SIGKILL)  # with what it has started
    started.communicate()
    raise NotToldError(f"it took more than {timeout_s:g} seconds and was ended") from err
  if started.returncode:
    last = said.decode("utf-8", "replace").strip()[-_SHOWN:]
    raise NotToldError(f"it ended with {started.returncode}{f': {last}' if last else ''}")
