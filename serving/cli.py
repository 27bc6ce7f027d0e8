"""The command line of the model server: reads TensorFlow Serving's flags and runs a server.

Imports TensorFlow only when the flags are right.
"""

from __future__ import annotations

import gc
import importlib.metadata
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from serving.errors import ServingError
from serving.flags import Flags, check, parse, refuse_misspelt, usage
from serving.network.sockets import require_free
from serving.quiet_import import quieten_tensorflow
from serving.telemetry.log_lines import LineFormatter

# With TensorFlow imported a full collection takes 0.1 s and more. Importing it would set off
# several, and so would building the lists of one large request.
_GC_THRESHOLDS = (50_000, 50, 1000)
_FAILED = 255  # TensorFlow Serving's -1


def main(args: Sequence[str] | None = None) -> int:
  """Serves until SIGTERM or SIGINT; returns the exit code."""
  args = sys.argv[1:] if args is None else args
  if "--help" in args:
    _say(usage())
    return 0
  try:
    flags, unknown = parse(args)
    refuse_misspelt(unknown)
  except ServingError as err:
    _say(f"{err}\n{usage()}")
    return _FAILED
  for argument in unknown:
    _say(f"unknown argument: {argument}")
  if unknown:
    _say(usage())
  if flags.version:
    _say(f"TensorFlow ModelServer: dlpipe {_version('dlpipe')}")
    _say(f"TensorFlow Library: {_version('tensorflow')}")
    return 0
  return serve(flags)


def serve(flags: Flags) -> int:
  """Runs a server with these flags until a signal; returns the exit code."""
  gc.set_threshold(*_GC_THRESHOLDS)
  lines = logging.StreamHandler()
  lines.setFormatter(LineFormatter("%(asctime)s %(levelname).1s %(message)s"))
  logging.basicConfig(level=logging.INFO, handlers=[lines])
  stopped = threading.Event()
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stopped.set())
  server: Any = None
  try:
    check(flags)
    for port in (flags.port, flags.rest_api_port):
      require_free(flags.host, port)
    quieten_tensorflow()
    from serving.server import ModelServer

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    server = ModelServer(flags)
    if not _start(server, stopped):
      return 0
  except ServingError as err:
    _say(f"Failed to start server. Error: {err.grpc_code}: {err}")
    return _FAILED
  gc.collect()
  gc.freeze()
  stopped.wait()
  logging.getLogger(__name__).info("Stopping: requests in flight are answered first.")
  server.stop()
  return 0


def _start(server: Any, stopped: threading.Event) -> bool:
  """Starts the server in a thread, so that a signal ends the wait for a model; False if one did."""
  errors: list[BaseException] = []

  def start() -> None:
    try:
      server.start()
    except BaseException as err:
      errors.append(err)
    finally:
      started.set()

  started = threading.Event()
  threading.Thread(target=start, name="start", daemon=True).start()
  while not started.wait(0.05):
    if stopped.is_set():
      return False
  if errors:
    raise errors[0]
  return True


def _version(package: str) -> str:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return "unknown"


def _say(text: str) -> None:
  sys.stdout.write(text + "\n")
  sys.stdout.flush()


def run(args: Sequence[str] | None = None) -> None:
  """Like `main`, and ends the process with its code.

  At once: TensorFlow's and gRPC's threads do not outlive the interpreter's end in peace.
  """
  code = main(args)
  logging.shutdown()
  sys.stdout.flush()
  os._exit(code)
