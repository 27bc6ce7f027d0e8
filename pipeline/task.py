"""`Task`: all that shared code may ask of a task. A record of functions, not a base class.

A task lives in one folder, `pipeline/tasks/<name>/`, whose `task.py` defines `TASK = Task(...)`.
Shared code calls these functions and never branches on a task's name. This module imports neither
TensorFlow nor TFX, so that the command line can list tasks and validate input in milliseconds; a
`task.py` names heavy functions by dotted path for the same reason.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.problem import Problem

Options = Mapping[str, Any]
# Hyperparameters that every task has; a user sets them as train.<name>.
TRAIN_NAMES = ("epochs", "batch_size", "learning_rate")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def beside(folder: str, name: Any) -> str:
  """The path of a file that a table or a list in a folder names.

  Raises:
    ValueError: the name is missing, or no string.
  """
  if name is None or name == "":
    raise ValueError("the row names no file")
  if not isinstance(name, str):
    raise ValueError(f"the path is no string, but a {type(name).__name__}")
  return os.path.join(folder, name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
  """One input layout a task reads.

  Attributes:
    description: one line for help and errors, such as "one folder per class".
    matches: whether the path has this layout; looks at names and first bytes only.
    plan: `(path, data options) -> SourcePlan`; raises `BadInputError` on input that cannot be used.
    read: `(shard, data options) -> records`; runs on Beam workers, must be importable by name.
    options: which data options it reads beside the task's `input_bounds`; None for all. A user who
      sets another is refused.
    usual_columns: what else columns of a table are called, in lower case, by the task's name for
      them, such as `{"text": ("review",)}`; `dlpipe batch` finds its inputs by them, too.
  """

  description: str
  matches: Callable[[str], bool]
  plan: Callable[[str, Options], SourcePlan]
  read: Callable[[Mapping[str, Any], Options], Iterator[Record | Rejected]]
  options: tuple[str, ...] | None = None
  usual_columns: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

  def __post_init__(self) -> None:
    """Holds the functions to what Beam's workers can import.

    Raises:
      BadInputError: naming the one that they cannot.
    """
    for field in ("matches", "plan", "read"):
      if not callable(getattr(self, field)):
        raise BadInputError(f"Source: {_fault(self, field, 'a function')}")
    for field in ("plan", "read"):
      name = getattr(getattr(self, field), "__qualname__", ".")
      if "." in name or name == "<lambda>":
        raise BadInputError(
          f"Source: {field} must be a function at the top level of a module, which other processes "
          f"can import. Received: {field}={getattr(self, field)!r}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricGate:
  """A bound that a model must keep to be pushed.

  Attributes:
    metric: a metric's name as `evaluation` computes it.
    direction: whether higher or lower values are better.
    bound: the worst value that passes; None checks only the change.
    max_regression: how much worse than the latest blessed model still passes; None allows any.
    reason: why this bound, in words a reader of the report understands.
    best: the best value there can be, such as 1 for a share; a setting beyond it, such as 99 for
      99 %, is refused, because no model would ever pass. None where there is none.
  """

  metric: str
  direction: Literal["higher", "lower"] = "higher"
  bound: float | None = None
  max_regression: float | None = None
  reason: str
  best: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
  """One stretch of training at one learning-rate schedule.

  Attributes:
    name: shown in progress and history.
    epochs: the most passes over the training split.
    learning_rate: the schedule's peak.
    frozen: names of the model's layers that keep their weights. Where the first layers are frozen,
      what they compute is computed once and kept, not once an epoch.
    min_steps: small data gets more epochs, until there are this many optimizer steps, unless the
      user set how many epochs there are.
    epochs_setting: the hyperparameter that `epochs` comes from.
  """

  name: str
  epochs: int
  learning_rate: float
  frozen: tuple[str, ...] = ()
  min_steps: int = 0
  epochs_setting: str = "epochs"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """Everything shared code asks of a task; functions by dotted path are imported when called.

  Attributes:
    name: folder, schema, pipeline name and served model name; `[a-z][a-z0-9_]*`.
    summary: one line for the command line's help.
    input_key: the raw feature a caller sends (`image`, `text`); also `serving_default`'s input.
    input_kind: whether a caller's value is `text`, or a `file` whose bytes are sent.
    label_key: the raw feature to predict; never renamed.
    problem: the kind of answer: what its labels are, what is learnt of them and measured, and what
      a served model says. `pipeline.problems` has the kinds.
    sequence_keys: transformed features `[time]` of token ids, 0 after their end. Batches are made
      of rows of similar length, and cut to the longest of them; the first key's length counts most.
    cache_dtypes: transformed features to smaller types that hold their values exactly; what is
      kept in memory for training is kept in these.
    sources: input layouts by name, tried in this order.
    shipped_data: writes or finds the sample data and returns its path.
    data_options: defaults of the options that sources understand; `--set data.<name>=...` may
      change these names.
    sample_input: one command-line argument out of the shipped data, to try a model with.
    request_value: turns one command-line argument, or one cell of a table, into `input_key`'s
      value (file bytes, text); what is missing becomes empty, which `input_rule` refuses. Raises
      `BadInputError` on a file that cannot be read, `ValueError` on what is no input at all.
    input_column: what the sources call the column of inputs: the data option `<name>_column` names
      it, and `usual_columns` its other names; by default `input_key`, or `path` for files.
    find_file: the path of the file that a cell of a table or a line names, where inputs are files:
      `(folder of the table, cell) -> path`; raises `ValueError` on what names none.
    input_rule: dotted path; in graph, `([batch] string, {name of input_bounds: value}) -> [batch]
      string` says why inputs are not answered, empty where they are. The sources ask it or agree
      with it, and every signature refuses by it.
    input_bounds: which data options it reads; a model is exported with those of its training.
    preprocessing_fn: dotted path; TFX's own signature, with `custom_config`, whose
      `hyperparameters` are those of `preprocessing_hyperparameters`.
    preprocessing_hyperparameters: which hyperparameters `preprocessing_fn` reads; a change to
      another one does not run Transform again.
    build_model: dotted path; `(hyperparameters, TFTransformOutput) -> keras.Model`, uncompiled,
      from transformed features to what the problem's loss takes.
    adapt: dotted path; `(hyperparameters, model, batches of train) -> None` sets what a model takes
      from the data in one pass, before it learns; None sets nothing.
    training_plan: dotted path; `(hyperparameters) -> phases`, run one after another.
    callbacks: dotted path; `(hyperparameters) -> list of keras.callbacks.Callback`, made for each
      phase; None adds none to those of the shared loop.
    search_space: dotted path; `(keras_tuner.HyperParameters, hyperparameters) -> None` declares
      what the Tuner may vary.
    slices: raw features to slice the evaluation by.
    transformed_slices: transformed features, strings, to slice the evaluation by; no inputs of the
      model.
    serving_keys: transformed features that only the problem's `serving_outputs` reads; no inputs
      of the model.
    hyperparameters: defaults; `--set model.<name>=...` may change these names only, except
      that `epochs`, `batch_size` and `learning_rate`, which every task has, are `train.<name>`.
    settings: what `--set` may change, by its full name such as `model.dropout`: a type that allows
      for bounds and a meaning, `Annotated[float, pydantic.Field(ge=0, lt=1, description="...")]`.
      `dlpipe settings` shows it and a value outside is refused; a name that is not here takes any
      value of its default's type.
    decoding: further hyperparameters, set as `decode.<name>`, that say how a trained model turns
      what it computes into an answer. A change exports and judges the model again, and does not
      train it again.
    tiny: overrides for a run in seconds.
    lifted_epochs: the hyperparameters that count a phase's epochs and that its `min_steps` lifts
      where the user does not set them.
    unread: `(merged hyperparameters) -> {name: what to do instead}`, those that the chosen model
      has no use for; a user who sets one is refused in these words. None where all are read.
    gates: bounds to be kept before a model is pushed.
    infer_hyperparameters: `(source name, data path, data options, merged hyperparameters) ->
      overrides`; looks at the data before the pipeline is drawn, such as for a picture size where
      that is None. Raises `BadInputError` on values that cannot work.
    describe: dotted path; `(bytes of input_key) -> pipeline.checks.description.Description`, by
      which `dlpipe check` measures inputs and finds near-duplicates; None finds equal ones only.
  """

  name: str
  summary: str
  input_key: str
  input_kind: Literal["text", "file"] = "text"
  label_key: str
  problem: Problem
  sequence_keys: tuple[str, ...] = ()
  cache_dtypes: Mapping[str, str] = dataclasses.field(default_factory=dict)
  sources: Mapping[str, Source]
  shipped_data: Callable[[], str]
  data_options: Options = dataclasses.field(default_factory=dict)
  sample_input: Callable[[], str]
  request_value: Callable[[Any], bytes | str]
  input_column: str | None = None
  find_file: Callable[[str, Any], str] = beside
  input_rule: str | None = None
  input_bounds: tuple[str, ...] = ()
  preprocessing_fn: str
  preprocessing_hyperparameters: tuple[str, ...] = ()
  build_model: str
  adapt: str | None = None
  training_plan: str
  callbacks: str | None = None
  search_space: str
  slices: tuple[str, ...] = ()
  transformed_slices: tuple[str, ...] = ()
  serving_keys: tuple[str, ...] = ()
  hyperparameters: Options = dataclasses.field(default_factory=dict)
  settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  decoding: Options = dataclasses.field(default_factory=dict)
  tiny: Options = dataclasses.field(default_factory=dict)
  lifted_epochs: tuple[str, ...] = ("epochs",)
  unread: Callable[[Options], Mapping[str, str]] | None = None
  gates: tuple[MetricGate, ...] = ()
  infer_hyperparameters: Callable[[str, str, Options, Options], Options] | None = None
  describe: str | None = None

  def __post_init__(self) -> None:
    """Holds the fields to their forms.

    Raises:
      BadInputError: naming the field, what it must be and what it is.
    """
    for fault in _faults(self):
      raise BadInputError(fault)

  @property
  def pipeline_name(self) -> str:
    """What the pipeline is called in a metadata store, where names have no underscores."""
    return self.name.replace("_", "-")

  def dotted_paths(self) -> dict[str, str]:
    """The functions that are named by dotted path, by field."""
    paths = {field: getattr(self, field) for field in (*_PATHS, *_OPTIONAL_PATHS)}
    own = {field: path for field, path in paths.items() if path is not None}
    return {**own, **self.problem.dotted_paths()}

  def left_out(self) -> tuple[str, ...]:
    """Transformed features that are no inputs of the model."""
    return (*self.transformed_slices, *self.serving_keys, *self.problem.serving_keys)


def task_of(pipeline_name: str) -> str:
  """The name of the task whose pipeline is called so."""
  return pipeline_name.replace("-", "_")


_NAMES = ("name", "input_key", "label_key")
_PATHS = ("preprocessing_fn", "build_model", "training_plan", "search_space")
_OPTIONAL_PATHS = ("adapt", "callbacks", "describe")
_FUNCTIONS = ("shipped_data", "sample_input", "request_value", "find_file")
_TUPLES = (
  "sequence_keys",
  "preprocessing_hyperparameters",
  "slices",
  "transformed_slices",
  "serving_keys",
)
_MAPPINGS = (
  "cache_dtypes",
  "sources",
  "data_options",
  "hyperparameters",
  "settings",
  "decoding",
  "tiny",
)


def _faults(task: Task) -> Iterator[str]:
  """What is wrong with a task's fields, each as a sentence."""
  if isinstance(task.input_key, (list, tuple)):
    yield (
      f"input_key must be one name: a task has one input, a text or a file's bytes. Received: "
      f"{task.input_key!r}. Join several into one text in the source, or train on one of them."
    )
  for field in _NAMES:
    if not (isinstance(getattr(task, field), str) and getattr(task, field)):
      yield _fault(task, field, "a name, such as 'text'")
  if not _NAME.fullmatch(task.name):
    yield _fault(task, "name", "lower-case letters, digits and _, the first a letter")
  if not isinstance(task.summary, str):
    yield _fault(task, "summary", "a line of text")
  if task.input_kind not in ("text", "file"):
    yield _fault(task, "input_kind", "'text' or 'file'")
  if not isinstance(task.problem, Problem):
    yield _fault(task, "problem", "a Problem, such as pipeline.problems.classes.PROBLEM")
  for field in _MAPPINGS:
    if not isinstance(getattr(task, field), Mapping):
      yield _fault(task, field, "a dictionary")
  for field in _TUPLES:
    value = getattr(task, field)
    if not isinstance(value, tuple) or not all(isinstance(each, str) for each in value):
      yield _fault(task, field, "a tuple of names, such as ('text',)")
  for field in _FUNCTIONS:
    if not callable(getattr(task, field)):
      yield _fault(task, field, "a function")
  if task.infer_hyperparameters is not None and not callable(task.infer_hyperparameters):
    yield _fault(task, "infer_hyperparameters", "a function, or None")
  yield from _path_faults(task)
  yield from _value_faults(task)
  yield from _gate_faults(task)


def _path_faults(task: Task) -> Iterator[str]:
  for field in (*_PATHS, *_OPTIONAL_PATHS):
    value = getattr(task, field)
    if value is None and field in _OPTIONAL_PATHS:
      continue
    if not isinstance(value, str) or not _DOTTED_PATH.fullmatch(value):
      yield _fault(
        task,
        field,
        f"a function's dotted path, such as 'pipeline.tasks.{task.name}.model.f'",
      )


def _value_faults(task: Task) -> Iterator[str]:
  if not task.sources or not all(isinstance(each, Source) for each in task.sources.values()):
    yield _fault(task, "sources", "a dictionary of at least one Source")
  missing = [name for name in TRAIN_NAMES if name not in task.hyperparameters]
  if missing:
    yield (f"hyperparameters must have {', '.join(TRAIN_NAMES)}. Missing: {', '.join(missing)}")
  both = sorted(set(task.hyperparameters) & set(task.decoding))
  if both:
    yield f"decoding must have names of its own. In hyperparameters, too: {', '.join(both)}"
  known = {*task.hyperparameters, *task.decoding}
  for field, names, among in (
    ("tiny", task.tiny, known),
    ("preprocessing_hyperparameters", task.preprocessing_hyperparameters, known),
    ("settings", task.settings, _settable(task)),
  ):
    strangers = sorted(set(names) - among)
    if strangers:
      yield (
        f"{field} must hold names that the task has: {', '.join(sorted(among))}. Received: "
        f"{', '.join(strangers)}"
      )


def _settable(task: Task) -> set[str]:
  return {
    *(f"data.{name}" for name in task.data_options),
    *(f"model.{name}" for name in task.hyperparameters),
    *(f"decode.{name}" for name in task.decoding),
  }


def _gate_faults(task: Task) -> Iterator[str]:
  if not isinstance(task.gates, tuple) or not all(isinstance(g, MetricGate) for g in task.gates):
    yield _fault(task, "gates", "a tuple of MetricGate; one gate needs a comma behind it")
    return
  metrics = [gate.metric for gate in task.gates]
  for gate in task.gates:
    if not (isinstance(gate.metric, str) and gate.metric):
      yield f"gates: metric must be a metric's name. Received: metric={gate.metric!r}"
    if metrics.count(gate.metric) > 1:
      yield f"gates: {gate.metric} must have one gate, with bound and max_regression in it"
    if gate.direction not in ("higher", "lower"):
      yield (
        f"gates: direction of {gate.metric} must be 'higher' or 'lower'. Received: "
        f"direction={gate.direction!r}"
      )
    if gate.bound is None and gate.max_regression is None:
      yield f"gates: {gate.metric} must have a bound or a max_regression; it holds nothing"


def _fault(task: Task | Source, field: str, expected: str) -> str:
  return f"{field} must be {expected}. Received: {field}={getattr(task, field)!r}"
