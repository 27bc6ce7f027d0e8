"""Reads the rows that the training process recorded for the gate, and the answers to them."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from components.serving_gate.loaders import first_line
from dlpipe.errors import DlpipeError

_DTYPES = {bytes: np.object_, float: np.float32, int: np.int64}  # of a tf.Example's values


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expectations:
  """The rows and answers that the training process recorded.

  Attributes:
    input_key: the raw feature that `serving_default` takes.
    examples: serialized tf.Examples, `[rows]`.
    values: `input_key`'s value in each row, `[rows]`.
    outputs: output name to array `[rows, ...]`, computed by the model before it was exported.
    explained: the same of the signature `explain`, of the first rows; empty without it.
  """

  input_key: str
  examples: np.ndarray
  values: np.ndarray
  outputs: Mapping[str, np.ndarray]
  explained: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def read_expectations(model_run_uri: str) -> Expectations:
  """Reads `parity/` of a `ModelRun`: `input.json`, `examples.tfrecord`, and the expected arrays.

  `expected.npz` has those of the answers; `explained.npz`, if it is there, of the explanations.

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
    outputs = _arrays(os.path.join(folder, "expected.npz"))
    file = os.path.join(folder, "explained.npz")
    explained = _arrays(file) if fileio.exists(file) else {}
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
    explained=explained,
  )


def _arrays(file: str) -> dict[str, np.ndarray]:
  with fileio.open(file, "rb") as f:
    content = io.BytesIO(f.read())
  with np.load(content, allow_pickle=False) as arrays:
    return {name: arrays[name] for name in arrays.files}


def _feature_value(serialized: bytes, input_key: str) -> bytes | float | int:
  features = tf.train.Example.FromString(serialized).features.feature
  if input_key not in features:
    raise ValueError(f"an example lacks {input_key!r}; it has {', '.join(sorted(features))}")
  feature = features[input_key]
  values = getattr(feature, feature.WhichOneof("kind") or "bytes_list").value
  if len(values) != 1:
    raise ValueError(f"expected one value of {input_key!r} in each example; found {len(values)}")
  return values[0]
