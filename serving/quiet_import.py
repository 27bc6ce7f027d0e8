"""Lets TensorFlow be imported without the lines that its libraries write while they are loaded.

Called by what a person looks at: the server's command line and the commands of `dlpipe`.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any


def quieten_tensorflow() -> None:
  """Keeps back what TensorFlow writes to stderr while it is imported, unless the import fails.

  TensorFlow 2.21 says there that it uses oneDNN and found no GPU, at any `TF_CPP_MIN_LOG_LEVEL`:
  its logging is not set up yet. Who sets that variable below 3 sees the lines. Imports nothing; a
  second call changes nothing.
  """
  asked_for = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") < "3"
  if not asked_for and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
  """Finds TensorFlow as the others do, once, and wraps how it is executed."""

  def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
    if fullname != "tensorflow":
      return None
    sys.meta_path.remove(self)
    spec = importlib.util.find_spec(fullname)
    loader = spec.loader if spec else None
    if loader is not None:
      execute = loader.exec_module

      def exec_module(module: Any) -> None:
        del loader.exec_module
        with _kept_back():
          execute(module)

      loader.exec_module = exec_module  # type: ignore[method-assign]
    return spec


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
