"""`run_fn` trains a task's model and exports it; TFX's Trainer calls it by dotted path."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from dlpipe import progress
from dlpipe.dotted_paths import load_function
from dlpipe.errors import DlpipeError
from pipeline.problems.calibration import Calibration
from pipeline.task import Task
from pipeline.tasks import get_task
from pipeline.training import checkpoints, datasets
from pipeline.training.answering import answering
from pipeline.training.export import (
  calibrating,
  certain,
  explaining,
  serving_assets,
  signatures,
)
from pipeline.training.learning import learn, load_splits
from pipeline.training.machines import cluster, strategy
from pipeline.training.training_record import TrainingRecord, chosen_epoch, phase_rows
from pipeline.training.warm import weights_file

if TYPE_CHECKING:
  from tfx.components.trainer.fn_args_utils import FnArgs

_PARITY_ROWS, _EXPLAINED_ROWS = 32, 8


def run_fn(fn_args: FnArgs) -> None:
  """Trains, exports to `fn_args.serving_model_dir`, and writes a record to `model_run_dir`.

  The record holds `history.json` (a row per epoch and per phase, the hyperparameters, and which of
  them the Tuner chose), TensorBoard event files, and `parity/`: the Keras model's outputs for some
  rows, and its explanations of the first ones, which the ServingGate compares with those of the
  export.

  Args:
    fn_args: TFX's FnArgs. Its `custom_config` holds `task`, `hyperparameters`, `train` (the
      configuration's section), `fixed_epochs` (settings of epochs that `min_steps` must not raise),
      `bfloat16_pays` (what `Params.bfloat16_pays` returned), `input_bounds` (the data options that
      a model is exported with) and `checkpoint_root`; its `hyperparameters` are those of the Tuner,
      if any.
  """
  leads = strategy.worker_count() > 1 and strategy.is_chief()
  with cluster.announced(fn_args) if leads else contextlib.nullcontext():
    try:
      # The strategy of several workers must exist before TensorFlow runs its first op.
      _train_and_export(fn_args, strategy.make_strategy())
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as err:
      if strategy.worker_count() == 1:
        raise
      said = re.sub(r"\{\{.*?\}\}", "", err.message).strip().split("\n", 1)[0]
      raise DlpipeError(
        "Lost a worker of this training. Start all of them again: it goes on after the last whole "
        f"epoch. TensorFlow says: {said}"
      ) from err


def _train_and_export(fn_args: FnArgs, distribution: tf.distribute.Strategy) -> None:
  config = fn_args.custom_config
  task = get_task(config["task"])
  settings = config["train"]
  tuned = tuned_values(fn_args)
  params = task.params.of({**config["hyperparameters"], **tuned})
  tft_output = tft.TFTransformOutput(fn_args.transform_output)
  started = time.monotonic()
  progress.report("reading train and val")
  train, val = load_splits(fn_args, task, tft_output, cache_mb=settings["cache_mb"])
  prepare_seconds = time.monotonic() - started
  folder = checkpoints.folder_of(fn_args, params)
  if folder:
    folder.open()
  learned = learn(
    task,
    config,
    params,
    tft_output,
    (train, val),
    distribution=distribution,
    checkpoint_dir=folder.path if folder else None,
    log_dir=fn_args.model_run_dir,
  )
  model = learned.model
  chosen = chosen_epoch(learned.history, task.problem.monitor)
  calibration = calibrating.calibrated(
    task.problem, model, val, wanted=settings["calibrate"], seed=settings["seed"]
  )
  doubts = certain.fitted(
    task.problem,
    model,
    tft_output,
    (train, val),
    calibration=calibration,
    options=config["input_bounds"],
    settings=settings,
  )
  _say_chosen(learned.history, chosen, task.problem.monitor[0])
  module = _export(fn_args, task, model, tft_output, calibration, doubts)
  warm_start, cold = learned.start.measured(
    learned.history, task.problem.monitor, train.size, learned.adapt_seconds
  )
  weights_file.write(
    pathlib.Path(fn_args.serving_model_dir),
    model,
    vocabularies=weights_file.vocabularies_of(tft_output),
    generation=learned.start.generation,
    cold=cold,
  )
  if said := warm_start.comparison():
    progress.report(said)
  if doubts:
    doubts.record.write(pathlib.Path(fn_args.serving_model_dir))
  _write_examples(fn_args, task, module, tft_output)
  record = TrainingRecord(
    hyperparameters=params.as_json(),
    tuned=tuned,
    precision=learned.precision,
    parameters=model.count_params(),
    train_examples=train.size,
    prepare_seconds=round(prepare_seconds, 2),
    phases=phase_rows(learned.phases, learned.history, is_timed=settings["minutes"] is not None),
    epochs=learned.history,
    chosen=chosen,
    class_weights=dict(learned.weights.by_label) if learned.weights else {},
    calibration=calibration,
    warm_start=warm_start if settings["warm_start"] else None,
    certainty=doubts.record if doubts else None,
  )
  pathlib.Path(fn_args.model_run_dir, TrainingRecord.FILE).write_text(record.to_text())
  if folder:
    folder.close()


def _export(
  fn_args: FnArgs,
  task: Task,
  model: keras.Model,
  tft_output: tft.TFTransformOutput,
  calibration: Calibration | None,
  doubts: certain.Certain | None,
) -> signatures.ServingModule:
  bounds = fn_args.custom_config["input_bounds"]
  answered = task, model, tft_output, bounds, calibration
  return signatures.export(
    fn_args.serving_model_dir,
    model=model,
    outputs=answering(*answered, doubts),
    explanation=explaining.explanation(*answered),
    variables=doubts.variables if doubts else (),
    tft_output=tft_output,
    input_key=task.input.key,
    label_id_key=task.problem.label_id_key,
    transformed_slices=task.transformed_slices,
    rule=_rule(task, bounds),
  )


def _write_examples(
  fn_args: FnArgs, task: Task, module: signatures.ServingModule, tft_output: tft.TFTransformOutput
) -> None:
  """Writes requests beside the model, and what the model answers to rows of val."""
  key = task.input.key
  rows = _examples(fn_args.eval_files, _PARITY_ROWS)
  values = _input_values(rows, key, tft_output)
  serving_assets.write(pathlib.Path(fn_args.serving_model_dir), task.name, key, values.numpy()[0])
  _write_parity(pathlib.Path(fn_args.model_run_dir) / "parity", module, rows, values, key)


def _say_chosen(history: list[dict[str, Any]], chosen: int | None, metric: str) -> None:
  """Reports which epoch is exported; the line stays on the screen."""
  if chosen is None:
    return
  row = history[chosen]
  progress.report(
    f"chosen: {row['phase']} epoch {row['epoch']} of {row['epochs']}  {metric} {row[metric]:.3f}",
    chosen=chosen,
    epoch=row["epoch"],
  )


def tuned_values(fn_args: FnArgs) -> dict[str, Any]:
  """Returns the hyperparameters that the Tuner chose; empty without a Tuner."""
  return dict((fn_args.hyperparameters or {}).get("values", {}))


def _rule(task: Task, bounds: Mapping[str, Any]) -> signatures.Rule | None:
  """Returns the task's check of inputs, with the bounds that the data was read with."""
  if task.input.rule is None:
    return None
  rule = load_function(task.input.rule)
  return lambda values: rule(values, bounds)


def _examples(patterns: list[str], count: int) -> list[bytes]:
  paths = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
  return list(datasets.raw_examples(paths).take(count).as_numpy_iterator())


def _input_values(
  rows: list[bytes], input_key: str, tft_output: tft.TFTransformOutput
) -> tf.Tensor:
  dtype = tft_output.raw_feature_spec()[input_key].dtype
  return tf.io.parse_example(rows, {input_key: tf.io.FixedLenFeature([], dtype)})[input_key]


def _write_parity(
  target: pathlib.Path,
  module: signatures.ServingModule,
  rows: list[bytes],
  values: tf.Tensor,
  input_key: str,
) -> None:
  target.mkdir(parents=True, exist_ok=True)
  with tf.io.TFRecordWriter(str(target / "examples.tfrecord")) as writer:
    for row in rows:
      writer.write(row)
  np.savez(target / "expected.npz", **_arrays(module.predict(values)))
  np.savez(target / "explained.npz", **_arrays(module.explain(values[:_EXPLAINED_ROWS])))
  (target / "input.json").write_text(json.dumps({"input_key": input_key}))


def _arrays(outputs: Mapping[str, tf.Tensor]) -> dict[str, np.ndarray]:
  return {
    name: np.asarray(value.numpy().tolist() if value.dtype == tf.string else value.numpy())
    for name, value in outputs.items()
  }
