"""Asks an exported model by its signature `serving_default`, as a person does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dlpipe.dotted_paths import load_function
from pipeline.problems.rows import LABELS

_BATCH = 64
# Columns of a problem's rows that say how right an answer is, and what is wholly right.
_QUALITIES = (("chrf", 100.0), ("right", 1.0))


class Given(NamedTuple):
  """An input, the values of its raw label, and where it came from; empty for made-up inputs."""

  data: bytes
  label: tuple[Any, ...] = ()
  origin: str = ""

  @property
  def text(self) -> str:
    """The input as a text."""
    return self.data.decode("utf-8", "replace")

  @property
  def label_text(self) -> str:
    """The first value of the label as a text; empty without a label."""
    first = self.label[0] if self.label else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


class Answer(NamedTuple):
  """What a model says of one input.

  Attributes:
    predicted: the answer: a class, several joined by ` | `, a text, or a number.
    quality: how right it is, 0 to 1; nan if the problem cannot tell.
    scores: `[classes]` float, in the order of `Model.classes`; None without classes.
  """

  predicted: str | float
  quality: float
  scores: Sequence[float] | None


class Model:
  """An exported model; `classes` are known once it has answered, and empty if it has none."""

  def __init__(self, directory: str, *, input_key: str, rows: str):
    """Loads a model.

    Args:
      directory: the SavedModel.
      input_key: the input of `serving_default`.
      rows: dotted path of the problem's `rows`.
    """
    import tensorflow as tf

    self._loaded = tf.saved_model.load(directory)  # its signatures do not keep it alive
    self._ask = self._loaded.signatures["serving_default"]
    self._input_key = input_key
    self._rows_of: Callable[..., pa.Table] = load_function(rows)
    self.classes: tuple[str, ...] = ()

  def answers(self, asked: Sequence[Given]) -> list[Answer | None]:
    """Returns the answer to each input; None for one that the model refuses."""
    found: list[Answer | None] = []
    for first in range(0, len(asked), _BATCH):
      found += self._batch(asked[first : first + _BATCH])
    return found

  def _batch(self, asked: Sequence[Given]) -> list[Answer | None]:
    import tensorflow as tf

    try:
      outputs = self._ask(**{self._input_key: tf.constant([each.data for each in asked])})
    except tf.errors.InvalidArgumentError:
      if len(asked) == 1:
        return [None]
      return [answer for each in asked for answer in self._batch([each])]
    arrays = {name: np.asarray(value) for name, value in outputs.items()}
    table = self._rows_of([each.label for each in asked], arrays)
    return self._read(table)

  def _read(self, table: pa.Table) -> list[Answer | None]:
    metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
    self.classes = tuple(json.loads(metadata[LABELS])) if LABELS in metadata else ()
    predicted = table["predicted"].to_pylist()
    names = table.column_names
    column, best = next(each for each in _QUALITIES if each[0] in names)
    is_number = pa.types.is_floating(table["predicted"].type)
    quality = [np.nan if is_number else value / best for value in table[column].to_pylist()]
    scores = table["scores"].to_pylist() if "scores" in names else [None] * len(predicted)
    return [Answer(*each) for each in zip(predicted, quality, scores, strict=True)]
