"""Keeps a run's noise off the screen: everything written to stdout and stderr goes to the log file.

TensorFlow, Beam and their C++ parts write to the file descriptors 1 and 2 whatever Python's logging
is told, so `quiet_output` redirects the descriptors themselves. The command line puts it around a
run; `terminal` writes to the streams it yields. Imports no TensorFlow, no TFX.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import io
import logging
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from dlpipe.causes import is_full
from dlpipe.errors import BadInputError

LOG_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RealStreams:
  """The streams that still reach the person while everything else goes to the log.

  Attributes:
    stdout: what stdout was, a terminal if it was one.
    stderr: what stderr was.
  """

  stdout: TextIO
  stderr: TextIO


def quieten_imports(*, on_screen: bool = False) -> None:
  """Sets the variables that TensorFlow and protobuf read at import; a user's values stay.

  Args:
    on_screen: whether their messages go to the screen, not to a log.
  """
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if on_screen else "1")
  if on_screen:
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
  os.environ.setdefault("TEMPORARILY_DISABLE_PROTOBUF_VERSION_CHECK", "true")


@contextlib.contextmanager
def quiet_output(log_path: str | os.PathLike[str]) -> Iterator[RealStreams]:
  """Sends stdout, stderr and Python's logging to a log file for the length of the block.

  Child processes inherit the redirection. What was there is restored when the block ends in any
  way; the traceback of an error that leaves the block is written to the log.

  Args:
    log_path: the file to append to; its folder is made.

  Yields:
    The real stdout and stderr.

  Raises:
    BadInputError: the log file cannot be written.
    OSError: no space is left for it.
  """
  path = pathlib.Path(log_path)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
  except OSError as err:
    if is_full(err):
      raise
    raise BadInputError(
      f"The log file {str(path)!r} cannot be written: {err.strerror or err}. "
      "Free the path or choose another --workspace."
    ) from err
  handler.setFormatter(logging.Formatter(LOG_FORMAT))
  with contextlib.ExitStack() as stack:
    stack.callback(_close, handler)
    real = RealStreams(
      stdout=stack.enter_context(_redirected("stdout", 1, handler.stream)),
      stderr=stack.enter_context(_redirected("stderr", 2, handler.stream)),
    )
    stack.enter_context(_logging_to(handler))
    try:
      yield real
    except Exception:
      logging.getLogger("dlpipe").exception("The run ended with an error.")
      raise


@contextlib.contextmanager
def _redirected(name: str, descriptor: int, log: TextIO | Any) -> Iterator[TextIO]:
  """Points a descriptor, and the `sys` stream of that name, at the log; yields the real stream."""
  python_stream = getattr(sys, name)
  on_descriptor = _fileno(python_stream) == descriptor
  _flush(python_stream)
  saved = os.dup(descriptor)
  if on_descriptor:
    real = os.fdopen(
      os.dup(saved), "w", buffering=1, encoding=python_stream.encoding, errors="replace"
    )
  else:
    # Somebody captures Python's stream apart from the descriptor: click's test runner, pytest.
    real = python_stream
    switched = _SwitchedStream(log, afterwards=python_stream)
    setattr(sys, name, switched)
  try:
    os.dup2(log.fileno(), descriptor)
    yield real
  finally:
    if on_descriptor:
      _flush(python_stream)
    else:
      setattr(sys, name, python_stream)
      switched.switch()
    _flush_c_buffers()
    _flush(real)
    os.dup2(saved, descriptor)
    os.close(saved)
    if on_descriptor:
      # Closing flushes again, and a reader that left (`| head`) makes that fail.
      with contextlib.suppress(OSError):
        real.close()


@contextlib.contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
  """Makes `handler` the one that reaches a file or a screen; other kinds of handlers stay."""
  root = logging.getLogger()
  screens = [each for each in root.handlers if _writes_to_screen(each)]
  # `getLogger("absl")` before absl is imported would give it a logger of the wrong class.
  loggers = [root] + ([logging.getLogger("absl")] if "absl.logging" in sys.modules else [])
  levels = [logger.level for logger in loggers]
  for each in screens:
    root.removeHandler(each)
  root.addHandler(handler)
  for logger in loggers:
    logger.setLevel(logging.INFO)
  try:
    yield
  finally:
    root.removeHandler(handler)
    for each in screens:
      root.addHandler(each)
    for logger, level in zip(loggers, levels, strict=True):
      logger.setLevel(level)


def _writes_to_screen(handler: logging.Handler) -> bool:
  if type(handler).__module__.startswith("absl"):
    return True
  stream = getattr(handler, "stream", None)
  return isinstance(stream, _SwitchedStream) or stream in (
    sys.stdout,
    sys.stderr,
    sys.__stdout__,
    sys.__stderr__,
  )


class _SwitchedStream(io.TextIOBase):
  """Writes to the log during a run and to the original stream afterwards.

  Libraries imported during the run keep what they found in `sys.stderr` for ever.
  """

  def __init__(self, log: TextIO, *, afterwards: TextIO):
    self._target, self._afterwards = log, afterwards

  def switch(self) -> None:
    self._target.flush()
    self._target = self._afterwards

  def write(self, text: str) -> int:
    return self._target.write(text)

  def flush(self) -> None:
    self._target.flush()

  def fileno(self) -> int:
    return self._target.fileno()

  def writable(self) -> bool:
    return True

  @property
  def encoding(self) -> str:  # type: ignore[override]
    return self._target.encoding


def _fileno(stream: TextIO | None) -> int | None:
  try:
    return None if stream is None else stream.fileno()
  except (OSError, ValueError):
    return None


def _flush(stream: TextIO | None) -> None:
  # A reader that left, as in `dlpipe run | head`, must not keep the descriptors from their place.
  with contextlib.suppress(OSError, ValueError):
    if stream is not None:
      stream.flush()


def _close(handler: logging.Handler) -> None:
  # If the disk is full, the rest of the log is lost; the result of the run is not.
  with contextlib.suppress(OSError):
    handler.close()


def _flush_c_buffers() -> None:
  """Flushes C's stdout, which is buffered if it is not a terminal; its rest belongs to the log."""
  ctypes.CDLL(None).fflush(None)
