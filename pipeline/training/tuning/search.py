"""`tuner_fn` searches a task's hyperparameters; TFX's Tuner calls it by dotted path."""

from __future__ import annotations

import functools
import math
import pathlib
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from components.trials import Trial, Trials
from dlpipe import progress
from dlpipe.errors import DlpipeError
from pipeline.settings.config import MOST_TRIALS
from pipeline.tasks import get_task
from pipeline.training.freezing import FrozenFeatures
from pipeline.training.learning import best_value, learn, load_splits
from pipeline.training.machines import strategy
from pipeline.training.tuning import kept_trials, search_space
from pipeline.training.tuning.halving import Halving

if TYPE_CHECKING:
  from tfx.components.trainer.fn_args_utils import FnArgs

_LEAST_EPOCHS = 3
_SHARE_OF_EPOCHS = 0.25
_LONGEST_REASON = 300
_BOLD = re.compile(r"\x1b\[\d*m")

# Is told the logs of each epoch.
AfterEpoch = Callable[[Mapping[str, float]], None]
# Takes a trial's values, the prefix of its progress lines and who is told of epochs; returns the
# history of its training.
_Train = Callable[[Mapping[str, Any], str, AfterEpoch], list[dict[str, Any]]]


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
  """Trains `tune.trials` times as the Trainer does, for fewer epochs, with random values.

  The first trial uses the run's own values, so the chosen values score at least as well as they do.
  A Tuner that goes on after a kill takes the trials that were finished from `trials_root`.

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
  # A trial's time is that of its epochs.
  trial_config = {**config, "train": {**config["train"], "minutes": None}}

  def train(values: Mapping[str, Any], of: str, after_epoch: AfterEpoch) -> list[dict[str, Any]]:
    keras.backend.clear_session()
    return learn(
      task,
      trial_config,
      base.replace(**values),
      tft_output,
      splits,
      distribution=distribution,
      features=features,
      shorten=functools.partial(trial_epochs, most=config["tune"]["epochs"]),
      after_epoch=after_epoch,
      of=of,
    ).history

  search = Search(
    train,
    space,
    monitor=task.problem.monitor,
    trials=config["tune"]["trials"],
    minutes=config["tune"]["minutes"],
    stops_early=config["tune"]["early_stopping"],
    seed=config["train"]["seed"],
    directory=fn_args.working_dir,
    kept=kept_trials.file_of(fn_args),
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


class _StoppedTrial(Exception):
  """Ends a trial's training; its argument is the setting that does so."""


class _OwnValuesFirst(keras_tuner.oracles.RandomSearchOracle):
  """Draws values at random, except for the first trial, which gets the run's own values."""

  def __init__(self, *, is_over: Callable[[], bool], **arguments: Any):
    """`is_over` tells whether to begin no more trials; the others are KerasTuner's arguments."""
    super().__init__(**arguments)
    self._is_over = is_over

  def populate_space(self, trial_id: str) -> dict[str, Any]:
    """Returns the trial's values, in KerasTuner's form."""
    status = keras_tuner.engine.trial.TrialStatus
    if self.trials and self._is_over():
      return {"status": status.STOPPED, "values": None}
    if self.trials:
      return dict(super().populate_space(trial_id))
    return {"status": status.RUNNING, "values": dict(self.hyperparameters.values)}


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
    minutes: float | None = None,
    stops_early: bool = True,
    kept: pathlib.Path | None = None,
    clock: Callable[[], float] = time.monotonic,
  ):
    """Prepares the search; runs nothing.

    Args:
      train: trains one trial.
      space: the search space.
      monitor: the metric to score trials by, and "max" or "min".
      trials: the number of trials to run; 0 for as many as fit into the time.
      seed: seed for drawing values.
      directory: receives KerasTuner's files, and `trials.json` after each trial.
      minutes: the time of the search; None for any.
      stops_early: whether hopeless trials end early.
      kept: a file of finished trials, which a search that was killed goes on with; None keeps none.
      clock: the time in seconds.
    """
    oracle = _OwnValuesFirst(
      is_over=lambda: self._is_over(),
      objective=keras_tuner.Objective(*monitor),
      max_trials=trials or MOST_TRIALS,
      hyperparameters=space,
      allow_new_entries=False,
      seed=seed,
      # A trial that diverges does not mean that the next one will.
      max_consecutive_failed_trials=(trials or MOST_TRIALS) + 1,
    )
    super().__init__(oracle=oracle, directory=directory, project_name="search")
    self.oracle.verbose = 0
    self._train, self._monitor, self._asked = train, monitor, trials
    self._clock, self._left_s = clock, None if minutes is None else 60 * minutes
    self._halving = Halving(monitor[1]) if stops_early else None
    self._paths = [pathlib.Path(directory) / Trials.FILE, *([kept] if kept else [])]
    self._kept = kept_trials.read(kept)
    self._rows: list[Trial] = []

  def run_trial(self, trial: keras_tuner.engine.trial.Trial) -> dict[str, float]:
    """Trains once; returns the monitored metric of the best epoch, by name.

    Raises:
      keras_tuner.errors.FailedTrialError: training failed, or the metric was never a number.
    """
    values = dict(trial.hyperparameters.values)
    row = self._kept.get(len(self._rows) + 1)
    if row is not None and row.hyperparameters == values:
      came = f"{row.state} before"
    else:
      row = self._trained(len(self._rows) + 1, values)
      came = row.state
    self._rows.append(row)
    if self._halving and not row.error:
      self._halving.add(row.values, is_whole=row.state == "complete")
    if self._left_s is not None:
      self._left_s -= row.seconds
    self._write()
    of = self._of(row.trial)
    shown = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
    if row.error or row.score is None:
      progress.report(f"{of} {came} with {shown}: {row.error}", epoch=0)
      raise keras_tuner.errors.FailedTrialError(row.error)
    which = f" ({came})" if came != "complete" else ""
    by = f", by {row.ended_by}" if row.ended_by else ""
    progress.report(f"{of}: {self._monitor[0]} {row.score:.4g} with {shown}{which}{by}", epoch=0)
    return {self._monitor[0]: row.score}

  def _trained(self, number: int, values: dict[str, Any]) -> Trial:
    """Trains one trial; an error is its result."""
    started = self._clock()
    reached: list[float] = []
    state = "complete"
    reason: str | None = None
    ended_by: str | None = None

    def after_epoch(logs: Mapping[str, float]) -> None:
      reached.append(float(logs.get(self._monitor[0], math.nan)))
      if self._left_s is not None and self._clock() - started >= self._left_s:
        raise _StoppedTrial("tune.minutes")
      if self._halving and self._halving.is_hopeless(reached):
        raise _StoppedTrial("tune.early_stopping")

    try:
      history = self._train(values, f"{self._of(number)}: ", after_epoch)
      reached = [float(row[self._monitor[0]]) for row in history]
    except _StoppedTrial as err:
      state, ended_by = "stopped", str(err)
    except Exception as err:
      state, reason, reached = "failed", _reason(err), []
    score = best_value([{self._monitor[0]: value} for value in reached], self._monitor)
    if not reason and not math.isfinite(score):
      state = "failed"
      reason = f"{self._monitor[0]} was no finite number in any epoch: training diverged"
    return Trial(
      trial=number,
      hyperparameters=values,
      state=state,
      score=None if reason else score,
      epochs=len(reached),
      seconds=round(self._clock() - started, 2),
      error=reason,
      ended_by=None if reason else ended_by,
      values=tuple(value if math.isfinite(value) else None for value in reached),
    )

  def on_search_end(self) -> None:
    """Checks that the search has a result.

    Raises:
      DlpipeError: every trial failed.
    """
    if all(row.error for row in self._rows):
      reasons: dict[str, list[str]] = {}
      for row in self._rows:
        reasons.setdefault(str(row.error), []).append(str(row.trial))
      raise DlpipeError(
        "No trial of the Tuner came to an end: "
        + "; ".join(
          f"trial{'s' * (len(trials) > 1)} {', '.join(trials)}: {reason}"
          for reason, trials in reasons.items()
        )
      )
    if self._is_over():
      progress.report(f"the time for trials is up after {len(self._rows)} (tune.minutes)", epoch=0)
    elif len(self._rows) < (self._asked or MOST_TRIALS):
      asked = f"{self._asked} that tune.trials asks for" if self._asked else "time that is left"
      progress.report(
        f"the search space has no more than {len(self._rows)} settings to try of the {asked}",
        epoch=0,
      )

  def _is_over(self) -> bool:
    return self._left_s is not None and self._left_s <= 0

  def _of(self, number: int) -> str:
    return f"trial {number}/{self._asked}" if self._asked else f"trial {number}"

  def _write(self) -> None:
    metric, mode = self._monitor
    scored = {row.trial: row.score for row in self._rows if row.score is not None}
    best = (max if mode == "max" else min)(scored, key=lambda number: scored[number], default=None)
    record = Trials(
      monitor=metric,
      mode=mode,
      asked=self._asked,
      best=best,
      trials=tuple(self._rows),
      ended_by="tune.minutes" if self._is_over() else None,
    )
    for path in self._paths:
      kept_trials.write(record, path)


def _reason(err: Exception) -> str:
  """Returns an error in one line, without the bold marks that Keras writes."""
  said = " ".join(_BOLD.sub("", str(err)).split())
  return (said if isinstance(err, DlpipeError) else f"{type(err).__name__}: {said}")[
    :_LONGEST_REASON
  ]


def _short(value: Any) -> str:
  return f"{value:.4g}" if isinstance(value, float) else str(value)
