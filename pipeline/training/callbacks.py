"""Keras callbacks of the training loop: keep the best epoch, report progress, save checkpoints."""

from __future__ import annotations

import json
import math
import os
import pathlib
import statistics
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from dlpipe import progress, words
from pipeline.training.compiling import rate_of
from pipeline.training.faults.first_look import require_monitor
from pipeline.training.files import SET_ASIDE_SUFFIX, STATE_FILE
from pipeline.training.machines.averages import averaged
from pipeline.training.machines.strategy import is_chief

_STEP_REPORT_EVERY_S = 2.0
_STATE_KEYS = {"phase", "epoch", "best_value", "wait", "history"}
# Errors that numpy, zip and JSON raise if a file was truncated or overwritten.
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


class Stateful(Protocol):
  """An object with state that lasts from step to step, such as an optimizer."""

  @property
  def variables(self) -> Sequence[keras.Variable]:
    """All state variables, always in the same order."""


class BestEpoch(keras.callbacks.Callback):
  """Keeps the weights of the best epoch; ends training if no epoch improves within `patience`.

  If the optimizer averages weights (`use_ema`), it keeps the averages.

  An equal later epoch replaces the weights, because its learning rate was lower, but does not
  extend the patience.

  Args:
    whole_model: the model whose weights are kept, even if only a part of it is trained.
    monitor: the metric, and "max" or "min".
    patience: training ends after this many epochs without a better one.
    counts_from: the first epoch (from 0) that counts against `patience`.
  """

  def __init__(
    self,
    whole_model: keras.Model,
    *,
    monitor: tuple[str, str],
    patience: int,
    counts_from: int = 0,
  ):
    super().__init__()
    self._whole_model = whole_model
    self.metric, mode = monitor
    self._sign = 1 if mode == "max" else -1
    self._patience, self._counts_from = patience, counts_from
    self.value = -math.inf
    self.wait = 0
    self.weights: list[np.ndarray] | None = None

  def start_from(self, value: float) -> None:
    """Takes the current weights as the best so far; `value` is negated if the mode is "min"."""
    self.value = value
    self.weights = self._whole_model.get_weights()

  @property
  def exhausted(self) -> bool:
    """Whether patience has run out."""
    return self.wait >= self._patience

  def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
    """Compares this epoch with the best so far."""
    known = logs or {}
    require_monitor(self.metric, list(known))
    value = self._sign * float(known[self.metric])
    better = value > self.value
    self.wait = 0 if better or epoch < self._counts_from else self.wait + 1
    if better or value == self.value:
      self.value = value
      with averaged(self.model):
        self.weights = self._whole_model.get_weights()
    if self.exhausted:
      self.model.stop_training = True

  def restore(self) -> None:
    """Puts the best weights into the model; does nothing if no epoch has ended."""
    if self.weights is not None:
      self._whole_model.set_weights(self.weights)


class Report(keras.callbacks.Callback):
  """Appends a row to the history after each epoch, and reports progress and the time left.

  Args:
    phase: name of the phase.
    epochs: number of epochs in the phase.
    steps: number of steps in an epoch.
    rows: number of rows in an epoch.
    history: receives the rows.
    of: prefix of every progress line, such as `trial 1/3: `.
    seconds_left: returns the seconds that a time limit leaves the phase; None without a limit.
  """

  def __init__(
    self,
    *,
    phase: str,
    epochs: int,
    steps: int,
    rows: int,
    history: list[dict[str, Any]],
    of: str = "",
    seconds_left: Callable[[], float] | None = None,
  ):
    super().__init__()
    self._phase, self._epochs, self._steps, self._history = phase, epochs, steps, history
    self._rows, self._seconds_left = rows, seconds_left
    self._shown = f"{of}{phase}"
    self._epoch = 0
    self._started = self._reported = 0.0

  def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
    """Starts the epoch's clock."""
    self._epoch = epoch + 1
    self._started = self._reported = time.monotonic()

  def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
    """Reports the step and its logs every few seconds, with the last epoch's validation loss."""
    now = time.monotonic()
    if now - self._reported > _STEP_REPORT_EVERY_S:
      self._reported = now
      values = {name: float(value) for name, value in (logs or {}).items()}
      if self._past and "val_loss" in self._past[-1]:
        values["val_loss"] = self._past[-1]["val_loss"]
      done = (batch + 1) / self._steps
      seconds = now - self._started
      self._report(
        f"{self._shown} epoch {self._epoch}/{self._epochs}  step {batch + 1}/{self._steps}",
        values,
        epochs_left=self._epochs - self._epoch + 1 - done,
        epoch_seconds=self._epoch_seconds(or_else=seconds / done),
        phase=self._phase,
        epoch=self._epoch,
        epochs=self._epochs,
        step=batch + 1,
        steps=self._steps,
        examples_per_s=round(self._rows * done / seconds, 1),
      )

  def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
    """Appends the row and reports it."""
    values = {name: float(value) for name, value in (logs or {}).items()}
    seconds = time.monotonic() - self._started
    row = {
      "phase": self._phase,
      "epoch": epoch + 1,
      "epochs": self._epochs,
      "seconds": round(seconds, 3),
      "learning_rate": rate_of(self.model),
      **values,
    }
    self._history.append(row)
    self._report(
      f"{self._shown} epoch {epoch + 1}/{self._epochs}",
      values,
      epochs_left=self._epochs - epoch - 1,
      epoch_seconds=self._epoch_seconds(or_else=seconds),
      examples_per_s=round(self._rows / max(seconds, 1e-3), 1),
      **row,
    )

  @property
  def _past(self) -> list[dict[str, Any]]:
    """The rows of this phase."""
    return [row for row in self._history if row["phase"] == self._phase]

  def _epoch_seconds(self, *, or_else: float) -> float:
    """Returns how long an epoch takes; the first one compiles, and counts only if it is alone."""
    seconds = [row["seconds"] for row in self._past]
    return statistics.median(seconds[1:] or seconds or [or_else])

  def _report(
    self,
    where: str,
    values: Mapping[str, float],
    *,
    epochs_left: float,
    epoch_seconds: float,
    **fields: Any,
  ) -> None:
    left = epochs_left * epoch_seconds
    if self._seconds_left is not None:
      left = min(left, self._seconds_left())
    said = [where, *(f"{name} {value:.3f}" for name, value in values.items())]
    if epochs_left:
      said.append(words.left(left))
    progress.report("  ".join(said), **{**values, **fields, "left_s": round(left, 1)})


class Checkpoint:
  """Saves training to one file after each epoch, atomically; a killed training resumes from it."""

  def __init__(self, directory: pathlib.Path, model: keras.Model):
    self._path = directory / STATE_FILE
    self._model = model
    self._restored: dict[str, Any] | None = None
    self._arrays: dict[str, np.ndarray] = {}

  def restore(self) -> dict[str, Any] | None:
    """Loads the file, and puts its weights into the model.

    A file that is damaged, or belongs to another model, is renamed, and training starts anew.

    Returns:
      The state that was saved: `phase`, `epoch`, `best_value`, `wait` and `history`; None if there
      is no usable file.
    """
    if not self._path.exists():
      return None
    try:
      # Opened here, because numpy does not close a file that is no archive.
      with self._path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        self._arrays = {name: file[name] for name in file.files}
      state = json.loads(str(self._arrays["state"]))
      if missing := _STATE_KEYS - set(state):
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
      weights = self._model.get_weights()
      _check_shapes("model", weights, self._numbered("model"))
      if best := self._numbered("best"):
        _check_shapes("best epoch", weights, best)
    except _UNREADABLE as err:
      self._set_aside(str(err) or type(err).__name__)
      return None
    self._restored = state
    self._model.set_weights(self._numbered("model"))
    return self._restored

  def restore_phase(self, optimizer: Stateful, best: BestEpoch) -> int:
    """Restores the state of the optimizer and of the best epoch.

    An optimizer's state that does not fit is ignored, and the optimizer starts anew.

    Args:
      optimizer: the optimizer of the phase, or all of them as one.
      best: the phase's `BestEpoch`.

    Returns:
      The number of epochs that the phase has completed.
    """
    state = self._restored or {}
    values = self._numbered("optimizer")
    try:
      _check_shapes("optimizer", optimizer.variables, values)
    except ValueError as err:
      progress.report(
        f"the checkpoint's optimizer does not fit ({err}): the weights are kept, and the optimizer "
        "begins anew",
        epoch=state["epoch"],
      )
    else:
      for variable, value in zip(optimizer.variables, values, strict=True):
        variable.assign(value)
    # No weights were saved if the kill came before any usable epoch; None restores nothing.
    best.weights = self._numbered("best") or None
    best.value, best.wait = state["best_value"], state["wait"]
    return int(state["epoch"])

  def callback(
    self,
    phase: int,
    optimizer: Stateful,
    best: BestEpoch,
    history: list[dict[str, Any]],
  ) -> keras.callbacks.Callback:
    """Returns a callback that saves after each epoch.

    It must come after the callbacks whose state it saves: `best`, and the one that fills `history`.
    """

    def save(epoch: int, logs: Any) -> None:
      if not is_chief():
        return
      state = {
        "phase": phase,
        "epoch": epoch + 1,
        "best_value": best.value,
        "wait": best.wait,
        "history": history,
      }
      self._save(
        {
          "state": np.array(json.dumps(state)),
          **_number("model", self._model.get_weights()),
          **_number("optimizer", [np.asarray(v) for v in optimizer.variables]),
          **_number("best", best.weights or []),
        }
      )

    return keras.callbacks.LambdaCallback(on_epoch_end=save)

  def _save(self, arrays: dict[str, np.ndarray]) -> None:
    self._path.parent.mkdir(parents=True, exist_ok=True)
    staged = self._path.with_name(f"staged-{STATE_FILE}")
    with staged.open("wb") as file:
      np.savez(file, **arrays)
      file.flush()
      os.fsync(file.fileno())
    staged.replace(self._path)

  def _set_aside(self, reason: str) -> None:
    """Renames the file: training does not read it again, and a person can still inspect it."""
    self._arrays = {}
    if not is_chief():
      return
    folder = self._path.parent
    kept = folder.with_name(f"{folder.name}{SET_ASIDE_SUFFIX}")
    self._path.replace(kept)
    # Every progress display shows a report that has an epoch's number.
    progress.report(
      f"the checkpoint cannot be used ({reason}): it is now {kept}, and training begins anew",
      epoch=0,
    )

  def _numbered(self, kind: str) -> list[np.ndarray]:
    names = (n for n in self._arrays if n.startswith(f"{kind}/"))
    return [self._arrays[n] for n in sorted(names, key=lambda n: int(n.rpartition("/")[2]))]


def _number(kind: str, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
  return {f"{kind}/{index}": array for index, array in enumerate(arrays)}


def _check_shapes(kind: str, expected: Sequence[Any], found: Sequence[np.ndarray]) -> None:
  wanted, given = ([tuple(each.shape) for each in arrays] for arrays in (expected, found))
  if wanted != given:
    raise ValueError(f"{kind}: expected arrays of shape {wanted}, received {given}")
