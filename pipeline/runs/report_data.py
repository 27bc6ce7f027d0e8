"""`ReportData`: everything the report of a run shows. `record` collects it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.source_example_gen.summary import Summary
from pipeline.runs.result import RunResult

if TYPE_CHECKING:  # with frameworks, which the page does not need
  from components.data_gate import Check
  from components.serving_gate.parity import Parity
  from components.trials import Trials
  from pipeline.behaviour.results import Behaviour
  from pipeline.drift.verdict import Drift
  from pipeline.problems.calibration import Calibration
  from pipeline.problems.certainty.record import Certainty
  from pipeline.suspects.baseline import Baseline
  from pipeline.training.training_record import PhaseRow

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportData:
  """A run, its inputs and its results. The report leaves out what is empty or None.

  Attributes:
    result: the run's end.
    started: when it began, ISO 8601.
    data_path: the input.
    data_page: address of the page on the data, relative to the report; None if there is none.
    hyperparameters: name to value, as trained with.
    phases: a row a phase.
    history: a row an epoch: `phase`, `epoch`, `epochs`, `learning_rate`, `seconds` and metrics such
      as `loss`, `accuracy`, each with its `val_` twin.
    chosen: the place in `history` of the epoch whose weights the model has; None if unknown.
    advice: sentences on what the training shows.
    calibration: how the model's outputs become scores.
    certainty: what val says about how far answers can be trusted.
    tuning: the Tuner's trials, the best first.
    tuned: name to value, of the hyperparameters that the Trainer took from the Tuner.
    evaluation: `metrics` {name: value}; `intervals` {metric: (low, high)}; `slices` [{feature,
      value, metrics, interval}], the most in need first; `labels`; `confusion`, counts by true
      label (rows) and predicted label (columns); `per_class` [{label, precision, recall, count,
      interval}]; `calibration` [{low, high, count, confidence, accuracy}]; `answers` [[right,
      answered]], numbers. Any of them may be missing.
    parity: the serving gate's proof.
    data_checks: the checks of DataGate.
    quarantine: [{origin, reason}] of records that could not be used.
    statistics: the counts of the source.
    versions: package to version.
    pictures: mistakes to look at, [{origin, split, data_uri or None, label, predicted, score}], or
      `off` for `score` where answers are numbers; `link` is the address of the file,
      if it is there, `size` width and height of the picture, or None, and `why`, why the model
      answered so, as `pipeline.runs.shown.reasons.ShownReasons.of` returns it.
    texts: mistakes to read, [{origin, split, input, label, predicted, score}], likewise.
    samples: the model's texts for some inputs, the same as `texts` with `worst`.
    cells: examples of what is taken for what, [{label, predicted, rows}], rows as in `pictures` or
      `texts`.
    reasons: what holds for every `why`, as `ShownReasons.about` returns it, and
      `of_several`, whether answers are several labels; None without rows.
    curves: `split`; `answers`, as `pipeline.rows.curves.of_answers` returns it; `labels`, as
      `of_labels`; None without scores.
    flips: the comparison with the model before, row by row: `run_id` of that model, `rows`
      compared of `of`, `relabelled`, `by_loss`, the numbers of rows that are `better` and `worse`,
      `better_rows` and `worse_rows` with the earlier answer as `before`; None without one.
    baseline: what a cheap model and the network are worth on eval.
    behaviour: what came of the tests of behaviour.
    drift: how the data differ from those of the served version.
    suspected: how many labels of val and eval contradict the model's scores, and of how many.
  """

  result: RunResult
  started: str
  data_path: str
  data_page: str | None = None
  hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  phases: Sequence[PhaseRow] = ()
  history: Sequence[Row] = ()
  chosen: int | None = None
  advice: Sequence[str] = ()
  calibration: Calibration | None = None
  certainty: Certainty | None = None
  tuning: Trials | None = None
  tuned: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  evaluation: Mapping[str, Any] | None = None
  parity: Parity | None = None
  data_checks: Sequence[Check] = ()
  quarantine: Sequence[Row] = ()
  statistics: Summary = dataclasses.field(default_factory=Summary)
  versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
  pictures: Sequence[Row] = ()
  texts: Sequence[Row] = ()
  samples: Sequence[Row] = ()
  cells: Sequence[Row] = ()
  reasons: Row | None = None
  curves: Row | None = None
  flips: Row | None = None
  suspected: tuple[int, int] | None = None
  baseline: Baseline | None = None
  behaviour: Behaviour | None = None
  drift: Drift | None = None
