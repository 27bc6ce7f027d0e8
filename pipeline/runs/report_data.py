"""`ReportData`: everything the report of a run shows. Collected by runners, read by `render`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.runs.result import RunResult

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportData:
  """A run and what it was made of. What is empty or None is left out of the report.

  Attributes:
    result: the run's end.
    started: when it began, ISO 8601.
    data_path: where the data came from.
    hyperparameters: name to value, as trained with.
    phases: a row a phase: `phase`, `setting`, and epochs `asked`, `scheduled` and `trained`.
    history: a row an epoch: `phase`, `epoch`, `epochs`, `learning_rate`, `seconds` and metrics such
      as
      `loss`, `accuracy`, each with its `val_` twin.
    tuning: the Tuner's trials: `monitor`, `asked`, `best`, `used` {name: value} by the Trainer and
      `trials` [{trial, hyperparameters, state, score, epochs, seconds, error}], the best first.
    evaluation: `metrics` {name: value}; `slices` [{feature, value, metrics}]; `labels`;
      `confusion`, counts by true label (rows) and predicted label (columns); `per_class`
      [{label, precision, recall, count}]; `calibration` [{low, high, count, confidence,
      accuracy}]; `answers` [[right, answered]], numbers. Any of them may be missing.
    parity: the serving gate's proof: `passed`, `rows`, `tolerance`, `paths` [{loader, signature,
      output, max_difference, passed}], `skipped` [sentence], `latency` [{protocol, requests,
      p50_ms, p99_ms}].
    data_checks: [{name, passed, value, bound, reason}].
    quarantine: [{origin, reason}] of records that could not be used.
    statistics: `examples` {split: count}, `labels` {split: {label: count}} and `reasons` {reason:
      count} of the quarantine.
    versions: package to version.
    pictures: mistakes to look at, [{data_uri, label, predicted, score}], or `off` for `score` where
      answers are numbers.
    texts: mistakes to read, [{input, label, predicted, score}], likewise.
    samples: what was written for some inputs, [{input, label, predicted, score, worst}].
  """

  result: RunResult
  started: str
  data_path: str
  hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  phases: Sequence[Row] = ()
  history: Sequence[Row] = ()
  tuning: Mapping[str, Any] | None = None
  evaluation: Mapping[str, Any] | None = None
  parity: Mapping[str, Any] | None = None
  data_checks: Sequence[Row] = ()
  quarantine: Sequence[Row] = ()
  statistics: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
  pictures: Sequence[Row] = ()
  texts: Sequence[Row] = ()
  samples: Sequence[Row] = ()
