"""Writes a sample of requests and their answers as `PredictionLog` records.

    <dir>/<model>/span-<days since 1970>/requests-<time>-<number>.tfrecord

is a layout that TFX's ExampleGen reads, with the pattern `span-{SPAN}/*` and the payload format
FORMAT_PROTO. A file gets this name when it is complete; until then its name begins with a point. A
separate thread writes what waits every tenth of a second, and hands it to the operating system, so
that a killed server loses no more. If it cannot keep up, or the disk is full, records are dropped
and counted, and no request waits. Files that an earlier server left unfinished are completed at the
start.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import pathlib
import threading
import time
from collections.abc import Callable, Sequence

from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import FailedPrecondition, ServingError
from serving.models.servable import Run
from serving.telemetry import logged, sampling
from serving.telemetry.logged import Noted
from serving.telemetry.record_files import ERRORS, RecordFile, recover, remove_old
from serving.telemetry.sampling import Answer, Sampler, Sampling

_LOG = logging.getLogger(__name__)
_DAY_S = 86400
_MOST_WAITING = 1000
# What waits longer is lost if the server is killed; then rather drop what comes.
_LONGEST_WAIT_S = 1.0
_WRITTEN_EVERY_S = 0.1
_WRITTEN_AT = _MOST_WAITING // 4
_REPORTED_EVERY_S = 10.0
_CLEANED_EVERY_S = 3600.0
_Make = Callable[[], prediction_log_pb2.PredictionLog]
_SAMPLED_ALL = Sampling(rate=1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retention:
  """How long files stay.

  Attributes:
    days: complete files that are older are deleted; 0 keeps all.
    max_bytes: the oldest complete files are deleted until the rest takes no more; 0 keeps all.
  """

  days: float = 0.0
  max_bytes: int = 0


class RequestLog:
  """A sample of requests on the disk.

  Attributes:
    is_model: whether a name is that of a model which is served.
  """

  def __init__(
    self,
    root: str,
    *,
    choice: Sampling = _SAMPLED_ALL,
    omit: Sequence[str] = (),
    keep: Retention | None = None,
    max_file_bytes: int = 64 << 20,
    max_file_age_s: float = 600.0,
  ):
    """Starts the thread that writes.

    Args:
      root: the folder; it is made if it is missing.
      choice: which requests to write.
      omit: inputs, outputs and features that are not written, such as personal data.
      keep: how long files stay; None keeps all.
      max_file_bytes: size at which a file is complete.
      max_file_age_s: seconds after which a file is complete.

    Raises:
      FailedPrecondition: the folder cannot be made.
    """
    self._root = pathlib.Path(root)
    try:
      self._root.mkdir(parents=True, exist_ok=True)
    except OSError as err:
      raise FailedPrecondition(f"--request_log_dir={root}: {err.strerror}") from err
    self.is_model: Callable[[str], bool] = lambda name: True
    self._choice = choice
    self._sampler = Sampler(choice)
    self._omit = frozenset(omit)
    self._keep = keep or Retention()
    # Several files at least, so that the newest requests survive the bound.
    bound = self._keep.max_bytes // 4 or max_file_bytes
    self._max_bytes = min(max_file_bytes, bound)
    self._max_age_s = max_file_age_s
    self._waiting: collections.deque[tuple[float, _Make, Noted]] = collections.deque()
    self._wake = threading.Event()
    self._closing = False
    self._number = 0
    self._files: dict[pathlib.Path, RecordFile] = {}
    self._dropped = 0
    self._dropping = threading.Lock()
    self._lost = 0
    self._lost_why: Exception | None = None
    self._reported_at = -_REPORTED_EVERY_S
    self._cleaned_at = -_CLEANED_EVERY_S
    self._thread = threading.Thread(target=self._write_all, name="request log", daemon=True)
    self._thread.start()

  def answered(self, record: _Make, answer: Callable[[], Answer], run: Run) -> None:
    """Logs a request that got its answer, if it is chosen.

    Args:
      record: makes what is written; called in the thread that writes.
      answer: makes its answer; not called if answers do not count.
      run: how it ran.
    """
    why = self._sampler.why(answer() if self._choice.reads_answers else None)
    if why is not None:
      self._offer(record, Noted.now(run, why))

  def refused(self, model: str, error: ServingError, run: Run) -> None:
    """Logs a request that got an error, without its content."""
    # Callers choose the names of models that are not there, and a name is a folder.
    if self._choice.errors and self.is_model(model):
      # A message may quote what was sent.
      said = error.grpc_code if self._omit else f"{error.grpc_code}: {error.message}"[:1000]
      self._offer(lambda: logged.of_error(model), Noted.now(run, sampling.ERROR, said))

  def close(self) -> None:
    """Writes what waits and completes the files."""
    self._closing = True
    self._wake.set()
    self._thread.join()

  def _offer(self, make: _Make, noted: Noted) -> None:
    now = time.monotonic()
    waiting = len(self._waiting)
    if waiting >= _MOST_WAITING or (waiting and now - self._oldest(now) > _LONGEST_WAIT_S):
      with self._dropping:
        self._dropped += 1
      return
    self._waiting.append((now, make, noted))
    if waiting >= _WRITTEN_AT:
      self._wake.set()

  def _oldest(self, now: float) -> float:
    try:
      return self._waiting[0][0]
    except IndexError:  # the thread was faster
      return now

  def _write_all(self) -> None:
    try:
      recover(self._root)
    except OSError as err:
      self._say_untidy(err)
    self._complete_old()
    while not self._closing:
      self._wake.wait(_WRITTEN_EVERY_S)
      self._wake.clear()
      self._write_waiting()
      self._complete_old()
    self._write_waiting()
    for folder in list(self._files):
      self._complete(folder)
    self._reported_at = -_REPORTED_EVERY_S
    self._report()

  def _write_waiting(self) -> None:
    touched = set()
    count = len(self._waiting)
    for index in range(count):
      _, make, noted = self._waiting[index]
      try:
        record = make()
        logged.without(record, self._omit)
        touched.add(self._write(record, noted))
      except Exception:
        _LOG.exception("A request could not be logged")
    for folder in touched & self._files.keys():
      try:
        self._files[folder].flush()
      except ERRORS as err:
        self._fail(folder, err)
    for _ in range(count):  # what is not flushed counts as waiting
      self._waiting.popleft()

  def _write(self, record: prediction_log_pb2.PredictionLog, noted: Noted) -> pathlib.Path:
    now = time.time()
    record.log_metadata.timestamp_secs = int(now)
    # A model's name may have characters that a file's name must not have.
    model = record.log_metadata.model_spec.name.replace("/", "_").lstrip(".") or "_"
    folder = self._root / model / f"span-{int(now) // _DAY_S}"
    self._number += 1
    try:
      if folder not in self._files:
        self._files[folder] = RecordFile(folder)
      note = noted.message(self._number).SerializeToString()
      self._files[folder].write(record.SerializeToString() + note)
    except ERRORS as err:
      self._fail(folder, err)
    return folder

  def _fail(self, folder: pathlib.Path, err: Exception) -> None:
    self._lost_why = err
    if folder in self._files:
      self._complete(folder)
    else:  # it could not be made
      self._lost += 1

  def _complete(self, folder: pathlib.Path) -> None:
    try:
      self._lost += self._files.pop(folder).complete()
    except ERRORS as err:
      _LOG.warning("A file of logged requests in %s cannot be completed: %s", folder, err)

  def _complete_old(self) -> None:
    for folder, file in list(self._files.items()):
      is_old = time.monotonic() - file.opened_at > self._max_age_s
      if is_old or file.size > self._max_bytes:
        self._complete(folder)
        self._cleaned_at = -_CLEANED_EVERY_S
    if time.monotonic() - self._cleaned_at > _CLEANED_EVERY_S:
      self._cleaned_at = time.monotonic()
      before = time.time() - self._keep.days * _DAY_S if self._keep.days else 0.0
      try:
        remove_old(self._root, before=before, max_bytes=self._keep.max_bytes)
      except OSError as err:
        self._say_untidy(err)
    self._report()

  def _say_untidy(self, err: OSError) -> None:
    # Such as a folder that another server, or a person, deleted meanwhile.
    _LOG.warning("Earlier files of logged requests in %s stay as they are: %s", self._root, err)

  def _report(self) -> None:
    """Logs lost records, at once and then at intervals: a full disk loses every request."""
    if time.monotonic() - self._reported_at < _REPORTED_EVERY_S:
      return
    with self._dropping:
      dropped, self._dropped = self._dropped, 0
    if self._lost:
      _LOG.warning("%d requests were not logged: %s", self._lost, self._lost_why)
    if dropped:
      _LOG.warning("%d requests were not logged: the disk is too slow", dropped)
    if self._lost or dropped:
      self._lost = 0
      self._reported_at = time.monotonic()
