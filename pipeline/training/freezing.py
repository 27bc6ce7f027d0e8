"""Freezes a phase's layers, and computes the output of frozen first layers only once."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from dlpipe import progress
from pipeline.task import Phase
from pipeline.training import datasets

_FEATURE_BATCH = 32
_Splits = tuple[datasets.Split, datasets.Split]


class FrozenFeatures:
  """Caches the output of frozen first layers for the next training with the same frozen layers.

  The trials of a Tuner mostly differ in the layers after a backbone, not in the backbone. Two
  stacks of layers count as the same if their weights and their output for the first batch agree.
  """

  def __init__(self) -> None:
    """Starts with an empty cache."""
    self._weights, self._views = "", 1
    self._given: tuple[datasets.Split, ...] = ()
    self._kept: _Splits | None = None

  def of(self, layers: keras.Model, splits: _Splits, views: int = 1) -> _Splits:
    """Returns the splits with the layers' output `[size, ...]` in place of their one input.

    Args:
      layers: the frozen layers, as a model.
      splits: train and val, both in memory.
      views: how often the layers see each row of train, as in `Phase`; train gets so many times the
        rows, the first of them as they are.
    """
    weights = hashlib.sha256(b"".join(w.tobytes() for w in layers.get_weights())).hexdigest()
    given = [id(split) for split in self._given] == [id(split) for split in splits]
    same = given and self._weights == weights and self._views == views
    if self._kept and same and self._agrees(layers):
      progress.report("the frozen layers are those of the training before: features are kept")
      return self._kept
    train, val = splits
    kept = _features(layers, train, views), _features(layers, val, 1)
    self._weights, self._views, self._given, self._kept = weights, views, splits, kept
    return self._kept

  def _agrees(self, layers: keras.Model) -> bool:
    assert self._kept
    [values], [kept] = (
      [array[:_FEATURE_BATCH] for array in inputs.values()]
      for inputs, _ in (each[0].arrays for each in (self._given, self._kept) if each[0].arrays)
    )
    found = layers.predict(values, batch_size=_FEATURE_BATCH, verbose=0)
    return found.shape == kept.shape and bool(np.allclose(found, kept, rtol=1e-5, atol=1e-6))


@contextlib.contextmanager
def frozen(
  model: keras.Model, phase: Phase, splits: _Splits, features: FrozenFeatures
) -> Iterator[tuple[keras.Model, _Splits]]:
  """Freezes the phase's layers inside the block; runs them only once if they come first.

  The model of a phase with an `output` ends there.

  Layers that were frozen before stay frozen, inside the block and after it.

  Yields:
    The model to train, which shares its weights with `model`, and the splits to train it on.
  """
  layers = model.layers
  unknown = set(phase.frozen) - {layer.name for layer in layers}
  if unknown:
    raise ValueError(f"Phase {phase.name!r} freezes layers the model lacks: {sorted(unknown)}.")
  # Outer layers first: setting `trainable` on a layer also sets it on the layers inside.
  before = [(layer, layer.trainable) for layer in model._flatten_layers(include_self=False)]
  try:
    for layer in layers:
      if layer.name in phase.frozen:
        layer.trainable = False
    if phase.output:
      yield keras.Model(model.input, model.get_layer(phase.output).output, name=phase.name), splits
    else:
      yield _without_prefix(model, phase, splits, features)
  finally:
    for layer, trainable in before:
      layer.trainable = trainable


def _without_prefix(
  model: keras.Model, phase: Phase, splits: _Splits, features: FrozenFeatures
) -> tuple[keras.Model, _Splits]:
  layers = model.layers
  leading = 0
  while leading < len(layers) and layers[leading].name in phase.frozen:
    leading += 1
  # A subclass may define its own training step, which a Sequential of its layers would lack.
  if not leading or type(model) is not keras.Sequential:
    return model, splits
  if any(split.arrays is None for split in splits):
    progress.report(
      "too much data for train.cache_mb: the frozen layers run in every epoch"
      + (f", and see each row anew there instead of {phase.views} times before" * (phase.views > 1))
    )
    return model, splits
  prefix = keras.Sequential([keras.Input(model.input_shape[1:]), *layers[:leading]])
  rest = keras.Sequential([keras.Input(prefix.output_shape[1:]), *layers[leading:]])
  return rest, features.of(prefix, splits, phase.views)


def _features(prefix: keras.Model, split: datasets.Split, views: int) -> datasets.Split:
  assert split.arrays is not None
  inputs, labels = split.arrays
  [values] = inputs.values()
  times = f", {views} times" if views > 1 else ""
  progress.report(f"computing the frozen layers' features of {split.size:,} examples{times}")
  seen = [prefix.predict(values, batch_size=_FEATURE_BATCH, verbose=0)]
  augmented = tf.function(lambda rows: prefix(rows, training=True), autograph=False)
  for _ in range(views - 1):
    parts = [values[at : at + _FEATURE_BATCH] for at in range(0, len(values), _FEATURE_BATCH)]
    seen.append(np.concatenate([augmented(part).numpy() for part in parts]))
  return datasets.in_memory(
    {"features": np.concatenate(seen)}, np.concatenate([labels] * len(seen))
  )
