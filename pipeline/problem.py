"""`Problem`: the kind of answer that a task learns, with the functions that depend on it.

Each kind is a module of `pipeline.problems` with one `PROBLEM`. A task uses it, or changes
single fields: `PROBLEM.but(metrics="pipeline.tasks.mine.metrics")`. This module imports no
framework, and names heavy functions by dotted path, so that the command line lists tasks in
milliseconds.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from dlpipe.errors import BadInputError
from dlpipe.records import FeatureValue

# For `limits` and `unread`.
MEASURED_ON_SUCH = (
  "Its metrics hold for inputs like those of the data below. Nothing was measured on others."
)
WITHOUT_CLASSES = {"data.allow_lost_classes": "is for tasks with classes, and this one has none"}

DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_PATHS = ("compile_args", "answer", "metrics", "rows", "findings")
_OPTIONAL_PATHS = (
  *("units", "serving_outputs", "calibration", "certainty", "shown", "survey", "baseline"),
)


def usual_words(outputs: Mapping[str, Any]) -> list[str]:
  """Formats a row of outputs for the terminal: each single value with its name."""
  return [
    f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
    for name, value in outputs.items()
    if not isinstance(value, list)
  ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
  """A kind of answer; functions by dotted path are imported when called.

  Attributes:
    name: the name of the kind and of its module.
    read_label: `(cell, data options) -> value of the raw label feature`; raises `ValueError` with a
      reason for the quarantine. Light: sources call it.
    require: `(records, label feature, *, source, advice, options) -> None`; raises `BadInputError`
      if the first records show that nothing can be learnt. It reads as few records as possible.
    has_classes: whether raw labels name classes. Classes are counted, and rare ones are kept in
      train.
    has_one_class: whether each row has exactly one class: classes can be weighed, and likely wrong
      labels looked for.
    label_id_key: the transformed feature with the label for the loss.
    vocabulary: name of the vocabulary of labels in the transform graph; None if there is none.
    options: names of the data options that `read_label` and `answer` read; a model is exported
      with their values in training.
    compile_args: `(params) -> {"loss": ..., "metrics": [...]}` for Keras.
    units: `(tft_output, vocabulary) -> how many numbers a model gives for each row`; a model is
      held to it before it is trained, unless the task has its own `answer`. None: any will do.
    monitor: the validation metric that picks the best epoch, and its mode.
    answer: `(tft_output, vocabulary, data options) -> fn(the model's output, transformed features)
      -> {output name: tensor}`, in graph; makes the outputs of every signature.
    serving_keys: transformed features that only `answer` reads; they are not inputs of the model.
    cache_dtypes: as `Task.cache_dtypes`, for `label_id_key`.
    serving_outputs: `(model, tft_output) -> fn(transformed features) -> {output name: tensor}`;
      replaces `answer` if serving needs more than one call of the model. None calls the model.
    calibration: `(outputs, labels, *, wanted) -> Calibration`: fits the temperature by which the
      model's output is divided before `answer` gets it; None divides by nothing.
    certainty: a class, such as `pipeline.problems.certainty.sets.ClassSets`, that fits on val what
      the outputs `set` or `low` and `high`, and `decision` need, and makes them; None makes none.
    prediction_key: the output that the metrics evaluate.
    compares_raw_label: whether the metrics use the raw label instead of `label_id_key`.
    metrics: `() -> list of TFMA MetricConfig`.
    rows: `(labels, outputs) -> pyarrow.Table`: the columns `label`, `predicted`, `loss`, `right`
      and others of `predictions.parquet`, a row an example; `labels` holds the values of the raw
      label of each, `outputs` the arrays of `serving_examples` by name. See
      `pipeline.problems.rows`.
    shown: `(Evaluation, names) -> fields of the report's evaluation`; `names()` returns the labels
      of the vocabulary; None adds no fields.
    findings: `(summary, gates) -> findings as JSON`: the findings of DataGate and `dlpipe check` on
      the counts of a run's data.
    survey: `() -> object` with `add(row)` and `findings()`: the findings of `dlpipe check` on the
      answers; None for no findings.
    baseline: `(examples, told, rows) -> Baseline or None`: a cheap model of the same data, and how
      the network compares with it; see `pipeline.suspects.cheap`. None for no comparison.
    contradicts: whether equal inputs with different answers contradict each other.
    unread: settings without effect: full name to advice for the user.
    words: `(row of outputs) -> words for the terminal`.
    answer_keys: the outputs that say what a model decided; none means `prediction_key`.
    answer_in: `(row of outputs) -> what was decided`, equal if two models decide alike; None takes
      the only output of `answer_keys`.
    limits: sentences of the model card: what no model of this kind can tell its user.
  """

  name: str
  read_label: Callable[[Any, Mapping[str, Any]], FeatureValue]
  require: Callable[..., None]
  has_classes: bool
  has_one_class: bool = False
  label_id_key: str
  vocabulary: str | None = None
  options: tuple[str, ...] = ()
  compile_args: str
  units: str | None = None
  monitor: tuple[str, Literal["max", "min"]] = ("val_loss", "min")
  answer: str
  serving_keys: tuple[str, ...] = ()
  cache_dtypes: Mapping[str, str] = dataclasses.field(default_factory=dict)
  serving_outputs: str | None = None
  calibration: str | None = None
  certainty: str | None = None
  prediction_key: str
  compares_raw_label: bool = False
  metrics: str
  rows: str
  shown: str | None = None
  findings: str = "pipeline.checks.gate_findings.findings"
  survey: str | None = None
  baseline: str | None = None
  contradicts: bool
  unread: Mapping[str, str] = dataclasses.field(default_factory=dict)
  words: Callable[[Mapping[str, Any]], list[str]] = usual_words
  answer_keys: tuple[str, ...] = ()
  answer_in: Callable[[Mapping[str, Any]], Any] | None = None
  limits: tuple[str, ...] = ()

  def __post_init__(self) -> None:
    """Checks the fields.

    Raises:
      BadInputError: a field is invalid; the message gives its expected form and its value.
    """
    for fault in _faults(self):
      raise BadInputError(fault)

  def but(self, **changes: Any) -> Problem:
    """Returns a copy with some fields changed.

    Raises:
      BadInputError: a field is unknown or its value invalid.
    """
    known = [field.name for field in dataclasses.fields(self)]
    strangers = sorted(set(changes) - set(known))
    if strangers:
      raise BadInputError(
        f"A Problem has no field {', '.join(map(repr, strangers))}. It has: {', '.join(known)}"
      )
    return dataclasses.replace(self, **changes)

  def compared_key(self, label_key: str) -> str:
    """Returns the feature that metrics compare with the prediction."""
    return label_key if self.compares_raw_label else self.label_id_key

  @property
  def has_several(self) -> bool:
    """Whether a row may have several classes, or none."""
    return self.has_classes and not self.has_one_class

  @property
  def decisive(self) -> tuple[str, ...]:
    """The names of the outputs that `decision` reads."""
    return self.answer_keys or (self.prediction_key,)

  def decision(self, outputs: Mapping[str, Any]) -> Any:
    """Returns what a model decided, a text or a number, from a row of its outputs.

    >>> from pipeline.problems.classes import PROBLEM
    >>> PROBLEM.decision({"label": "cat", "score": 0.9})
    'cat'
    """
    return self.answer_in(outputs) if self.answer_in else outputs[self.decisive[0]]

  def dotted_paths(self) -> dict[str, str]:
    """Returns field to dotted path, for the fields that name a function."""
    paths = {field: getattr(self, field) for field in (*_PATHS, *_OPTIONAL_PATHS)}
    return {field: path for field, path in paths.items() if path is not None}


def _faults(problem: Problem) -> Iterator[str]:
  """Yields a sentence for each invalid field."""
  for field in ("name", "label_id_key", "prediction_key"):
    if not (isinstance(getattr(problem, field), str) and getattr(problem, field)):
      yield _fault(problem, field, "a name, such as 'scores'")
  if problem.vocabulary is not None and not isinstance(problem.vocabulary, str):
    yield _fault(problem, "vocabulary", "the name of a vocabulary, or None")
  for field in (*_PATHS, *_OPTIONAL_PATHS):
    value = getattr(problem, field)
    if value is None and field in _OPTIONAL_PATHS:
      continue
    if not isinstance(value, str) or not DOTTED_PATH.fullmatch(value):
      yield _fault(
        problem, field, "a function's dotted path, such as 'pipeline.tasks.mine.model.f'"
      )
  for field in ("read_label", "require", "words"):
    if not callable(getattr(problem, field)):
      yield _fault(problem, field, "a function")
  monitor = problem.monitor
  if (
    not isinstance(monitor, tuple)
    or len(monitor) != 2
    or not str(monitor[0]).startswith("val_")
    or monitor[1] not in ("max", "min")
  ):
    yield _fault(problem, "monitor", "a validation metric and its mode, ('val_accuracy', 'max')")


def _fault(problem: Problem, field: str, expected: str) -> str:
  return f"{field} must be {expected}. Received: {field}={getattr(problem, field)!r}"
