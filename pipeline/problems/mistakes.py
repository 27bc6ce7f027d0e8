"""Writes the validation rows with the worst mistakes of a model, for a person to inspect."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

_ROWS = 2_000
_BATCH = 64
_KEPT = 24
# A report with so many of the largest inputs still opens quickly.
_MAX_INPUT_BYTES = 50_000


def write(
  path: pathlib.Path,
  examples: Sequence[bytes],
  predict: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
  *,
  input_key: str,
  label_key: str,
) -> None:
  """Writes a JSON list of `{"label", "predicted", "score", "input"}`, the surest first.

  Args:
    path: the file to write.
    examples: serialized tf.Examples; the first 2,000 are used.
    predict: maps `[batch]` raw inputs to `label` and `score`.
    input_key: name of the raw input, a string; `input` in the list holds its bytes in base64, or
      None if they are too many.
    label_key: name of the raw label, a string.
  """
  spec = tf.io.FixedLenFeature([], tf.string)
  found = []
  for values, labels, outputs in asked(examples, predict, input_key, label_key, spec):
    rows = zip(
      values,
      labels.numpy(),
      outputs["label"].numpy(),
      outputs["score"].numpy().tolist(),
      strict=True,
    )
    found += [
      {"label": label.decode(), "predicted": guess.decode(), "score": score, "input": value}
      for value, label, guess, score in rows
      if guess != label
    ]
  keep(path, sorted(found, key=lambda row: -row["score"]))


def asked(
  examples: Sequence[bytes],
  predict: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
  input_key: str,
  label_key: str,
  label_spec: Any,
) -> Iterator[tuple[list[bytes], Any, Mapping[str, tf.Tensor]]]:
  """Yields raw inputs, labels and outputs of the first 2,000 examples, a batch at a time.

  Args:
    examples: serialized tf.Examples.
    predict: maps `[batch]` raw inputs to outputs.
    input_key: name of the raw input, a string.
    label_key: name of the raw label.
    label_spec: parsing specification of the label, such as `tf.io.FixedLenFeature`.
  """
  spec = {input_key: tf.io.FixedLenFeature([], tf.string), label_key: label_spec}
  for start in range(0, min(len(examples), _ROWS), _BATCH):
    parsed = tf.io.parse_example(examples[start : start + _BATCH], spec)
    yield parsed[input_key].numpy().tolist(), parsed[label_key], predict(parsed[input_key])


def keep(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
  """Writes the first 24 rows as JSON; the bytes of `input` are encoded as in `write`."""
  kept = []
  for row, _ in zip(rows, range(_KEPT), strict=False):
    fits = len(row["input"]) <= _MAX_INPUT_BYTES
    kept.append({**row, "input": base64.b64encode(row["input"]).decode() if fits else None})
  path.write_text(json.dumps(kept), encoding="utf-8")
