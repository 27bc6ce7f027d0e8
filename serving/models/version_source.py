"""Polls the base paths and tells the manager which versions should be served.

Source: tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc.
"""

from __future__ import annotations

import logging
import os
import pathlib
import re
import threading
from collections.abc import Sequence

from serving.models.lifecycle import ModelManager
from serving.models.model_config import ModelConfig

_LOG = logging.getLogger(__name__)
# The numbers of absl::SimpleAtoi, without white space and minus, which no folder's name has.
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)
_INT64_MAX = 2**63 - 1


class VersionSource:
  """Polls the base paths of the configured models in a separate thread."""

  def __init__(self, manager: ModelManager, *, poll_wait_s: float = 1.0):
    """Polls nothing yet.

    Args:
      manager: told of the versions.
      poll_wait_s: seconds between two polls; 0 polls once, a negative number never.
    """
    self._manager = manager
    self._poll_wait_s = poll_wait_s
    self._models: Sequence[ModelConfig] = ()
    self._polling = threading.Lock()
    self._stop = threading.Event()
    self._told: dict[str, str] = {}

  def set_models(self, models: Sequence[ModelConfig]) -> None:
    """Replaces the models. Those that are gone are unloaded; the others are polled now."""
    with self._polling:
      gone = {model.name for model in self._models} - {model.name for model in models}
      self._models = models
    for name in sorted(gone):
      self._manager.aspire(name, {})
    if self._poll_wait_s >= 0:
      self.poll()

  def start(self) -> None:
    """Starts to poll, unless it polls once or never."""
    if self._poll_wait_s > 0:
      threading.Thread(target=self._run, name="poll base paths", daemon=True).start()

  def stop(self) -> None:
    """Ends polling."""
    self._stop.set()

  def poll(self) -> None:
    """Polls once. A base path that cannot be listed ends the round: the models after it wait."""
    with self._polling:
      for model in self._models:
        try:
          found = find_versions(model.base_path)
        except OSError as err:
          self._tell(
            model,
            logging.ERROR,
            f"Could not find base path {model.base_path} for servable {model.name} "
            f"({err.strerror})",
          )
          return
        if not found:
          self._tell(
            model,
            logging.WARNING,
            f"No versions of servable {model.name} found under base path {model.base_path}. Did "
            "you forget to name your leaf directory as a number (eg. '/1/')?",
          )
        else:
          self._told.pop(model.name, None)
        chosen = model.policy.choose(found)
        missing = sorted(model.policy.specific - chosen.keys())
        if missing:
          self._tell(
            model,
            logging.WARNING,
            f"Version(s) {', '.join(map(str, missing))} of servable {model.name}, requested to be "
            f"served as specific versions, could not be found under {model.base_path}",
          )
        self._manager.aspire(model.name, chosen)

  def _run(self) -> None:
    while not self._stop.wait(self._poll_wait_s):
      self.poll()

  def _tell(self, model: ModelConfig, level: int, message: str) -> None:
    """Logs a message, unless it is the last one of this model."""
    if self._told.get(model.name) != message:
      self._told[model.name] = message
      _LOG.log(level, "%s", message)


def find_versions(base_path: str | os.PathLike[str]) -> dict[int, pathlib.Path]:
  """Maps the number of every version below a base path to its path.

  A version is a child whose whole name is a number, whatever it holds: publishers write elsewhere
  and rename.

  Raises:
    OSError: the base path cannot be listed.
  """
  found = {}
  for child in sorted(pathlib.Path(base_path).iterdir()):
    if _NUMBER.fullmatch(child.name) and int(child.name) <= _INT64_MAX:
      found[int(child.name)] = child
  return found
