"""Replays recorded rows through an exported model, by every way that it will be served.

TensorFlow Serving reads a SavedModel with the TF1 loader, TFMA and Python with the TF2 loader, and
a Keras 3 model may load in one and fail in the other. So both load the export here, and each runs
every serving signature, row by row and as one batch. All of it happens in this process: another one
would spend seconds on importing TensorFlow once more.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from components.errors import BadInputError, DlpipeError
from components.progress import report
from components.serving_gate.compare import PathResult, compare
from components.serving_gate.loaders import Run, first_line, load_tf1, load_tf2, unservable_ops

SERVING_DEFAULT, SERVING_EXAMPLES, CLASSIFY = "serving_default", "serving_examples", "classify"
_SINGLE_ROWS = 8  # so many rows are also sent one by one; enough to see a batch of one fail
_EVERY = "*"
_DTYPES = {bytes: np.object_, float: np.float32, int: np.int64}  # of a tf.Example's values


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expectations:
  """What the training process recorded.

  Attributes:
    input_key: the raw feature that `serving_default` takes.
    examples: serialized tf.Examples, `[rows]`.
    values: `input_key`'s value in each row, `[rows]`.
    outputs: output name to array `[rows, ...]`, computed by the model before it was exported.
  """

  input_key: str
  examples: np.ndarray
  values: np.ndarray
  outputs: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parity:
  """What the replay came to; `reasons` is empty for a model that passed."""

  rows: int
  tolerance: float
  paths: tuple[PathResult, ...]
  reasons: tuple[str, ...]

  @property
  def passed(self) -> bool:
    """Whether the export may be served."""
    return not self.reasons

  @property
  def largest(self) -> PathResult | None:
    """The refused path that differs most; None where no difference can be told in numbers."""
    refused = [path for path in self.paths if not path.passed and path.max_difference is not None]
    return max(refused, key=lambda path: path.max_difference or 0, default=None)

  def to_json(self) -> dict[str, Any]:
    """The content of `parity.json`."""
    return {
      "passed": self.passed,
      "rows": self.rows,
      "tolerance": self.tolerance,
      "reasons": list(self.reasons),
      "paths": [path.to_json() for path in self.paths],
    }


class _Request(NamedTuple):
  signature: str
  input_name: str
  values: np.ndarray
  outputs: Mapping[str, np.ndarray]


def read_expectations(model_run_uri: str) -> Expectations:
  """Reads `parity/` of a `ModelRun`: `input.json`, `examples.tfrecord`, `expected.npz`.

  Raises:
    DlpipeError: a file is missing or unreadable, or there are no rows: nothing could be proved.
  """
  folder = os.path.join(model_run_uri, "parity")
  try:
    with fileio.open(os.path.join(folder, "input.json")) as f:
      input_key = json.loads(f.read())["input_key"]
    records = tf.data.TFRecordDataset(os.path.join(folder, "examples.tfrecord"))
    examples = list(records.as_numpy_iterator())
    values = [_feature_value(example, input_key) for example in examples]
    with fileio.open(os.path.join(folder, "expected.npz"), "rb") as f:
      content = io.BytesIO(f.read())
    with np.load(content, allow_pickle=False) as arrays:
      outputs = {name: arrays[name] for name in arrays.files}
  except (OSError, ValueError, KeyError, tf.errors.OpError) as err:
    raise DlpipeError(
      f"Expected input.json, examples.tfrecord and expected.npz in {folder}, which the training "
      f"writes. They cannot be read: {first_line(err)}"
    ) from err
  if not examples or not outputs:
    raise DlpipeError(
      f"Expected rows and outputs to replay in {folder}. Found {len(examples)} rows and "
      f"{len(outputs)} outputs, which prove nothing about the model."
    )
  for name, array in outputs.items():
    if array.shape[:1] != (len(examples),):
      raise DlpipeError(
        f"Expected {len(examples)} rows in every array of {folder}/expected.npz, as many as in "
        f"examples.tfrecord. Found the shape {list(array.shape)} for {name!r}."
      )
  return Expectations(
    input_key=input_key,
    examples=np.array(examples, object),
    values=np.array(values, _DTYPES[type(values[0])]),
    outputs=outputs,
  )


def replay(model_dir: str, expectations: Expectations, *, tolerance: float) -> Parity:
  """Runs every path and compares every output.

  A model that does not load, or fails while it runs, is refused by that; it raises nothing here.

  Args:
    model_dir: the SavedModel's directory.
    expectations: rows and right answers.
    tolerance: the largest absolute difference of numbers that passes.

  Raises:
    BadInputError: `tolerance` is negative.
  """
  if not tolerance >= 0:
    raise BadInputError(f"push.tolerance must be 0 or more. Received: tolerance={tolerance!r}")
  rows = len(expectations.examples)
  paths: list[PathResult] = []
  for loader, load in (("TF2", load_tf2), ("TF1", load_tf1)):
    report(f"Replaying {rows} rows through the {loader} loader", loader=loader, rows=rows)
    try:
      with load(model_dir) as (run, signatures):
        for request in _requests(expectations, signatures):
          paths += _replay_request(run, request, loader, tolerance)
    except Exception as err:  # a broken model can raise anything, and all of it refuses the model
      paths.append(_failed(loader, _EVERY, rows, f"cannot load the model: {first_line(err)}"))
  reasons = [_reason(path) for path in paths if not path.passed] + _op_reasons(model_dir)
  return Parity(rows=rows, tolerance=tolerance, paths=tuple(paths), reasons=tuple(reasons))


def _requests(expectations: Expectations, signatures: Collection[str]) -> Iterator[_Request]:
  outputs = expectations.outputs
  yield _Request(SERVING_DEFAULT, expectations.input_key, expectations.values, outputs)
  yield _Request(SERVING_EXAMPLES, "examples", expectations.examples, outputs)
  if CLASSIFY in signatures:
    # TensorFlow Serving's Classify calls these two what the other signatures call labels, scores.
    names = {"classes": "labels", "scores": "scores"}
    wanted = {new: outputs[old] for new, old in names.items() if old in outputs}
    yield _Request(CLASSIFY, "inputs", expectations.examples, wanted)


def _replay_request(
  run: Run, request: _Request, loader: str, tolerance: float
) -> Iterator[PathResult]:
  rows = len(request.values)
  for batch, count in ((1, min(rows, _SINGLE_ROWS)), (rows, rows)):
    try:
      answers = [
        run(request.signature, request.input_name, request.values[start : start + batch])
        for start in range(0, count, batch)
      ]
      got = {name: np.concatenate([a[name] for a in answers]) for name in answers[0]}
    except Exception as err:  # see `replay`
      yield _failed(loader, request.signature, batch, f"fails: {first_line(err)}")
      continue
    yield from compare(
      got,
      {name: values[:count] for name, values in request.outputs.items()},
      loader=loader,
      signature=request.signature,
      batch=batch,
      tolerance=tolerance,
    )


def _failed(loader: str, signature: str, batch: int, reason: str) -> PathResult:
  return PathResult(
    loader=loader,
    signature=signature,
    output=_EVERY,
    batch=batch,
    max_difference=None,
    passed=False,
    reason=reason,
  )


def _reason(path: PathResult) -> str:
  if path.signature == _EVERY:
    return f"The {path.loader} loader {path.reason}"
  where = f"{path.signature} ({path.loader} loader, batch of {path.batch})"
  return (
    f"{where} {path.reason}" if path.output == _EVERY else f"{where}: {path.output} {path.reason}"
  )


def _op_reasons(model_dir: str) -> list[str]:
  try:
    ops = unservable_ops(model_dir)
  except Exception as err:  # see `replay`
    return [f"saved_model.pb cannot be read: {first_line(err)}"]
  if not ops:
    return []
  return [f"The model uses ops that TensorFlow Serving cannot run: {', '.join(ops)}."]


def _feature_value(serialized: bytes, input_key: str) -> bytes | float | int:
  features = tf.train.Example.FromString(serialized).features.feature
  if input_key not in features:
    raise ValueError(f"an example lacks {input_key!r}; it has {', '.join(sorted(features))}")
  feature = features[input_key]
  values = getattr(feature, feature.WhichOneof("kind") or "bytes_list").value
  if len(values) != 1:
    raise ValueError(f"expected one value of {input_key!r} in each example; found {len(values)}")
  return values[0]
