"""`Trials`: the trials of a Tuner. `tuner_fn` writes it; `recorded_tuner` keeps it in an artifact.

Imports no TFX.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
  """One trial.

  Attributes:
    trial: its number, from 1.
    hyperparameters: the values that it tried.
    state: complete, stopped or failed.
    score: the monitored metric of its best epoch; None if it failed.
    epochs: the epochs that it trained.
    seconds: its wall time.
    error: why it failed; None if it did not.
    ended_by: the setting that stopped it before its last epoch; None if none did.
    values: the monitored metric after each epoch; None where it is no number.
  """

  trial: int
  hyperparameters: dict[str, Any]
  state: str = "complete"
  score: float | None
  epochs: int = 0
  seconds: float = 0.0
  error: str | None = None
  ended_by: str | None = None
  values: tuple[float | None, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trials(ArtifactFile):
  """`trials.json`.

  Attributes:
    monitor: the metric that ranks the trials.
    mode: max or min.
    asked: how many trials were asked for; 0 for as many as fit into the time.
    best: the number of the best one; None if each failed.
    trials: in their order.
    ended_by: the setting that ended the search; None if none did.
  """

  FILE: ClassVar[str] = "trials.json"

  monitor: str
  mode: str
  asked: int
  best: int | None
  trials: tuple[Trial, ...]
  ended_by: str | None = None
