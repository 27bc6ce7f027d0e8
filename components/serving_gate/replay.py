"""Replays recorded rows through an exported model, by whatever answers requests.

TensorFlow Serving reads a SavedModel with the TF1 loader, TFMA and Python with the TF2 loader, and
a Keras 3 model may load in one and fail in the other. So both load the export in this process, and
each runs every serving signature, row by row and as one batch. What asks a server sends the same
requests (`server_replay`).
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from components.serving_gate.compare import EVERY, PathResult, compare, failed, padded
from components.serving_gate.expectations import Expectations
from components.serving_gate.loaders import Run, first_line, load_tf1, load_tf2, used_ops
from components.serving_gate.server_process import NoAnswer, ServerFailed
from components.serving_gate.serving_ops import ServingRelease, refusals
from dlpipe.progress import report

SERVING_DEFAULT, SERVING_EXAMPLES = "serving_default", "serving_examples"
CLASSIFY, REGRESS = "classify", "regress"
EXPLAIN = "explain"
# What TensorFlow Serving's Classify and Regress call the outputs of the other signatures.
CLASSIFY_OUTPUTS = {"classes": "labels", "scores": "scores"}
REGRESS_OUTPUTS = {"outputs": "value"}
# Maps are slopes of the network, in which small differences of its numbers are larger.
_EXPLAIN_SLACK = 100
_PICTURE = "_png_bytes"
_SINGLE_ROWS = 8  # so many rows are also sent one by one; enough to see a batch of one fail


class Request(NamedTuple):
  """Rows for one signature.

  Attributes:
    signature: the signature's name.
    input_name: its input.
    values: a value for each row, `[rows]`.
    outputs: output name to the expected array `[rows, ...]`.
    answers: of explanations, the expected answers to the same rows; None for other signatures.
  """

  signature: str
  input_name: str
  values: np.ndarray
  outputs: Mapping[str, np.ndarray]
  answers: Mapping[str, np.ndarray] | None = None


def replay_in_process(
  model_dir: str, expectations: Expectations, *, tolerance: float
) -> Iterator[PathResult]:
  """Runs every path of both loaders and compares every output.

  A model that does not load, or fails while it runs, is refused by that; it raises nothing here.

  Args:
    model_dir: the SavedModel's directory.
    expectations: rows and right answers.
    tolerance: the largest difference of numbers that passes; of an output whose numbers are larger
      than 1, as a part of the largest.
  """
  rows = len(expectations.examples)
  for loader, load in (("TF2", load_tf2), ("TF1", load_tf1)):
    report(f"Replaying {rows} rows through the {loader} loader", loader=loader, rows=rows)
    try:
      with load(model_dir) as (run, signatures):
        for request in requests(expectations, signatures):
          yield from replay_request(run, request, loader, tolerance)
    except MemoryError:
      raise  # the machine's, and no verdict
    except Exception as err:  # a broken model can raise anything, and all of it refuses the model
      yield failed(loader, EVERY, rows, f"cannot load the model: {first_line(err)}")


def requests(expectations: Expectations, signatures: Collection[str]) -> Iterator[Request]:
  """Yields the requests to a model that has these signatures."""
  outputs = expectations.outputs
  yield Request(SERVING_DEFAULT, expectations.input_key, expectations.values, outputs)
  yield Request(SERVING_EXAMPLES, "examples", expectations.examples, outputs)
  for signature, renamed in ((CLASSIFY, CLASSIFY_OUTPUTS), (REGRESS, REGRESS_OUTPUTS)):
    if signature in signatures:
      wanted = {new: outputs[old] for new, old in renamed.items() if old in outputs}
      yield Request(signature, "inputs", expectations.examples, wanted)
  if explained := expectations.explained:
    count = len(next(iter(explained.values())))
    yield Request(
      EXPLAIN,
      expectations.input_key,
      expectations.values[:count],
      {name: _comparable(name, values) for name, values in explained.items()},
      {name: values[:count] for name, values in outputs.items()},
    )


def replay_request(
  run: Run, request: Request, loader: str, tolerance: float
) -> Iterator[PathResult]:
  """Sends the rows one by one and as one batch.

  Args:
    run: sends a request to the model.
    request: the request.
    loader: `PathResult.loader` of the results.
    tolerance: the largest difference of numbers that passes; of an output whose numbers are larger
      than 1, as a part of the largest.
  """
  rows = len(request.values)
  for batch, count in ((1, min(rows, _SINGLE_ROWS)), (rows, rows)):
    try:
      answers = [
        run(request.signature, request.input_name, request.values[start : start + batch])
        for start in range(0, count, batch)
      ]
      got = {name: _joined(request, name, [a[name] for a in answers]) for name in answers[0]}
    except (MemoryError, ServerFailed, NoAnswer):
      raise  # the machine's, and no verdict
    except Exception as err:  # see `replay_in_process`
      yield failed(loader, request.signature, batch, f"fails: {first_line(err)}")
      continue
    yield from compare(
      got,
      {name: values[:count] for name, values in request.outputs.items()},
      loader=loader,
      signature=request.signature,
      batch=batch,
      tolerance=tolerance,
      slack=1 if request.answers is None else _EXPLAIN_SLACK,
      answers=request.answers
      and {name: values[:count] for name, values in request.answers.items()},
    )


def _joined(request: Request, name: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
  """Joins the answers of several requests; explanations are as long as their batch needs."""
  if request.answers is None:
    return np.concatenate(arrays)
  return np.concatenate(padded([_comparable(name, array) for array in arrays]))


def _comparable(name: str, values: np.ndarray) -> np.ndarray:
  """Returns PNG files as the mean colours of their lines, `[rows, height, 3]` in [0, 1].

  A rounded colour may differ by one, and the numbers that are drawn are compared anyway.
  """
  if not name.endswith(_PICTURE):
    return values
  pictures = [np.asarray(Image.open(io.BytesIO(value))) for value in values]
  return np.stack([picture.mean(axis=1) / 255 for picture in pictures])


def op_reasons(model_dir: str, release: ServingRelease) -> list[str]:
  """Returns why the release of TensorFlow Serving could not run the graph; empty if it can."""
  try:
    return refusals(used_ops(model_dir), release)
  except Exception as err:  # see `replay_in_process`
    return [f"saved_model.pb cannot be read: {first_line(err)}"]
