"""`Task`: everything that shared code needs of a task. A record of functions, not a base class.

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
from pipeline.params import DataOptions, Params
from pipeline.problem import DOTTED_PATH, Problem

Options = Mapping[str, Any]
NAME = re.compile(r"[a-z][a-z0-9_]*")


def beside(folder: str, name: Any) -> str:
  """Joins a folder and the name of a file in one of its tables or lists.

  Raises:
    ValueError: the name is missing or not a string.
  """
  if name is None or name == "":
    raise ValueError("the row names no file")
  if not isinstance(name, str):
    raise ValueError(f"the path is no string, but a {type(name).__name__}")
  return os.path.join(folder, name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
  """One input layout that a task reads.

  >>> def plan(path, options):
  ...   return dlpipe.records.SourcePlan(shards=[{"path": path}], fingerprint=path)
  >>> def read(shard, options):
  ...   origin = f"{shard['path']}, line 1"
  ...   yield dlpipe.Record(features={"text": "fine"}, content=b"fine", split=None, origin=origin)
  >>> source = dlpipe.Source(
  ...   description="one text", matches=lambda path: path.endswith(".txt"), plan=plan, read=read
  ... )
  >>> [shard] = source.plan("a.txt", {}).shards
  >>> next(source.read(shard, {})).origin
  'a.txt, line 1'

  Attributes:
    description: one line for help and errors, such as "one folder per class".
    matches: `(path) -> bool`, whether the path has this layout; reads names and first bytes only.
    plan: `(path, data options) -> SourcePlan`; raises `BadInputError` on input that cannot be used.
    read: `(shard, data options) -> records`; runs on Beam workers, must be importable by name.
    options: names of the data options that it reads beside the input's `bounds`; None for all. A
      run that sets another option is refused.
    usual_columns: the task's name of a column to other usual names in lower case, such as
      `{"text": ("review",)}`; `dlpipe batch` uses them, too.
  """

  description: str
  matches: Callable[[str], bool]
  plan: Callable[[str, Options], SourcePlan]
  read: Callable[[Mapping[str, Any], Options], Iterator[Record | Rejected]]
  options: tuple[str, ...] | None = None
  usual_columns: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

  def __post_init__(self) -> None:
    """Checks that Beam's workers can import the functions.

    Raises:
      BadInputError: a function cannot be imported by its name.
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
class Input:
  """The input of a model: a text or a file's bytes, and the rule for valid inputs.

  >>> review = dlpipe.Input(key="text", value=str.encode, sample=lambda: "Not bad.")
  >>> review.kind, review.value(review.sample())
  ('text', b'Not bad.')

  Attributes:
    key: the raw feature that a caller sends (`image`, `text`); also the input of `serving_default`.
    kind: `text` if a caller sends text, `file` if a caller sends the bytes of a file.
    value: converts one command-line argument, or one cell of a table, to the feature's value (file
      bytes, text). A missing value becomes empty, which `rule` refuses. Raises `BadInputError` if a
      file cannot be read, and `ValueError` if the value is not an input.
    sample: returns one command-line argument from the shipped data, to try a model.
    column: name of the input column in the sources: the data option `<name>_column` sets it, and
      `usual_columns` lists its other names; by default `key`, or `path` for files.
    find_file: `(folder of the table, cell) -> path`, if inputs are files: the file that a cell of a
      table or a line names; raises `ValueError` if it names none.
    rule: dotted path; in graph, `([batch] string, {name of bounds: value}) -> [batch] string`
      returns why each input is invalid, empty for valid ones. The sources call it or apply the same
      rule, and every signature refuses inputs by it.
    bounds: names of the data options that the rule reads; a model is exported with their values in
      training.
    describe: dotted path; `(bytes of the input) -> pipeline.checks.description.Description`, with
      which `dlpipe check` measures inputs and finds near-duplicates; None finds equal inputs only.
    explain: dotted path; `(model, pipeline.explanations.target.Target) -> fn(transformed features)
      -> {output name: tensor}`, in graph: the signature `explain`; None exports none.
  """

  key: str
  kind: Literal["text", "file"] = "text"
  value: Callable[[Any], bytes | str]
  sample: Callable[[], str]
  column: str | None = None
  find_file: Callable[[str, Any], str] = beside
  rule: str | None = None
  bounds: tuple[str, ...] = ()
  describe: str | None = None
  explain: str | None = None

  def __post_init__(self) -> None:
    """Checks the fields.

    Raises:
      BadInputError: a field is invalid; the message gives its expected form and its value.
    """
    if isinstance(self.key, (list, tuple)):
      raise BadInputError(
        f"Input: key must be one name: a task has one input, a text or a file's bytes. Received: "
        f"{self.key!r}. Join several into one text in the source, or train on one of them."
      )
    if not (isinstance(self.key, str) and self.key):
      raise BadInputError("Input: " + _fault(self, "key", "a name, such as 'text'"))
    if self.kind not in ("text", "file"):
      raise BadInputError("Input: " + _fault(self, "kind", "'text' or 'file'"))
    for field in ("value", "sample", "find_file"):
      if not callable(getattr(self, field)):
        raise BadInputError(f"Input: {_fault(self, field, 'a function')}")
    for field in _INPUT_PATHS:
      path = getattr(self, field)
      if path is not None and not _is_path(path):
        raise BadInputError(f"Input: {_fault(self, field, 'a dotted path of a function, or None')}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricGate:
  """A bound that a model must satisfy before it is pushed.

  >>> gate = dlpipe.Gate(metric="accuracy", bound=0.9, max_regression=0.01, reason="below, no use")
  >>> gate.direction
  'higher'

  Attributes:
    metric: name of a metric that `evaluation` computes.
    direction: whether higher or lower values are better.
    bound: the worst value that passes; None checks only the regression.
    max_regression: largest loss against the latest blessed model that passes; None allows any.
    reason: why the bound exists, for a reader of the report.
    best: the best possible value, such as 1 for a share, or None; a bound beyond it is refused.
    optional: whether a model passes if eval cannot measure it, unless the user sets the bound.
  """

  metric: str
  direction: Literal["higher", "lower"] = "higher"
  bound: float | None = None
  max_regression: float | None = None
  reason: str
  best: float | None = None
  optional: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
  """One part of the training, with one learning-rate schedule.

  >>> head = dlpipe.Phase(name="head", epochs=5, learning_rate=1e-3, frozen=("backbone",))
  >>> head.min_steps
  0

  Attributes:
    name: name in progress and history.
    epochs: largest number of passes over the training split.
    learning_rate: peak of the schedule.
    frozen: names of the model's layers that keep their weights. If the first layers are frozen,
      their outputs are computed once and cached, instead of once an epoch.
    min_steps: smallest number of optimizer steps: small data gets more epochs, unless they are set.
    epochs_setting: the setting of `Params` that gives `epochs`; None if the task fixes them.
    warmup: part of the steps in which the learning rate rises from 0 to its peak, below 1.
    views: how often frozen first layers see a row of train: once as it is, then as in training.
    output: the layer at which the model ends; without trainable weights, `adapt`'s fit is judged.
  """

  name: str
  epochs: int
  learning_rate: float
  frozen: tuple[str, ...] = ()
  min_steps: int = 0
  epochs_setting: str | None = "epochs"
  warmup: float = 0.0
  views: int = 1
  output: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """Everything that shared code needs of a task; dotted paths are imported when called.

  >>> from pipeline.tasks import get_task
  >>> images = get_task("images")
  >>> isinstance(images, dlpipe.Task), images.input.key, "folder" in images.sources
  (True, 'image', True)

  Attributes:
    name: name of the folder, schema, pipeline and served model; `[a-z][a-z0-9_]*`.
    summary: one line for the command line's help.
    input: the input of the model.
    label_key: the raw feature to predict; never renamed.
    problem: the kind of answer, which sets labels, loss, metrics and outputs of a served model;
      `pipeline.problems` has the kinds.
    sequence_keys: transformed features `[time]` of token ids, 0 after their end. A batch is cut to
      its longest row; rows are of similar length, the first key's counts most.
    cache_dtypes: transformed feature to a smaller type that holds its values exactly; training
      caches the feature in memory in this type.
    sources: input layouts by name, tried in this order.
    shipped_data: writes or finds the sample data and returns its path.
    data_options: the class of the sources' options, with defaults, types, bounds and meanings;
      a user sets them with `--set data.<name>=...`.
    params: the class of the model's settings: their types, defaults, bounds, meanings and values
      with `--tiny`; see `pipeline.params`. The functions below get an object of this class.
    preprocessing_fn: dotted path; `(raw features, params) -> transformed features`, in graph;
      `params` has only the settings with `Role.TRANSFORM`.
    build_model: dotted path; `(params, TFTransformOutput) -> keras.Model`, uncompiled; maps
      transformed features to the input of the problem's loss.
    adapt: dotted path; `(params, model, batches of train) -> None` sets weights from one pass over
      the data before training; None sets none.
    training_plan: dotted path; `(params) -> phases`, run one after another.
    callbacks: dotted path; `(params) -> list of Keras callbacks`, made for each phase, or None.
    search_space: dotted path; `(keras_tuner.HyperParameters, params) -> None` declares what the
      Tuner may vary.
    slices: raw features to slice the evaluation by.
    transformed_slices: transformed strings to slice the evaluation by; no inputs of the model.
    serving_keys: transformed features that only the problem's `serving_outputs` reads; they are
      not inputs of the model.
    gates: bounds that a model must satisfy before it is pushed.
    infer: `(source name, data path, data options, params) -> params`; inspects the data before the
      pipeline is built, for a picture size that is None. Raises `BadInputError` if none can work.
  """

  name: str
  summary: str
  input: Input
  label_key: str
  problem: Problem
  sequence_keys: tuple[str, ...] = ()
  cache_dtypes: Mapping[str, str] = dataclasses.field(default_factory=dict)
  sources: Mapping[str, Source]
  shipped_data: Callable[[], str]
  data_options: type[DataOptions] = DataOptions
  params: type[Params]
  preprocessing_fn: str
  build_model: str
  adapt: str | None = None
  training_plan: str
  callbacks: str | None = None
  search_space: str
  slices: tuple[str, ...] = ()
  transformed_slices: tuple[str, ...] = ()
  serving_keys: tuple[str, ...] = ()
  gates: tuple[MetricGate, ...] = ()
  infer: Callable[[str, str, Options, Any], Params] | None = None

  def __post_init__(self) -> None:
    """Checks the fields.

    Raises:
      BadInputError: a field is invalid; the message gives its expected form and its value.
    """
    for fault in _faults(self):
      raise BadInputError(fault)

  @property
  def pipeline_name(self) -> str:
    """The name of the pipeline in a metadata store, which allows no underscores."""
    return self.name.replace("_", "-")

  def dotted_paths(self) -> dict[str, str]:
    """Returns field to dotted path, for the fields that name a function."""
    paths = {field: getattr(self, field) for field in (*_PATHS, *_OPTIONAL_PATHS)}
    paths |= {f"input.{name}": getattr(self.input, name) for name in _INPUT_PATHS}
    own = {field: path for field, path in paths.items() if path is not None}
    return {**own, **self.problem.dotted_paths()}

  def left_out(self) -> tuple[str, ...]:
    """Returns the transformed features that are not inputs of the model."""
    return (*self.transformed_slices, *self.serving_keys, *self.problem.serving_keys)


def task_of(pipeline_name: str) -> str:
  """Returns the name of the task with this pipeline name."""
  return pipeline_name.replace("-", "_")


_NAMES = ("name", "label_key")
_PATHS = ("preprocessing_fn", "build_model", "training_plan", "search_space")
_OPTIONAL_PATHS = ("adapt", "callbacks")
_INPUT_PATHS = ("rule", "describe", "explain")
_TUPLES = ("sequence_keys", "slices", "transformed_slices", "serving_keys")
_MAPPINGS = ("cache_dtypes", "sources")


def _faults(task: Task) -> Iterator[str]:
  """Yields a sentence for each invalid field of a task."""
  if not isinstance(task.input, Input):
    yield _fault(task, "input", "an Input")
  for field in _NAMES:
    if not (isinstance(getattr(task, field), str) and getattr(task, field)):
      yield _fault(task, field, "a name, such as 'text'")
  if not NAME.fullmatch(task.name):
    yield _fault(task, "name", "lower-case letters, digits and _, the first a letter")
  if not isinstance(task.summary, str):
    yield _fault(task, "summary", "a line of text")
  if not isinstance(task.problem, Problem):
    yield _fault(task, "problem", "a Problem, such as pipeline.problems.classes.PROBLEM")
  for field in _MAPPINGS:
    if not isinstance(getattr(task, field), Mapping):
      yield _fault(task, field, "a dictionary")
  for field in _TUPLES:
    value = getattr(task, field)
    if not isinstance(value, tuple) or not all(isinstance(each, str) for each in value):
      yield _fault(task, field, "a tuple of names, such as ('text',)")
  if not callable(task.shipped_data):
    yield _fault(task, "shipped_data", "a function")
  if task.infer is not None and not callable(task.infer):
    yield _fault(task, "infer", "a function, or None")
  yield from _path_faults(task)
  yield from _settings_faults(task)
  yield from _gate_faults(task)


def _path_faults(task: Task) -> Iterator[str]:
  for field in (*_PATHS, *_OPTIONAL_PATHS):
    value = getattr(task, field)
    if value is None and field in _OPTIONAL_PATHS:
      continue
    if not _is_path(value):
      such_as = f"pipeline.tasks.{task.name}.model.f"
      yield _fault(task, field, f"a function's dotted path, such as '{such_as}'")


def _settings_faults(task: Task) -> Iterator[str]:
  if not task.sources or not all(isinstance(each, Source) for each in task.sources.values()):
    yield _fault(task, "sources", "a dictionary of at least one Source")
  for field, base in (("data_options", DataOptions), ("params", Params)):
    given = getattr(task, field)
    if not (isinstance(given, type) and issubclass(given, base)):
      such_as = f"class Mine({base.__name__}): size: int = 8"
      yield _fault(task, field, f"a class of pipeline.params.{base.__name__}, such as `{such_as}`")
    else:
      yield from (f"{field}: {fault}" for fault in given.faults())


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


def _is_path(value: Any) -> bool:
  return isinstance(value, str) and DOTTED_PATH.fullmatch(value) is not None


def _fault(task: Task | Source | Input, field: str, expected: str) -> str:
  return f"{field} must be {expected}. Received: {field}={getattr(task, field)!r}"
