"""Imports TensorFlow without the lines that its libraries write while they are loaded."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator


def import_tensorflow() -> None:
  """Imports TensorFlow and keeps what it writes to stderr meanwhile, unless the import fails.

  TensorFlow 2.21 says there that it uses oneDNN and found no GPU, at any `TF_CPP_MIN_LOG_LEVEL`:
  its logging is not set up yet. Who sets that variable below 3 sees the lines.
  """
  if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") < "3" or "tensorflow" in sys.modules:
    importlib.import_module("tensorflow")
    return
  with _kept_back():
    importlib.import_module("tensorflow")


@contextlib.contextmanager
def _kept_back() -> Iterator[None]:
  """Sends file descriptor 2 to a file in the block; shows what is there if the block fails."""
  sys.stderr.flush()
  with tempfile.TemporaryFile() as kept:
    real = os.dup(2)
    os.dup2(kept.fileno(), 2)
    failed = True
    try:
      yield
      failed = False
    finally:
      sys.stderr.flush()
      os.dup2(real, 2)
      os.close(real)
      if failed:
        kept.seek(0)
        os.write(2, kept.read())
