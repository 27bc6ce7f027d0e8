"""Reads the request log of a model server, row by row, as far as each file is whole."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import itertools
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from dlpipe.errors import BadInputError
from pipeline.batch.values import plain_values
from serving.protos import LoggedRequest

_AT_ONCE = 64
_ENDS = (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.PermissionDeniedError)
_ONE_INPUT = "predict_log"
_EXAMPLES = "examples"
_DAY_S = 86_400
_PACKED = ".gz"  # by whoever keeps the log


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoggedRow:
  """One row of a logged request.

  Attributes:
    id: a name that no other row has; of a request with several rows, `<request>/<row>`.
    client_id: the name that the caller gave to the request; empty if none.
    at: seconds since 1970.
    version: the version that answered.
    latency_us: microseconds until the request was answered; 0 if unknown.
    why: why it was logged: sampled, unsure, rare or error; empty in a log of an older release.
    value: the input; None if it was not logged.
    answer: the row's outputs by name; empty if it was refused.
    error: what it was refused with; empty if it was answered.
  """

  id: str
  client_id: str = ""
  at: int = 0
  version: int = 0
  latency_us: int = 0
  why: str = ""
  value: bytes | None = None
  answer: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  error: str = ""


def log_of(folder: pathlib.Path, model: str) -> pathlib.Path:
  """Returns the folder of a model in a request log.

  Args:
    folder: `--request_log_dir` of the server, or a model's folder in it.
    model: the name that the model is served by.

  Raises:
    BadInputError: there is no log, or those of other models alone.
  """
  for place in (folder / model, folder):
    if _found(place, "span-*"):
      return place
  others = sorted({path.parent.name for path in _found(folder, "*/span-*")})
  if others:
    raise BadInputError(
      f"Expected requests to {model!r} in {str(folder)!r}. Found those to {', '.join(others)}: "
      f"name one with --log {folder / others[0]}"
    )
  raise BadInputError(
    f"Expected logged requests in {str(folder)!r}. Found none. `dlpipe serve {model} "
    "--log-requests` writes them there; --log names the folder of another server."
  )


def read(
  log: pathlib.Path,
  input_key: str,
  *,
  tell: Callable[[str], None],
  since: float = 0,
  answers: bool = True,
  several: bool = False,
) -> Iterator[LoggedRow]:
  """Yields every row, the oldest file first.

  Args:
    log: the model's folder.
    input_key: the feature that a caller sends.
    tell: receives a sentence on each file that is cut off or damaged.
    since: files of days before this moment, in seconds since 1970, are not read.
    answers: whether the rows get what was answered, which costs most of the time.
    several: whether a row may have several labels, so that Classify's best class is no answer.
  """
  # A server that was killed, or that is writing now, leaves a name that begins with a point. Those
  # first: one that gets its other name meanwhile is found under this one, or under both.
  names = (f"requests-*.tfrecord{_PACKED}", ".requests-*.tfrecord", "requests-*.tfrecord")
  paths = [path for name in names for path in _found(log, f"span-*/{name}")]
  files = {(p.parent.name, p.name.lstrip(".").partition(".")[0]): p for p in paths}
  asked = _Asked()
  for (span, stem), path in sorted(files.items()):
    if (_day(span) + 1) * _DAY_S <= since:
      continue
    for number, record in enumerate(_records(path, tell)):
      yield from _rows(
        record,
        input_key,
        asked,
        name=f"{stem}-{number}",
        with_answers=answers,
        several=several,
      )
  if asked.others and not asked.is_met:
    raise BadInputError(
      f"Expected requests with the input {input_key!r} in {str(log)!r}. They have "
      f"{', '.join(sorted(asked.others))}: this is the log of another task."
    )


def _found(folder: pathlib.Path, pattern: str) -> list[pathlib.Path]:
  """Returns what fits below a folder. A day that the server deletes meanwhile is not there.

  `pathlib` raises for such a day, up to Python 3.12.
  """
  return [pathlib.Path(path) for path in glob.glob(f"{glob.escape(str(folder))}/{pattern}")]


@dataclasses.dataclass
class _Asked:
  """Which inputs the requests had: whether the task's own, and names of others without it."""

  is_met: bool = False
  others: set[str] = dataclasses.field(default_factory=set)


def _day(span: str) -> float:
  """Returns the day in the name of a folder, in days since 1970; another name is of any day."""
  day = span.removeprefix("span-")
  return int(day) if day.isdecimal() else math.inf


def _records(path: pathlib.Path, tell: Callable[[str], None]) -> Iterator[bytes]:
  count = 0
  with contextlib.suppress(*_ENDS):
    # Many at once cost a tenth; a file that is cut off is then read on one by one.
    for some in _dataset(path).batch(_AT_ONCE).as_numpy_iterator():
      count += len(some)
      yield from some
    return
  yield from itertools.islice(_one_by_one(path, tell), count, None)


def _one_by_one(path: pathlib.Path, tell: Callable[[str], None]) -> Iterator[bytes]:
  count = 0
  try:
    for record in _dataset(path).as_numpy_iterator():
      yield record
      count += 1
  except tf.errors.DataLossError:
    tell(f"{path} ends within a record: its first {count:,} are read.")
  except tf.errors.PermissionDeniedError as err:
    raise BadInputError(f"{path} cannot be read: {err.message}") from err
  except tf.errors.NotFoundError:  # completed meanwhile, under its other name
    whole = path.with_name(path.name.lstrip("."))
    if whole != path and whole.exists():
      yield from itertools.islice(_one_by_one(whole, tell), count, None)


def _dataset(path: pathlib.Path) -> Any:
  packed = "GZIP" if path.suffix == _PACKED else ""
  return tf.data.TFRecordDataset(str(path), compression_type=packed)


def _rows(
  record: bytes,
  input_key: str,
  asked: _Asked,
  *,
  name: str,
  with_answers: bool,
  several: bool,
) -> Iterator[LoggedRow]:
  log = prediction_log_pb2.PredictionLog.FromString(record)
  note = LoggedRequest.FromString(record).note
  shared = LoggedRow(
    id=note.id or name,
    client_id=note.client_id,
    at=log.log_metadata.timestamp_secs,
    version=log.log_metadata.model_spec.version.value,
    latency_us=note.latency_us,
    why=note.why,
    error=note.error,
  )
  if note.error:
    yield shared
    return
  values, answers = _content(log, input_key, with_answers, several)
  sent = set(log.predict_log.request.inputs) - {_EXAMPLES}
  if any(value is not None for value in values):
    asked.is_met = True
  elif sent and input_key not in sent:
    asked.others |= sent
  rows = max(len(values), len(answers))
  for row in range(rows):
    yield dataclasses.replace(
      shared,
      id=f"{shared.id}/{row}" if rows > 1 else shared.id,
      value=values[row] if row < len(values) else None,
      answer=answers[row] if row < len(answers) else {},
    )


def _content(
  log: Any, input_key: str, with_answers: bool, several: bool
) -> tuple[list[bytes | None], list[dict[str, Any]]]:
  """Returns the inputs and the answers, row by row; empty answers if they are not wanted."""
  kind = log.WhichOneof("log_type")
  if kind == _ONE_INPUT:
    sent, came = log.predict_log.request.inputs, log.predict_log.response.outputs
    outputs = {}
    if with_answers:
      outputs = {name: plain_values(tf.make_ndarray(tensor)) for name, tensor in came.items()}
    shapes = (tensor.tensor_shape.dim for tensor in came.values())
    count = max((shape[0].size for shape in shapes if shape), default=0)
    answers = [
      {name: column[row] for name, column in outputs.items() if row < len(column)}
      for row in range(count)
    ]
    if input_key in sent:
      return [_bytes(value) for value in tf.make_ndarray(sent[input_key]).ravel()], answers
    if _EXAMPLES in sent:
      serialized = tf.make_ndarray(sent[_EXAMPLES]).ravel()
      examples = [tf.train.Example.FromString(value) for value in serialized]
      return [_feature(example, input_key) for example in examples], answers
    return [], answers
  if kind == "classify_log":
    rows = log.classify_log.response.result.classifications
    answers = [_best(row.classes, several) for row in rows]
    examples = log.classify_log.request.input.example_list.examples
    return [_feature(example, input_key) for example in examples], answers
  return [], []


def _best(classes: Any, several: bool) -> dict[str, Any]:
  """Returns the answer in the classes of a row; of several labels, the best one is no answer."""
  if not classes:
    return {}
  if several:
    labels, scores = [each.label for each in classes], [each.score for each in classes]
    return {"labels": labels, "scores": scores}
  best = max(classes, key=lambda each: each.score)
  return {
    "label": best.label,
    "score": best.score,
    "labels": [each.label for each in classes],
    "scores": [each.score for each in classes],
  }


def _feature(example: Any, key: str) -> bytes | None:
  values = example.features.feature[key].bytes_list.value if key in example.features.feature else ()
  return values[0] if values else None


def _bytes(value: Any) -> bytes | None:
  return value if isinstance(value, bytes) else str(value).encode()
