"""The validation rows a classifier is most surely wrong about, for a person to look at."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

ROWS = 2_000
_BATCH = 64
_KEPT = 24
# A report with this many of the largest still opens at once.
_MAX_INPUT_BYTES = 50_000


def write(
  path: pathlib.Path,
  examples: Sequence[bytes],
  predict: Callable[[tf.Tensor], dict[str, tf.Tensor]],
  *,
  input_key: str,
  label_key: str,
) -> None:
  """Writes a JSON list of `{"label", "predicted", "score", "input"}`, the surest first.

  Args:
    path: the file to write.
    examples: serialized tf.Examples; the first 2,000 are looked at.
    predict: from `[batch]` raw inputs to `label` and `score`.
    input_key: the raw input, a string; `input` in the list is its bytes in base64, or None where
      they are too many.
    label_key: the raw label, a string.
  """
  spec = {key: tf.io.FixedLenFeature([], tf.string) for key in (input_key, label_key)}
  found: list[dict[str, Any]] = []
  for start in range(0, min(len(examples), ROWS), _BATCH):
    parsed = tf.io.parse_example(examples[start : start + _BATCH], spec)
    predicted = predict(parsed[input_key])
    rows = zip(
      parsed[input_key].numpy(),
      parsed[label_key].numpy(),
      predicted["label"].numpy(),
      predicted["score"].numpy().tolist(),
      strict=True,
    )
    found += [
      {"label": label.decode(), "predicted": guess.decode(), "score": score, "input": value}
      for value, label, guess, score in rows
      if guess != label
    ]
  found.sort(key=lambda row: -row["score"])
  for row in found[:_KEPT]:
    fits = len(row["input"]) <= _MAX_INPUT_BYTES
    row["input"] = base64.b64encode(row["input"]).decode() if fits else None
  path.write_text(json.dumps(found[:_KEPT]), encoding="utf-8")
