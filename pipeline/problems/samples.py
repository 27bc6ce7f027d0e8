"""Writes a model's texts for some validation rows, and the worst ones, for a person to read."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

_LOOKED_AT = 500
_BATCH = 100
_KEPT = 12  # of each kind


def write(
  path: pathlib.Path,
  examples: Sequence[bytes],
  predict: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
  *,
  input_key: str,
  label_key: str,
  prediction_key: str,
  score: Callable[[str, str], float],
) -> None:
  """Writes a JSON list of `{"input", "label", "predicted", "score", "worst"}`.

  The list holds the first rows, which are in arbitrary order, then the worst rows.

  Args:
    path: the file to write.
    examples: serialized tf.Examples; the first 500 are used.
    predict: maps `[batch]` raw inputs to `prediction_key`, `[batch]` string.
    input_key: name of the raw input, a string.
    label_key: name of the raw label, a string.
    prediction_key: name of the output with the text.
    score: `(predicted, label) -> score`, higher is better.
  """
  spec = {key: tf.io.FixedLenFeature([], tf.string) for key in (input_key, label_key)}
  found: list[dict[str, Any]] = []
  for start in range(0, min(len(examples), _LOOKED_AT), _BATCH):
    parsed = tf.io.parse_example(examples[start : start + _BATCH], spec)
    columns = (parsed[input_key], parsed[label_key], predict(parsed[input_key])[prediction_key])
    for row in zip(*(column.numpy().tolist() for column in columns), strict=True):
      value, label, predicted = (text.decode("utf-8", "replace") for text in row)
      found.append(
        {
          "input": value,
          "label": label,
          "predicted": predicted,
          "score": round(score(predicted, label), 4),
          "worst": False,
        }
      )
  some, rest = found[:_KEPT], found[_KEPT:]
  worst = sorted(rest, key=lambda row: row["score"])[:_KEPT]
  path.write_text(json.dumps([*some, *({**row, "worst": True} for row in worst)]), "utf-8")
