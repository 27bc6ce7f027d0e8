"""`tuner_fn` searches a task's hyperparameters; TFX's Tuner calls it by dotted path."""

from __future__ import annotations

import functools
import math
import os
import pathlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import keras_tuner
import tensorflow_transform as tft
from tfx.v1.components import TunerFnResult

from components.trials import Trial, Trials
from dlpipe import progress
from dlpipe.errors import DlpipeError
from pipeline.tasks import get_task
from pipeline.training.freezing import FrozenFeatures
from pipeline.training.learning import best_value, learn, load_splits
from pipeline.training.machines import strategy
from pipeline.training.tuning import search_space

_LEAST_EPOCHS = 3
_SHARE_OF_EPOCHS = 0.25
_LONGEST_REASON = 300
_BOLD = re.compile(r"\x1b\[\d*m")

# Takes a trial's values and the prefix of its progress lines; returns the history of its training.
_Train = Callable[[Mapping[str, Any], str], list[dict[str, Any]]]


def tuner_fn(fn_args: Any) -> TunerFnResult:
  """Trains `tune.trials` times as the Trainer does, for fewer epochs, with random values.

  The first trial uses the run's own values, so the chosen values score at least as well as they do.

  Args:
    fn_args: TFX's FnArgs; `custom_config` as for `run_fn`, plus the section `tune`.

  Returns:
    The tuner, which TFX runs; its best values override the Trainer's hyperparameters.
  """
  config = fn_args.custom_config
  task = get_task(config["task"])
  base = task.params.of(config["hyperparameters"])
  space = search_space.declared(task, base)
  tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
  splits = load_splits(fn_args, task, tft_output, cache_mb=config["train"]["cache_mb"])
  distribution = strategy.of_this_machine()
  features = FrozenFeatures()

  def train(values: Mapping[str, Any], of: str) -> list[dict[str, Any]]:
    keras.backend.clear_session()
    return learn(
      task,
      config,
      base.replace(**values),
      tft_output,
      splits,
      distribution=distribution,
      features=features,
      shorten=functools.partial(trial_epochs, most=config["tune"]["epochs"]),
      of=of,
    ).history

  search = Search(
    train,
    space,
    monitor=task.problem.monitor,
    trials=config["tune"]["trials"],
    seed=config["train"]["seed"],
    directory=fn_args.working_dir,
  )
  return TunerFnResult(tuner=search, fit_kwargs={})


def trial_epochs(epochs: int, *, most: int | None) -> int:
  """Returns how many epochs a trial trains a phase that the Trainer trains for `epochs`.

  >>> trial_epochs(40, most=8), trial_epochs(4, most=8)
  (8, 4)
  """
  if most is None:
    most = max(_LEAST_EPOCHS, math.ceil(_SHARE_OF_EPOCHS * epochs))
  return min(epochs, most)


class _OwnValuesFirst(keras_tuner.oracles.RandomSearchOracle):
  """Draws values at random, except for the first trial, which gets the run's own values."""

  def populate_space(self, trial_id: str) -> dict[str, Any]:
    """Returns the trial's values, in KerasTuner's form."""
    if self.trials:
      return dict(super().populate_space(trial_id))
    return {
      "status": keras_tuner.engine.trial.TrialStatus.RUNNING,
      "values": dict(self.hyperparameters.values),
    }


class Search(keras_tuner.Tuner):
  """Runs trials; records the values of each, and its score or the reason why it failed."""

  def __init__(
    self,
    train: _Train,
    space: keras_tuner.HyperParameters,
    *,
    monitor: tuple[str, str],
    trials: int,
    seed: int,
    directory: str,
  ):
    """Prepares the search; runs nothing.

    Args:
      train: trains one trial.
      space: the search space.
      monitor: the metric to score trials by, and "max" or "min".
      trials: the number of trials to run.
      seed: seed for drawing values.
      directory: receives KerasTuner's files, and `trials.json` after each trial.
    """
    oracle = _OwnValuesFirst(
      objective=keras_tuner.Objective(*monitor),
      max_trials=trials,
      hyperparameters=space,
      allow_new_entries=False,
      seed=seed,
      # A trial that diverges does not mean that the next one will.
      max_consecutive_failed_trials=trials + 1,
    )
    super().__init__(oracle=oracle, directory=directory, project_name="search")
    self.oracle.verbose = 0
    self._train, self._monitor, self._asked = train, monitor, trials
    self._path = pathlib.Path(directory) / Trials.FILE
    self._rows: list[Trial] = []

  def run_trial(self, trial: keras_tuner.engine.trial.Trial) -> dict[str, float]:
    """Trains once; returns the monitored metric of the best epoch, by name.

    Raises:
      keras_tuner.errors.FailedTrialError: training failed, or the metric was never a number.
    """
    number = len(self._rows) + 1
    values = dict(trial.hyperparameters.values)
    started = time.monotonic()
    history: list[dict[str, Any]] = []
    reason = None
    try:
      history = self._train(values, f"trial {number}/{self._asked}: ")
      score = best_value(history, self._monitor)
      if not math.isfinite(score):
        reason = f"{self._monitor[0]} was no finite number in any epoch: training diverged"
    except Exception as err:
      reason = _reason(err)
    self._rows.append(
      Trial(
        trial=number,
        hyperparameters=values,
        state="failed" if reason else "complete",
        score=None if reason else score,
        epochs=len(history),
        seconds=round(time.monotonic() - started, 2),
        error=reason,
      )
    )
    self._write()
    shown = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
    if reason:
      progress.report(f"trial {number}/{self._asked} failed with {shown}: {reason}", epoch=0)
      raise keras_tuner.errors.FailedTrialError(reason)
    progress.report(
      f"trial {number}/{self._asked}: {self._monitor[0]} {score:.4g} with {shown}", epoch=0
    )
    return {self._monitor[0]: score}

  def on_search_end(self) -> None:
    """Checks that the search has a result.

    Raises:
      DlpipeError: every trial failed.
    """
    if all(row.error for row in self._rows):
      raise DlpipeError(
        "No trial of the Tuner came to an end: "
        + "; ".join(f"trial {row.trial}: {row.error}" for row in self._rows)
      )
    if len(self._rows) < self._asked:
      progress.report(
        f"the search space has no more than {len(self._rows)} settings to try of the "
        f"{self._asked} that tune.trials asks for",
        epoch=0,
      )

  def _write(self) -> None:
    metric, mode = self._monitor
    scored = {row.trial: row.score for row in self._rows if row.score is not None}
    best = (max if mode == "max" else min)(scored, key=lambda number: scored[number], default=None)
    record = Trials(
      monitor=metric, mode=mode, asked=self._asked, best=best, trials=tuple(self._rows)
    )
    staged = self._path.with_suffix(".staged")
    staged.write_text(record.to_text(), encoding="utf-8")
    os.replace(staged, self._path)


def _reason(err: Exception) -> str:
  """Returns an error in one line, without the bold marks that Keras writes."""
  said = " ".join(_BOLD.sub("", str(err)).split())
  return (said if isinstance(err, DlpipeError) else f"{type(err).__name__}: {said}")[
    :_LONGEST_REASON
  ]


def _short(value: Any) -> str:
  return f"{value:.4g}" if isinstance(value, float) else str(value)
