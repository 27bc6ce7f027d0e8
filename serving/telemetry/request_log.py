"""Writes a sample of requests and their answers as `PredictionLog` records.

    <dir>/<model>/span-<days since 1970>/requests-<time>-<number>.tfrecord

is a layout that TFX's ExampleGen reads, with the pattern `span-{SPAN}/*` and the payload format
FORMAT_PROTO. A file gets this name when it is complete; until then its name begins with a point. A
separate thread writes. If it cannot keep up, or the disk is full, records are dropped and counted,
and no request waits. Files that an earlier server left unfinished are completed at the start.
"""

from __future__ import annotations

import logging
import pathlib
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tensorflow_serving.apis import model_pb2, prediction_log_pb2

from serving.errors import FailedPrecondition
from serving.models.classification import Classes
from serving.models.proto_calls import fill_classes, fill_spec, fill_values
from serving.models.servable import Servable
from serving.models.tensors import Array, fill_proto
from serving.telemetry.record_files import ERRORS, RecordFile, recover

_LOG = logging.getLogger(__name__)
_DAY_S = 86400
_QUEUED = 1000
_REPORTED_EVERY_S = 10.0
_FIELDS = {
  "Predict": "predict_log",
  "Classify": "classify_log",
  "Regress": "regress_log",
  "MultiInference": "multi_inference_log",
}
_Make = Callable[[], Any]


class RequestLog:
  """A sample of requests on the disk."""

  def __init__(
    self,
    root: str,
    *,
    sample: float,
    max_file_bytes: int = 64 << 20,
    max_file_age_s: float = 600.0,
  ):
    """Starts the thread that writes.

    Args:
      root: the folder; it is made if it is missing.
      sample: the fraction of requests to write.
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
    self._sample = sample
    self._max_bytes = max_file_bytes
    self._max_age_s = max_file_age_s
    self._records: queue.Queue[_Make | None] = queue.Queue(_QUEUED)
    self._files: dict[pathlib.Path, RecordFile] = {}
    self._dropped = 0
    self._lost = 0
    self._lost_why: Exception | None = None
    self._reported_at = -_REPORTED_EVERY_S
    self._thread = threading.Thread(target=self._write_all, name="request log", daemon=True)
    self._thread.start()

  def messages(self, api: str, request: Any, response: Any) -> None:
    """Logs a gRPC request."""
    field = _FIELDS[api]

    def make() -> Any:
      record = prediction_log_pb2.PredictionLog()
      getattr(record, field).request.CopyFrom(request)
      getattr(record, field).response.CopyFrom(response)
      answered = response.results[0] if api == "MultiInference" else response
      record.log_metadata.model_spec.CopyFrom(answered.model_spec)
      return record

    self._offer(make)

  def predict(
    self,
    servable: Servable,
    signature: str,
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
  ) -> None:
    """Logs a REST Predict."""

    def make() -> Any:
      record = _record(servable, signature)
      log = record.predict_log
      for message, arrays in ((log.request.inputs, inputs), (log.response.outputs, outputs)):
        for name, array in arrays.items():
          fill_proto(message[name], array)
      _fill_specs(log, record.log_metadata.model_spec)
      return record

    self._offer(make)

  def examples(
    self,
    api: str,
    servable: Servable,
    signature: str,
    examples: Sequence[bytes],
    result: Classes | Array,
  ) -> None:
    """Logs a REST Classify or Regress."""

    def make() -> Any:
      record = _record(servable, signature)
      log = getattr(record, _FIELDS[api])
      for example in examples:
        log.request.input.example_list.examples.add().ParseFromString(example)
      if isinstance(result, Classes):
        fill_classes(log.response.result, result)
      else:
        fill_values(log.response.result, result)
      _fill_specs(log, record.log_metadata.model_spec)
      return record

    self._offer(make)

  def close(self) -> None:
    """Writes what is queued and completes the files."""
    self._records.put(None)
    self._thread.join()

  def _offer(self, make: _Make) -> None:
    if random.random() >= self._sample:
      return
    try:
      self._records.put_nowait(make)
    except queue.Full:
      self._dropped += 1

  def _write_all(self) -> None:
    recover(self._root)
    while True:
      try:
        make = self._records.get(timeout=1.0)
      except queue.Empty:
        self._complete_old()
        continue
      if make is None:
        break
      try:
        record = make()
      except Exception:
        _LOG.exception("A request could not be logged")
      else:
        self._write(record)
      self._complete_old()
    for folder in list(self._files):
      self._complete(folder)
    self._reported_at = -_REPORTED_EVERY_S
    self._report()

  def _write(self, record: Any) -> None:
    now = time.time()
    record.log_metadata.timestamp_secs = int(now)
    # A model's name may have characters that a file's name must not have.
    model = record.log_metadata.model_spec.name.replace("/", "_").lstrip(".") or "_"
    folder = self._root / model / f"span-{int(now) // _DAY_S}"
    try:
      if folder not in self._files:
        self._files[folder] = RecordFile(folder)
      self._files[folder].write(record.SerializeToString())
    except ERRORS as err:
      self._lost += 1
      self._lost_why = err
      self._complete(folder)

  def _complete(self, folder: pathlib.Path) -> None:
    file = self._files.pop(folder, None)
    if file is None:
      return
    try:
      file.complete()
    except OSError as err:
      _LOG.warning("A file of logged requests in %s cannot be completed: %s", folder, err)

  def _complete_old(self) -> None:
    for folder, file in list(self._files.items()):
      is_old = time.monotonic() - file.opened_at > self._max_age_s
      if is_old or file.size > self._max_bytes:
        self._complete(folder)
    self._report()

  def _report(self) -> None:
    """Logs lost records, at once and then at intervals: a full disk loses every request."""
    if time.monotonic() - self._reported_at < _REPORTED_EVERY_S:
      return
    if self._lost:
      _LOG.warning("%d requests were not logged: %s", self._lost, self._lost_why)
    if self._dropped:
      _LOG.warning("%d requests were not logged: the disk is too slow", self._dropped)
    if self._lost or self._dropped:
      self._lost = self._dropped = 0
      self._reported_at = time.monotonic()


def _record(servable: Servable, signature: str) -> Any:
  record = prediction_log_pb2.PredictionLog()
  fill_spec(record.log_metadata.model_spec, servable)
  record.log_metadata.model_spec.signature_name = signature
  return record


def _fill_specs(log: Any, spec: model_pb2.ModelSpec) -> None:
  log.request.model_spec.CopyFrom(spec)
  log.response.model_spec.CopyFrom(spec)
