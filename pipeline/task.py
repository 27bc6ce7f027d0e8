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
from pipeline.params import DataOptions, Params
from pipeline.problem import Problem

Options = Mapping[str, Any]
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def beside(folder: str, name: Any) -> str:
  """Returns the path of a file that a table or a list in a folder names.

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
    matches: whether the path has this layout; looks at names and first bytes only.
    plan: `(path, data options) -> SourcePlan`; raises `BadInputError` on input that cannot be used.
    read: `(shard, data options) -> records`; runs on Beam workers, must be importable by name.
    options: which data options it reads beside the input's `bounds`; None for all. A user who
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
class Input:
  """What a model is asked about: a text or a file's bytes, and what of these can be answered.

  >>> review = dlpipe.Input(key="text", value=str.encode, sample=lambda: "Not bad.")
  >>> review.kind, review.value(review.sample())
  ('text', b'Not bad.')

  Attributes:
    key: the raw feature a caller sends (`image`, `text`); also `serving_default`'s input.
    kind: whether a caller's value is `text`, or a `file` whose bytes are sent.
    value: turns one command-line argument, or one cell of a table, into the feature's value (file
      bytes, text); what is missing becomes empty, which `rule` refuses. Raises `BadInputError` on
      a file that cannot be read, `ValueError` on what is no input at all.
    sample: one command-line argument out of the shipped data, to try a model with.
    column: what the sources call the column of inputs: the data option `<name>_column` names it,
      and `usual_columns` its other names; by default `key`, or `path` for files.
    find_file: the path of the file that a cell of a table or a line names, if inputs are files:
      `(folder of the table, cell) -> path`; raises `ValueError` on what names none.
    rule: dotted path; in graph, `([batch] string, {name of bounds: value}) -> [batch] string` says
      why inputs are not answered, empty for those that are. The sources ask it or agree with it,
      and every signature refuses by it.
    bounds: which data options the rule reads; a model is exported with those of its training.
    describe: dotted path; `(bytes of the input) -> pipeline.checks.description.Description`, by
      which `dlpipe check` measures inputs and finds near-duplicates; None finds equal ones only.
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

  def __post_init__(self) -> None:
    """Holds the fields to their forms.

    Raises:
      BadInputError: naming the field, what it must be and what it is.
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
    for field in ("rule", "describe"):
      path = getattr(self, field)
      if path is not None and not _is_path(path):
        raise BadInputError(f"Input: {_fault(self, field, 'a dotted path of a function, or None')}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricGate:
  """A bound that a model must keep to be pushed.

  >>> gate = dlpipe.Gate(metric="accuracy", bound=0.9, max_regression=0.01, reason="below, no use")
  >>> gate.direction
  'higher'

  Attributes:
    metric: a metric's name as `evaluation` computes it.
    direction: whether higher or lower values are better.
    bound: the worst value that passes; None checks only the change.
    max_regression: how much worse than the latest blessed model still passes; None allows any.
    reason: why this bound, in words a reader of the report understands.
    best: the best value there can be, such as 1 for a share; a setting beyond it, such as 99 for
      99 %, is refused, because no model would ever pass. None if there is none.
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

  >>> head = dlpipe.Phase(name="head", epochs=5, learning_rate=1e-3, frozen=("backbone",))
  >>> head.min_steps
  0

  Attributes:
    name: shown in progress and history.
    epochs: the most passes over the training split.
    learning_rate: the schedule's peak.
    frozen: names of the model's layers that keep their weights. Where the first layers are frozen,
      what they compute is computed once and kept, not once an epoch.
    min_steps: small data gets more epochs, until there are this many optimizer steps, unless the
      user set how many epochs there are.
    epochs_setting: the setting of `Params` that `epochs` comes from.
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

  >>> from pipeline.tasks import get_task
  >>> images = get_task("images")
  >>> isinstance(images, dlpipe.Task), images.input.key, "folder" in images.sources
  (True, 'image', True)

  Attributes:
    name: folder, schema, pipeline name and served model name; `[a-z][a-z0-9_]*`.
    summary: one line for the command line's help.
    input: what the model is asked about.
    label_key: the raw feature to predict; never renamed.
    problem: the kind of answer: what its labels are, what is learnt of them and measured, and what
      a served model says. `pipeline.problems` has the kinds.
    sequence_keys: transformed features `[time]` of token ids, 0 after their end. Batches are made
      of rows of similar length, and cut to the longest of them; the first key's length counts most.
    cache_dtypes: transformed features to smaller types that hold their values exactly; what is
      kept in memory for training is kept in these.
    sources: input layouts by name, tried in this order.
    shipped_data: writes or finds the sample data and returns its path.
    data_options: the class of the options that sources understand, with defaults, types, bounds
      and meanings; `--set data.<name>=...` may change these names.
    params: the class of the model's settings: their types, defaults, bounds, meanings and values
      with `--tiny`; see `pipeline.params`. The functions below are given one of its objects.
    preprocessing_fn: dotted path; `(raw features, params) -> transformed features`, in graph;
      `params` has those with `Role.TRANSFORM`.
    build_model: dotted path; `(params, TFTransformOutput) -> keras.Model`, uncompiled, from
      transformed features to what the problem's loss takes.
    adapt: dotted path; `(params, model, batches of train) -> None` sets what a model takes from the
      data in one pass, before it learns; None sets nothing.
    training_plan: dotted path; `(params) -> phases`, run one after another.
    callbacks: dotted path; `(params) -> list of keras.callbacks.Callback`, made for each phase;
      None adds none to those of the shared loop.
    search_space: dotted path; `(keras_tuner.HyperParameters, params) -> None` declares what the
      Tuner may vary.
    slices: raw features to slice the evaluation by.
    transformed_slices: transformed features, strings, to slice the evaluation by; no inputs of the
      model.
    serving_keys: transformed features that only the problem's `serving_outputs` reads; no inputs
      of the model.
    gates: bounds to be kept before a model is pushed.
    infer: `(source name, data path, data options, params) -> params`; looks at the data before the
      pipeline is drawn, such as for a picture size where that is None. Raises `BadInputError` on
      values that cannot work.
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
    """Returns the functions that are named by dotted path, by field."""
    paths = {field: getattr(self, field) for field in (*_PATHS, *_OPTIONAL_PATHS)}
    paths |= {"input.rule": self.input.rule, "input.describe": self.input.describe}
    own = {field: path for field, path in paths.items() if path is not None}
    return {**own, **self.problem.dotted_paths()}

  def left_out(self) -> tuple[str, ...]:
    """Transformed features that are no inputs of the model."""
    return (*self.transformed_slices, *self.serving_keys, *self.problem.serving_keys)


def task_of(pipeline_name: str) -> str:
  """Returns the name of the task whose pipeline is called so."""
  return pipeline_name.replace("-", "_")


_NAMES = ("name", "label_key")
_PATHS = ("preprocessing_fn", "build_model", "training_plan", "search_space")
_OPTIONAL_PATHS = ("adapt", "callbacks")
_TUPLES = (
  "sequence_keys",
  "slices",
  "transformed_slices",
  "serving_keys",
)
_MAPPINGS = ("cache_dtypes", "sources")


def _faults(task: Task) -> Iterator[str]:
  """What is wrong with a task's fields, each as a sentence."""
  if not isinstance(task.input, Input):
    yield _fault(task, "input", "an Input")
  for field in _NAMES:
    if not (isinstance(getattr(task, field), str) and getattr(task, field)):
      yield _fault(task, field, "a name, such as 'text'")
  if not _NAME.fullmatch(task.name):
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
      yield _fault(
        task,
        field,
        f"a function's dotted path, such as 'pipeline.tasks.{task.name}.model.f'",
      )


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
  return isinstance(value, str) and _DOTTED_PATH.fullmatch(value) is not None


def _fault(task: Task | Source | Input, field: str, expected: str) -> str:
  return f"{field} must be {expected}. Received: {field}={getattr(task, field)!r}"
