"""Loads a version: session, batches if they are wanted, warm-up.

Source: tensorflow_serving/servables/tensorflow/saved_model_bundle_factory.cc.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import pathlib
import time
from collections.abc import Callable

from serving.errors import ServingError
from serving.models import tflite
from serving.models.lifecycle import Loader
from serving.models.servable import Servable
from serving.models.sessions import Runnable, SavedModelSession, SessionOptions
from serving.models.tflite import TfliteSession
from serving.models.warmup import warm_up

_LOG = logging.getLogger(__name__)

# Given a session and the version's folder, returns what runs in its place.
Wrap = Callable[[Runnable, pathlib.Path], Runnable]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoadOptions:
  """How versions are loaded.

  Attributes:
    session: how sessions are made.
    tflite_interpreters: interpreters of each TFLite model; 0 if TFLite models are not preferred.
    with_warmup: whether recorded requests are sent before a version is available.
    warmup_iterations: how often each of them is sent; 0 means once.
    wrap: puts batches in front of a session; None if there are no batches.
    on_warmup: told the version's folder, the status' name, the number of requests and the seconds.
  """

  session: SessionOptions = dataclasses.field(default_factory=SessionOptions)
  tflite_interpreters: int = 0
  with_warmup: bool = True
  warmup_iterations: int = 0
  wrap: Wrap | None = None
  on_warmup: Callable[[pathlib.Path, str, int, float], None] | None = None


class SavedModelLoader(Loader):
  """Loads SavedModels."""

  def __init__(self, options: LoadOptions | None = None):
    """Loads nothing yet.

    Args:
      options: how to load; None takes the defaults.
    """
    self._options = options or LoadOptions()

  def load(self, name: str, version: int, path: pathlib.Path) -> Servable:
    started = time.monotonic()
    session = self._read(path)
    runner: Runnable = session
    try:
      if self._options.wrap is not None:
        runner = self._options.wrap(session, path)
      servable = Servable(name, version, runner=runner, signatures=session.signatures, path=path)
      if self._options.with_warmup:
        self._warm_up(servable, path)
    except BaseException:
      runner.close()
      raise
    _LOG.info("Loaded %s version %d in %.2f s", name, version, time.monotonic() - started)
    return servable

  def unload(self, servable: Servable) -> None:
    servable.runner.close()
    # Reading a graph leaves reference cycles, a quarter of a megabyte each time, and the running
    # server hardly ever collects the old generation. Objects from the start are frozen, so this is
    # quick.
    gc.collect()

  def _read(self, path: pathlib.Path) -> SavedModelSession | TfliteSession:
    if self._options.tflite_interpreters and (path / tflite.FILE).is_file():
      return TfliteSession(path, interpreters=self._options.tflite_interpreters)
    return SavedModelSession(path, self._options.session)

  def _warm_up(self, servable: Servable, path: pathlib.Path) -> None:
    started, status, count = time.monotonic(), "OK", 0
    try:
      count = warm_up(servable, path, iterations=self._options.warmup_iterations)
    except ServingError as err:
      status = err.grpc_code
      raise
    finally:
      if self._options.on_warmup is not None and (count or status != "OK"):
        self._options.on_warmup(path, status, count, time.monotonic() - started)
