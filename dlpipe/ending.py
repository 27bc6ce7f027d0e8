"""Ends a process at once, and does what matters of the interpreter's cleanup."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Collection
from typing import NoReturn

# TensorFlow's AutoGraph writes a module for each function that it converts, and deletes it when
# the interpreter ends.
_GENERATED = "__autograph_generated_file"


def end_now(code: int) -> NoReturn:
  """Ends this process with an exit code.

  Threads of TensorFlow, Beam and gRPC take seconds to end with the interpreter, or abort it.
  """
  logging.shutdown()
  for stream in (sys.stdout, sys.stderr):
    # A full disk or a closed pipe does not change the exit code.
    with contextlib.suppress(OSError, ValueError):
      stream.flush()
  delete_generated()
  os._exit(code)


def delete_generated(*, but: Collection[str] = ()) -> None:
  """Deletes the files that TensorFlow has generated in this process, except `but`."""
  for path in generated_files().difference(but):
    with contextlib.suppress(OSError):  # another user's cleanup was faster
      os.unlink(path)


def generated_files() -> set[str]:
  """Returns the paths of the files that TensorFlow has generated in this process."""
  return {
    path
    for name, module in list(sys.modules.items())
    if name.startswith(_GENERATED) and (path := getattr(module, "__file__", None))
  }
