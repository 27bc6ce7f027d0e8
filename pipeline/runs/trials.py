"""What a run's Tuner tried, read back from its artifact: for `dlpipe runs show` and the report."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from components.recorded_tuner import TRIALS_FILE
from dlpipe.words import duration, number


def read(tuner_results: pathlib.Path | None) -> dict[str, Any] | None:
  """The record of the trials; None where no Tuner ran, or its files are gone.

  Returns:
    `monitor`, the metric they were ranked by; `mode`, max or min; `asked`, how many were asked for;
    `best`, the best one's number; `trials` [{trial, hyperparameters, state, score, epochs, seconds,
    error}], in their order.
  """
  if tuner_results is None or not (tuner_results / TRIALS_FILE).exists():
    return None
  record: dict[str, Any] = json.loads((tuner_results / TRIALS_FILE).read_text(encoding="utf-8"))
  return record


def ranked(record: Mapping[str, Any]) -> list[dict[str, Any]]:
  """The trials, the best first; those that failed come last, in their order."""
  sign = -1 if record["mode"] == "max" else 1
  failed = float("inf")
  return sorted(record["trials"], key=lambda t: failed if t["score"] is None else sign * t["score"])


def lines(record: Mapping[str, Any]) -> list[str]:
  """The trials for a terminal, the best first."""
  found = [f"Trials, by {record['monitor']}; the Trainer takes the best one's values"]
  for trial in ranked(record):
    came = number(trial["score"]) if trial["score"] is not None else f"failed: {trial['error']}"
    values = ", ".join(f"{name} {shown(v)}" for name, v in trial["hyperparameters"].items())
    found.append(
      f"  {trial['trial']:>3}{'*' if trial['trial'] == record['best'] else ' '} {values}  {came}  "
      f"({trial['epochs']} epochs, {duration(trial['seconds'])})"
    )
  return found


def shown(value: Any) -> str:
  """A hyperparameter for a person."""
  return number(value) if isinstance(value, float) else str(value)
