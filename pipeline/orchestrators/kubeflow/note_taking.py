"""Takes the note of the node of this container, and ends the run where it has come to its end."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Mapping
from typing import Any

from dlpipe import nodes
from dlpipe.errors import DlpipeError
from pipeline.execution.output import LOG_FORMAT
from pipeline.orchestrators.kubeflow import run_notes
from pipeline.orchestrators.kubeflow.run_notes import Note, Place

_LOGGER = logging.getLogger("dlpipe")
_LAST = nodes.VERSIONED_PUSHER.id


class Notes:
  """What is noted of one node; a node without a place in a pipeline leaves nothing.

  What goes wrong here fails no node: the log says it, and the model is served or refused as it is.
  """

  def __init__(self, place: Place | None):
    self._place = place
    self._run_id: str | None = None
    self._invocation: Mapping[str, Any] = {}
    self._started = time.time()

  def begun(self, invocation: Mapping[str, Any]) -> None:
    """Takes in what the node is given: an `ExecutorInput` as JSON, with local paths."""
    if self._place is None:
      return
    self._invocation = invocation
    self._run_id = self._place.run_of(invocation)
    if self._run_id is not None:
      self._log_to_run(self._place, self._run_id)

  def done(self, result: Mapping[str, Any]) -> None:
    """Notes a success; the last node's ends the run.

    Args:
      result: the `ExecutorOutput` as JSON.
    """
    self._note(0, None, result)

  def failed(self, error: BaseException, code: int) -> None:
    """Notes a failure, which ends the run."""
    said = str(error) if isinstance(error, DlpipeError) else f"{type(error).__name__}: {error}"
    self._note(code, said, None)

  def _log_to_run(self, place: Place, run_id: str) -> None:
    path = place.config.folder.log(run_id)
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    except OSError as err:
      _LOGGER.warning("The run's log %s cannot be written: %s", path, err)
      return
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.getLogger().addHandler(handler)

  def _note(self, code: int, error: str | None, result: Mapping[str, Any] | None) -> None:
    if self._place is None or self._run_id is None:
      return
    try:
      note = Note(
        node=self._place.node,
        started=self._started,
        seconds=round(time.time() - self._started, 2),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        exit_code=code,
        error=error,
        parameters=run_notes.parameters(self._invocation),
        found=run_notes.keep(self._place, self._invocation, result),
      )
      run_notes.write(self._place, self._run_id, note)
      if error is not None or self._place.node == _LAST:
        # Imported here, because most nodes need none of it.
        from pipeline.orchestrators.kubeflow import run_record

        found = run_record.conclude(self._place, self._run_id)
        _LOGGER.info("The report of the run %s is in %s", self._run_id, found.report)
    except Exception:
      _LOGGER.exception("The record of the run could not be written. What the node came to stands.")
