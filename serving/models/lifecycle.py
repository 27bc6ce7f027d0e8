"""Loads and unloads versions so that a model never stops answering while it changes.

The rules for each model: While a new version loads, the old one serves. The old one is unloaded
when the new one is available, so a version that fails to load changes nothing. An unload waits for
the requests that hold the version. Source: tensorflow_serving/core/{aspired_versions_manager,
availability_preserving_policy,loader_harness,servable_state_monitor}.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import pathlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from serving.errors import Internal, NotFound, ServingError
from serving.models.servable import Servable

_LOG = logging.getLogger(__name__)


class State(enum.IntEnum):
  """Numbers of `ModelVersionStatus.State`."""

  START = 10
  LOADING = 20
  AVAILABLE = 30
  UNLOADING = 40
  END = 50


@dataclasses.dataclass(frozen=True)
class VersionStatus:
  """The state of one version; the error says why it ended."""

  version: int
  state: State
  error: ServingError | None = None


class Loader:
  """Loads and unloads versions."""

  def load(self, name: str, version: int, path: pathlib.Path) -> Servable:
    """Returns a version that is ready to answer; raises `ServingError`."""
    raise NotImplementedError

  def unload(self, servable: Servable) -> None:
    """Frees a version that no request holds any more."""
    raise NotImplementedError


@dataclasses.dataclass(eq=False)
class _Record:
  name: str
  version: int
  path: pathlib.Path
  is_aspired: bool = True
  state: State = State.START
  error: ServingError | None = None
  servable: Servable | None = None
  has_thread: bool = False


class ModelManager:
  """All versions of all models. Its methods may be called from any thread."""

  def __init__(
    self,
    loader: Loader,
    *,
    load_threads: int = 1,
    max_load_retries: int = 5,
    load_retry_interval_s: float = 60.0,
  ):
    """Loads nothing yet.

    Args:
      loader: loads and unloads versions.
      load_threads: how many versions load at the same time.
      max_load_retries: how often a load that failed is tried again.
      load_retry_interval_s: seconds before each of these tries.
    """
    self._loader = loader
    self._slots = threading.Semaphore(max(1, load_threads))
    self._max_retries = max_load_retries
    self._retry_interval_s = load_retry_interval_s
    self._changed = threading.Condition()
    self._records: dict[str, dict[int, _Record]] = {}
    # Requests read this without a lock: it is replaced as a whole and never changed. The key None
    # has the largest version that is available.
    self._serving: Mapping[str, Mapping[int | None, Servable]] = {}
    self._is_closing = False

  def acquire(self, name: str, version: int | None = None) -> Servable:
    """Returns a version to use in a `with` block; None takes the largest that is available.

    Raises:
      NotFound: the version is not loaded.
    """
    while True:
      servable = self._serving.get(name, {}).get(version)
      if servable is None:
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise NotFound(f"Servable not found for request: {wanted}")
      if servable.acquire():
        return servable

  def statuses(self, name: str) -> list[VersionStatus]:
    """Returns the statuses of all versions so far, the highest first."""
    with self._changed:
      records = self._records.get(name, {})
      return [
        VersionStatus(version, records[version].state, records[version].error)
        for version in sorted(records, reverse=True)
      ]

  def is_available(self, name: str, version: int) -> bool:
    """Returns whether a version can answer now."""
    return version in self._serving.get(name, {})

  def aspire(self, name: str, versions: Mapping[int, pathlib.Path]) -> None:
    """Sets the versions of a model that should be served from now on."""
    with self._changed:
      if self._is_closing:
        return
      records = self._records.setdefault(name, {})
      for version, path in versions.items():
        record = records.setdefault(version, _Record(name, version, path))
        was_dropped = not record.is_aspired
        record.path, record.is_aspired = path, True
        if was_dropped and record.state is State.END:
          self._move(record, State.START)
      for record in records.values():
        record.is_aspired = record.version in versions
      self._changed.notify_all()
      self._advance(name)

  def wait_until_available(
    self, names: Iterable[str], timeout_s: float | None = None
  ) -> dict[str, VersionStatus]:
    """Waits until each model has an available version, or none of its aspired ones can be.

    A model without any version yet is waited for.

    Returns:
      The models that failed, each with its highest failed version.
    """
    pending, failed = set(names), {}
    with self._changed:

      def is_settled() -> bool:
        for name in sorted(pending):
          wanted = [r for r in self._records.get(name, {}).values() if r.is_aspired]
          if any(r.state is State.AVAILABLE for r in wanted) or name in self._serving:
            pending.discard(name)
          elif wanted and all(r.state is State.END for r in wanted):
            last = max(wanted, key=lambda r: r.version)
            failed[name] = VersionStatus(last.version, last.state, last.error)
            pending.discard(name)
        return not pending or self._is_closing

      self._changed.wait_for(is_settled, timeout_s)
    return failed

  def close(self, timeout_s: float = 30.0) -> None:
    """Unloads everything, waiting for requests in flight."""
    with self._changed:
      for name in list(self._records):
        self.aspire(name, {})
      self._is_closing = True
      self._changed.notify_all()
      self._changed.wait_for(
        lambda: not any(r.has_thread for v in self._records.values() for r in v.values()), timeout_s
      )

  def _advance(self, name: str) -> None:
    """Starts the next loads and unloads; called with the lock after each change."""
    records = sorted(self._records[name].values(), key=lambda r: r.version)
    ready = [r for r in records if r.state is State.AVAILABLE]
    dropped = [r for r in ready if not r.is_aspired]
    is_covered = len(dropped) < len(ready) or not any(r.is_aspired for r in records)
    for record in dropped if is_covered else dropped[:-1]:
      self._move(record, State.UNLOADING)
      self._start(self._unload, record)
    for record in reversed(records):
      if record.state is State.START and not record.has_thread and record.is_aspired:
        self._start(self._load, record)

  def _start(self, work: Callable[[_Record], None], record: _Record) -> None:
    record.has_thread = True
    title = f"{work.__name__.strip('_')} {record.name} {record.version}"
    threading.Thread(target=work, args=(record,), name=title, daemon=True).start()

  def _load(self, record: _Record) -> None:
    error: ServingError | None = None
    for attempt in range(self._max_retries + 1):
      with self._slots:
        if not self._begin_load(record):
          self._finish(record, State.END)
          return
        try:
          servable = self._loader.load(record.name, record.version, record.path)
        except ServingError as err:
          error = err
        except Exception as err:
          _LOG.exception("Loading %s version %d failed", record.name, record.version)
          error = Internal(f"{type(err).__name__}: {err}")
        else:
          self._finish(record, State.AVAILABLE, servable=servable)
          return
      _LOG.error(
        "Loading %s version %d failed (attempt %d of %d): %s",
        record.name, record.version, attempt + 1, self._max_retries + 1, error,
      )  # fmt: skip
      if attempt < self._max_retries:
        with self._changed:
          self._changed.wait_for(lambda: self._is_dropped(record), self._retry_interval_s)
    self._finish(record, State.END, error=error)

  def _begin_load(self, record: _Record) -> bool:
    with self._changed:
      if self._is_dropped(record):
        return False
      self._move(record, State.LOADING)
      return True

  def _is_dropped(self, record: _Record) -> bool:
    return self._is_closing or not record.is_aspired

  def _unload(self, record: _Record) -> None:
    servable = record.servable
    if servable is not None:
      servable.drain()
      record.servable = None
      try:
        self._loader.unload(servable)
      except Exception:
        _LOG.exception("Unloading %s version %d failed", record.name, record.version)
    # Frees the rest here: whoever waits for the end may end the process.
    del servable
    self._finish(record, State.END)

  def _finish(
    self,
    record: _Record,
    state: State,
    *,
    servable: Servable | None = None,
    error: ServingError | None = None,
  ) -> None:
    with self._changed:
      record.has_thread = False
      record.servable = servable
      self._move(record, state, error)
      # Dropped and wanted again while it was being unloaded: it starts once more.
      if state is State.END and record.is_aspired and error is None and not self._is_closing:
        self._move(record, State.START)
      self._advance(record.name)

  def _move(self, record: _Record, state: State, error: ServingError | None = None) -> None:
    if state is not record.state:
      _LOG.info("%s version %d: %s", record.name, record.version, state.name)
    record.state, record.error = state, error
    self._publish(record.name)
    self._changed.notify_all()

  def _publish(self, name: str) -> None:
    versions: dict[int | None, Servable] = {
      r.version: r.servable
      for r in self._records[name].values()
      if r.state is State.AVAILABLE and r.servable is not None
    }
    serving: dict[str, Mapping[Any, Servable]] = dict(self._serving)
    serving.pop(name, None)
    if versions:
      versions[None] = versions[max(v for v in versions if v is not None)]
      serving[name] = versions
    self._serving = serving
