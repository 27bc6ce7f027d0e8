"""Writes a sample of requests and their answers as `PredictionLog` records.

    <dir>/<model>/span-<days since 1970>/requests-<time>-<number>.tfrecord

is a layout that TFX's ExampleGen reads again, with the pattern `span-{SPAN}/*` and the payload
format FORMAT_PROTO. A file gets this name when it is complete; until then it begins with a point.
A thread of its own writes; where it cannot keep up, records are dropped and counted, and no request
waits.
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

import tensorflow as tf
from tensorflow_serving.apis import model_pb2, prediction_log_pb2

from serving.classification import Classes
from serving.proto_calls import fill_classes, fill_spec, fill_values
from serving.servable import Servable
from serving.tensors import Array, fill_proto

_LOG = logging.getLogger(__name__)
_DAY_S = 86400
_QUEUED = 1000
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
    """Args: the folder, the fraction to write, and when a file is complete."""
    self._root = pathlib.Path(root)
    self._root.mkdir(parents=True, exist_ok=True)
    self._sample = sample
    self._max_bytes = max_file_bytes
    self._max_age_s = max_file_age_s
    self._records: queue.Queue[_Make | None] = queue.Queue(_QUEUED)
    self._files: dict[pathlib.Path, _File] = {}
    self._dropped = 0
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
    while True:
      try:
        make = self._records.get(timeout=1.0)
      except queue.Empty:
        self._complete_old()
        continue
      if make is None:
        break
      try:
        self._write(make())
      except Exception:
        _LOG.exception("A request could not be logged")
      self._complete_old()
    for folder in list(self._files):
      self._files.pop(folder).complete()

  def _write(self, record: Any) -> None:
    now = time.time()
    record.log_metadata.timestamp_secs = int(now)
    # A model's name may hold what a file's name must not.
    model = record.log_metadata.model_spec.name.replace("/", "_").lstrip(".") or "_"
    folder = self._root / model / f"span-{int(now) // _DAY_S}"
    if folder not in self._files:
      self._files[folder] = _File(folder)
    self._files[folder].write(record.SerializeToString())

  def _complete_old(self) -> None:
    for folder, file in list(self._files.items()):
      is_old = time.monotonic() - file.opened_at > self._max_age_s
      if is_old or file.size > self._max_bytes:
        self._files.pop(folder).complete()
    if self._dropped:
      _LOG.warning("%d requests were not logged: the disk is too slow", self._dropped)
      self._dropped = 0


class _File:
  _number = 0

  def __init__(self, folder: pathlib.Path):
    folder.mkdir(parents=True, exist_ok=True)
    _File._number += 1
    self._path = folder / f"requests-{int(time.time() * 1000)}-{_File._number}.tfrecord"
    self._hidden = folder / f".{self._path.name}"
    self._writer = tf.io.TFRecordWriter(str(self._hidden))
    self.opened_at = time.monotonic()
    self.size = 0

  def write(self, record: bytes) -> None:
    self._writer.write(record)
    self.size += len(record)

  def complete(self) -> None:
    self._writer.close()
    self._hidden.rename(self._path)


def _record(servable: Servable, signature: str) -> Any:
  record = prediction_log_pb2.PredictionLog()
  fill_spec(record.log_metadata.model_spec, servable)
  record.log_metadata.model_spec.signature_name = signature
  return record


def _fill_specs(log: Any, spec: model_pb2.ModelSpec) -> None:
  log.request.model_spec.CopyFrom(spec)
  log.response.model_spec.CopyFrom(spec)
