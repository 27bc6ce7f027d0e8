"""Reports the progress of a run, from any module, to the person who watches it.

Beam functions and training callbacks know neither the runner nor the terminal, so they log to one
named logger. A runner attaches a handler to it; without a handler the lines go to the usual log.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

LOGGER_NAME = "dlpipe.progress"
FIELDS = "dlpipe"

_CANNOT_REDRAW = ("dumb", "unknown")  # values of TERM

_LOGGER = logging.getLogger(LOGGER_NAME)


def report(message: str, **fields: Any) -> None:
  """Logs one line of progress.

  Args:
    message: one line for a person.
    **fields: the same facts for a program, such as `epoch=3`, `epochs=10`, `records=5000`; a
      handler finds them as the log record's attribute `dlpipe`.
  """
  _LOGGER.info(message, extra={FIELDS: fields})


class _Forward(logging.Handler):
  def __init__(self, to: Callable[[str, Mapping[str, Any]], None]):
    super().__init__()
    self._to = to

  def emit(self, record: logging.LogRecord) -> None:
    self._to(record.getMessage(), getattr(record, FIELDS, {}))


@contextlib.contextmanager
def forwarded(to: Callable[[str, Mapping[str, Any]], None]) -> Iterator[None]:
  """Calls a function with the line and the fields of each report in the block."""
  handler, level = _Forward(to), _LOGGER.level
  _LOGGER.addHandler(handler)
  _LOGGER.setLevel(logging.INFO)
  try:
    yield
  finally:
    _LOGGER.removeHandler(handler)
    _LOGGER.setLevel(level)


def can_redraw(stream: TextIO) -> bool:
  """Returns whether a person watches the stream, and lines on it can be drawn anew.

  A terminal that cannot move its cursor, such as Emacs' shell, gets plain lines like a pipe: a
  drawing would show nothing there until the end.
  """
  return stream.isatty() and os.environ.get("TERM", "").lower() not in _CANNOT_REDRAW
