"""`tuner_fn`: searches a task's hyperparameters. TFX's Tuner calls it by dotted path."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner
import tensorflow_transform as tft
from tfx.v1.components import TunerFnResult

from components.dotted_paths import load_function
from pipeline.tasks import get_task
from pipeline.training.run import load_splits


def tuner_fn(fn_args: Any) -> TunerFnResult:
  """Draws `tune.trials` settings at random and trains each for `tune.epochs` epochs.

  Args:
    fn_args: TFX's FnArgs; `custom_config` as for `run_fn`, with the section `tune` besides.

  Returns:
    The tuner, which TFX runs; its best values override the Trainer's hyperparameters.
  """
  config = fn_args.custom_config
  task = get_task(config["task"])
  base, seed = config["hyperparameters"], config["train"]["seed"]
  tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
  train, val = load_splits(fn_args, task, tft_output, cache_mb=config["train"]["cache_mb"])
  space = keras_tuner.HyperParameters()
  load_function(task.search_space)(space, base)

  def build(hp: keras_tuner.HyperParameters) -> keras.Model:
    values = {**base, **hp.values}
    model = load_function(task.build_model)(values, tft_output)
    if task.adapt:
      load_function(task.adapt)(values, model, train.batches(base["batch_size"], None))
    [first, *_] = load_function(task.training_plan)(values)
    for layer in model.layers:
      layer.trainable = layer.name not in first.frozen
    model.compile(
      keras.optimizers.Adam(first.learning_rate),
      **load_function(task.compile_args)(values),
      jit_compile=False,
    )
    return model

  metric, direction = task.monitor
  return TunerFnResult(
    tuner=keras_tuner.RandomSearch(
      build,
      objective=keras_tuner.Objective(metric, direction),
      max_trials=config["tune"]["trials"],
      hyperparameters=space,
      allow_new_entries=False,
      seed=seed,
      directory=fn_args.working_dir,
      project_name=task.name,
    ),
    fit_kwargs={
      "x": train.batches(base["batch_size"], seed),
      "validation_data": val.batches(base["batch_size"], None),
      "epochs": config["tune"]["epochs"],
      "verbose": 2,
    },
  )
