"""`Finite`: ends a training that has diverged."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import keras
import numpy as np

from dlpipe import progress
from dlpipe.errors import DlpipeError
from pipeline.training.callbacks import BestEpoch

_LOOK_EVERY_S = 2.0


class Finite(keras.callbacks.Callback):
  """Ends a phase once a weight is not finite: no later step recovers from that.

  The epoch's monitored metric becomes nan, so that no such weights are kept: an accuracy, of all
  numbers, stays one. It comes before the callbacks that read it.

  Args:
    phase: name of the phase.
    best: the phase's `BestEpoch`.
  """

  def __init__(self, phase: str, best: BestEpoch):
    super().__init__()
    self._phase, self._best = phase, best
    self._step, self._looked = 0, 0.0
    self.found: str | None = None

  def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
    """Looks every few seconds, so that an epoch of hours ends as well."""
    self._step = batch + 1
    if time.monotonic() - self._looked > _LOOK_EVERY_S:
      self._looked = time.monotonic()
      self._look(logs or {})

  def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
    """Ends the phase, or the training if there is nothing to keep.

    Raises:
      DlpipeError: no epoch before had finite weights.
    """
    known = logs if logs is not None else {}
    self._look(known)
    if self.found is None:
      return
    known[self._best.metric] = math.nan
    where = f"{self._phase} epoch {epoch + 1}, step {self._step}: {self.found}"
    if self._best.weights is None and not math.isfinite(self._best.value):
      raise DlpipeError(
        f"The training diverged. {where}, and no epoch before can be kept. Lower the learning rate "
        "(--set train.learning_rate=...), clip gradients (clipnorm of an optimizer in "
        "compile_args), and look for logarithms, roots and divisions in the loss."
      )
    progress.report(f"{where}; training ends here, and the best epoch before is kept", epoch=0)

  def _look(self, logs: Mapping[str, float]) -> None:
    if self.found is None and not all(math.isfinite(float(value)) for value in logs.values()):
      self.found = _not_finite(self.model)
      self.model.stop_training = self.model.stop_training or self.found is not None


def _not_finite(model: keras.Model) -> str | None:
  """Says which weight of a model is not finite; None if all are."""
  for variable in model.trainable_variables:
    values = np.asarray(variable)
    if not np.isfinite(values).all():
      what = "nan" if np.isnan(values).any() else "infinity"
      return f"the weight {variable.path} has become {what}"
  return None
