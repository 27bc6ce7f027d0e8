"""The validation rows that a model is furthest from, for a person to look at."""

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
# A report with this many of the largest still opens at once.
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
    examples: serialized tf.Examples; the first 2,000 are looked at.
    predict: from `[batch]` raw inputs to `label` and `score`.
    input_key: the raw input, a string; `input` in the list is its bytes in base64, or None if
      they are too many.
    label_key: the raw label, a string.
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
    predict: from `[batch]` raw inputs to outputs.
    input_key: the raw input, a string.
    label_key: the raw label.
    label_spec: how it is parsed.
  """
  spec = {input_key: tf.io.FixedLenFeature([], tf.string), label_key: label_spec}
  for start in range(0, min(len(examples), _ROWS), _BATCH):
    parsed = tf.io.parse_example(examples[start : start + _BATCH], spec)
    yield parsed[input_key].numpy().tolist(), parsed[label_key], predict(parsed[input_key])


def keep(path: pathlib.Path, rows: Iterable[Mapping[str, Any]]) -> None:
  """Writes the first two dozen as JSON; `input` is bytes, and written as `write` says."""
  kept = []
  for row, _ in zip(rows, range(_KEPT), strict=False):
    fits = len(row["input"]) <= _MAX_INPUT_BYTES
    kept.append({**row, "input": base64.b64encode(row["input"]).decode() if fits else None})
  path.write_text(json.dumps(kept), encoding="utf-8")
