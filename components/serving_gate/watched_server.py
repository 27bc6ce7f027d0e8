"""Run with `-m` and the server's flags, it is `python -m serving` that ends with its parent.

The parent holds the other end of standard input, and whatever ends the parent closes it, SIGKILL
included. So no server outlives a run that was killed.
"""

from __future__ import annotations

import os
import runpy
import threading


def _end_with_the_parent() -> None:
  # Not through sys.stdin, whose lock this thread would hold when the interpreter ends: an abort,
  # in place of what the server has to say.
  while os.read(0, 1):
    pass
  os._exit(1)


if __name__ == "__main__":
  threading.Thread(target=_end_with_the_parent, name="watch parent", daemon=True).start()
  runpy.run_module("serving", run_name="__main__", alter_sys=True)
