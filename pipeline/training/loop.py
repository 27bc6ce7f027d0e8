"""The training loop: phases, the best epoch's weights, and resumption after a kill."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from components import progress
from pipeline import datasets
from pipeline.patience import counts_from
from pipeline.task import Phase
from pipeline.training import workers
from pipeline.training.callbacks import BestEpoch, Checkpoint, Report

_FEATURE_BATCH = 32


def train(
  model: keras.Model,
  *,
  phases: Sequence[Phase],
  train: datasets.Split,
  val: datasets.Split,
  compile_args: Callable[[], Mapping[str, Any]],
  batch_size: int,
  monitor: tuple[str, str],
  patience: int,
  seed: int,
  distribution: tf.distribute.Strategy,
  checkpoint_dir: pathlib.Path | None,
  log_dir: str,
) -> list[dict[str, Any]]:
  """Trains `model` in place and leaves the best epoch's weights in it.

  Args:
    model: uncompiled, built within `distribution`'s scope.
    phases: run one after another, each with an optimizer of its own.
    train: what to train on.
    val: what picks the best epoch.
    compile_args: makes loss and metrics; called once a phase.
    batch_size: examples a step, over all replicas together.
    monitor: the metric that picks the best epoch, and "max" or "min".
    patience: a phase ends after so many epochs without a better one, of the last quarter of its
      schedule.
    seed: of the order of examples.
    distribution: where variables live.
    checkpoint_dir: where each epoch is saved and from where a killed training goes on; None
      saves nothing.
    log_dir: receives TensorBoard event files.

  Returns:
    One row an epoch: `phase`, `epoch`, `epochs` of its schedule, `seconds`, `learning_rate` and
    Keras' own logs.
  """
  checkpoint = Checkpoint(checkpoint_dir, model) if checkpoint_dir else None
  state = checkpoint.restore() if checkpoint else None
  history: list[dict[str, Any]] = list(state["history"]) if state else []
  best_value = -math.inf
  for index, phase in enumerate(phases):
    if state and index < state["phase"]:
      continue
    resumed = state if state and index == state["phase"] else None
    trained, (phase_train, phase_val) = _freeze(model, phase, (train, val))
    steps = math.ceil(phase_train.size / batch_size)
    epochs = max(phase.epochs, math.ceil(phase.min_steps / steps))
    if epochs > phase.epochs and not resumed:
      progress.report(
        f"{phase.name}: {phase.epochs} epochs are {phase.epochs * steps} steps; trained for "
        f"{epochs} (model.min_steps)",
        epochs=epochs,
      )
    with distribution.scope():
      optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(phase.learning_rate, decay_steps=steps * epochs)
      )
      trained.compile(
        optimizer,
        **compile_args(),
        # XLA pays on GPUs; on CPUs it made these convolutions twice as slow.
        jit_compile=bool(tf.config.list_physical_devices("GPU")),
      )
      optimizer.build(trained.trainable_variables)
    best = BestEpoch(model, monitor=monitor, patience=patience, counts_from=counts_from(epochs))
    if index and not resumed:
      # A phase starts from the best epoch so far, and is held to it.
      best.start_from(best_value)
    first_epoch = 0
    if resumed and checkpoint:
      first_epoch = checkpoint.restore_phase(optimizer, best)
      progress.report(
        f"{phase.name}: going on after epoch {first_epoch} of {epochs}", epoch=first_epoch
      )
    callbacks: list[keras.callbacks.Callback] = [
      keras.callbacks.TensorBoard(f"{log_dir}/{phase.name}", write_graph=False),
      Report(phase=phase.name, epochs=epochs, steps=steps, history=history),
      best,
    ]
    if checkpoint:
      callbacks.append(checkpoint.callback(index, optimizer, best, history))
    if first_epoch < epochs and not best.exhausted:
      data = phase_train.batches(batch_size, seed)
      val_data = phase_val.batches(max(batch_size, 256), None)
      span: dict[str, Any] = {"initial_epoch": first_epoch, "epochs": epochs}
      if isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
        workers.fit(
          trained, strategy=distribution, train=data, val=val_data, callbacks=callbacks, **span
        )
      else:
        trained.fit(data, validation_data=val_data, callbacks=callbacks, verbose=0, **span)
    best.restore()
    best_value = best.value
  _unfreeze(model)
  return history


def _freeze(
  model: keras.Model, phase: Phase, splits: tuple[datasets.Split, datasets.Split]
) -> tuple[keras.Model, tuple[datasets.Split, datasets.Split]]:
  """Freezes the phase's layers, and runs them once where they are the model's first.

  Returns:
    The model to train, which shares its weights with `model`, and the splits that feed it.
  """
  layers = model.layers
  unknown = set(phase.frozen) - {layer.name for layer in layers}
  if unknown:
    raise ValueError(f"Phase {phase.name!r} freezes layers the model lacks: {sorted(unknown)}.")
  for layer in layers:
    layer.trainable = layer.name not in phase.frozen
  leading = 0
  while leading < len(layers) and layers[leading].name in phase.frozen:
    leading += 1
  if not leading or not isinstance(model, keras.Sequential):
    return model, splits
  if any(split.arrays is None for split in splits):
    progress.report("too much data for train.cache_mb: the frozen layers run in every epoch")
    return model, splits
  prefix = keras.Sequential([keras.Input(model.input_shape[1:]), *layers[:leading]])
  train, val = (_features(prefix, split) for split in splits)
  rest = keras.Sequential([keras.Input(prefix.output_shape[1:]), *layers[leading:]])
  return rest, (train, val)


def _features(prefix: keras.Model, split: datasets.Split) -> datasets.Split:
  assert split.arrays is not None
  inputs, labels = split.arrays
  [values] = inputs.values()
  progress.report(f"computing the frozen layers' features of {split.size:,} examples")
  return datasets.in_memory(
    {"features": prefix.predict(values, batch_size=_FEATURE_BATCH, verbose=0)}, labels
  )


def _unfreeze(model: keras.Model) -> None:
  for layer in model.layers:
    layer.trainable = True
