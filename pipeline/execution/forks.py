"""Processes that start warm: forked from one that has imported TFX and has not used TensorFlow.

Importing takes four seconds of CPU, a fork some hundredths. TensorFlow's runtime, gRPC's and Beam's
threads do not survive a fork, so the parent must not have started them: it only imports, draws and
compiles.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Callable

from dlpipe.ending import delete_generated, generated_files
from pipeline.execution.output import quieten_imports

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_MODULES = (
  "pipeline.assembly",
  "pipeline.execution.single_node.single",
  "pipeline.training.run",
  "pipeline.training.tuning.search",
)
_PR_SET_PDEATHSIG = 1


def warm_up() -> None:
  """Imports what nodes need: TFX, TensorFlow, Keras, and every task."""
  quieten_imports()
  for name in _MODULES:
    importlib.import_module(name)
  tasks = importlib.import_module("pipeline.tasks")
  for name in tasks.task_names():
    tasks.get_task(name)
  # A fork's search for garbage would look at every imported object, and so copy its page.
  gc.freeze()


def start(body: Callable[[], int]) -> int:
  """Forks a process that runs `body` and ends with the code it returns.

  The process leads its own process group, and is killed when this one dies.

  Args:
    body: runs in the child; an exception is logged and ends it with 1.

  Returns:
    The child's process id; the caller waits for it.
  """
  sys.stdout.flush()
  sys.stderr.flush()
  parent = os.getpid()
  generated = generated_files()
  child = os.fork()
  if child:
    return child
  code = 1
  try:
    os.setsid()
    if sys.platform == "linux":
      ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before that took effect.
    if os.getppid() == parent:
      for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
      code = body()
  except BaseException:
    logging.getLogger("dlpipe").exception("The process of a node ended with an error.")
  finally:
    with contextlib.suppress(OSError, ValueError):
      sys.stdout.flush()
      sys.stderr.flush()
    delete_generated(but=generated)
    # Nothing of the parent's may be run here: no exit handlers, no `finally` further out.
    os._exit(code)


def kill(child: int) -> None:
  """Kills a child process and all that it started; does nothing if it has ended."""
  for send in (os.killpg, os.kill):  # the child may not lead its group yet
    with contextlib.suppress(ProcessLookupError, PermissionError):
      send(child, signal.SIGKILL)


def ending(code: int) -> str:
  """Returns how a process ended, in words that follow its name.

  Args:
    code: as `os.waitstatus_to_exitcode` gives it.
  """
  if code >= 0:
    return f"ended with code {code}"
  name = f" ({signal.Signals(-code).name})" if -code in set(signal.Signals) else ""
  why = ", as where memory runs out" if -code == signal.SIGKILL else ""
  return f"was killed by signal {-code}{name}{why}"


def loaded_sources() -> dict[str, tuple[int, int] | None]:
  """Returns every file of ours that is imported, with its state as `file_state` has it."""
  ours = f"{_REPOSITORY}{os.sep}"
  paths = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
  return {p: file_state(p) for p in paths if p.startswith(ours) and "site-packages" not in p}


def file_state(path: str) -> tuple[int, int] | None:
  """Returns a file's modification time in ns and size in bytes; None if there is no such file."""
  try:
    status = os.stat(path)
  except FileNotFoundError:
    return None
  return status.st_mtime_ns, status.st_size
