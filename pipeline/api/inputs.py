"""Checks settings and input for `run`, `check` and `compile`, before heavy imports.

Bad input must be refused at once, so the source inspects the data here, before TensorFlow is
imported.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, NamedTuple

from components.source_example_gen import relabel
from components.spans import contents, pattern, window
from dlpipe.errors import BadInputError
from dlpipe.local_paths import absolute, require_no_pattern
from dlpipe.records import SourcePlan, part_of_input
from dlpipe.remote import addresses, copying
from dlpipe.workspace import Workspace
from pipeline.api import wrong_task
from pipeline.behaviour.reading import NOTHING, suite_of
from pipeline.params import Params
from pipeline.settings import orchestrators, unread_settings
from pipeline.settings.config import PipelineConfig
from pipeline.settings.reading import make_config
from pipeline.sources import file_formats
from pipeline.task import Source, Task
from pipeline.tasks import get_task, schema_path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
  """A checked run that can start; `recognized` describes how its input is read."""

  task: Task
  config: PipelineConfig
  source: Source
  recognized: Sequence[str]
  params: Params


def prepare(
  *,
  task: str,
  data: str | None,
  workspace: str | None,
  config_file: str | None,
  settings: Sequence[str] = (),
  values: Mapping[str, Any] = MappingProxyType({}),
  tiny: bool,
  beam: str | None,
  mlmd: str | None = None,
  orchestrator: str | None = None,
  tells: bool = False,
) -> Inputs:
  """Turns the user's arguments into a run that can start.

  Args:
    task: name of the task.
    data: the input; None takes the task's shipped data.
    workspace: folder that the run writes to; None takes the environment's, or the default.
    config_file: a YAML file of settings.
    settings: `section.name=value` items of a command line.
    values: values by full name, from a caller in Python.
    tiny: whether the task's CI-sized overrides apply.
    beam: Beam's runner; None takes that of the settings.
    mlmd: the metadata store's connection file.
    orchestrator: the orchestrator to compile for; None for a run on this machine.
    tells: whether those whom `notify` names are told of an input that cannot be used.

  Raises:
    BadInputError: an argument or the input cannot be used.
  """
  known = get_task(task)
  unread_settings.require_read_by_command([*settings, *values], orchestrator=orchestrator)
  config = make_config(
    known,
    data_path=data if data is not None else "",
    workspace=require_no_pattern("The workspace", str(Workspace.of(workspace).path)),
    tiny=tiny,
    config_file=config_file,
    settings=settings,
    values=values,
    beam=beam,
    mlmd=mlmd,
  )
  texts = (data or "", config.data.last_span or "")
  per_run = [text for text in texts if orchestrators.is_template(orchestrator, text)]
  path = absolute(data) if data is not None else known.shipped_data()
  new_labels = config.data.relabel and os.path.abspath(os.path.expanduser(config.data.relabel))
  section = config.data.model_copy(update={"relabel": new_labels})
  told = unread_settings.said(known, config)
  gates = config.gates.model_copy(update={"behaviour": _behaviour(config.gates.behaviour)})
  config = config.model_copy(update={"data_path": path, "data": section, "gates": gates})
  if per_run:
    return _unseen(known, config, per_run)
  if not tells:
    return look_at(known, config, said=told)
  from pipeline.announcing.announce import failures_told, require

  require(config, os.environ)
  with failures_told(config, "(not started)", os.environ):
    return look_at(known, config, said=told)


def _unseen(known: Task, config: PipelineConfig, templates: Sequence[str]) -> Inputs:
  """Returns a pipeline whose runs each read data of their own, and look at them when they begin."""
  schema_path(known.name)
  suite_of(known, config)
  source = _named_source(known, config.data.source or next(iter(known.sources)))
  return Inputs(
    task=known,
    config=config,
    source=source,
    recognized=[f"Every run reads data of its own, by {' and '.join(templates)}"],
    params=config.params(known),
  )


def look_at(known: Task, config: PipelineConfig, *, said: AbstractSet[str] = frozenset()) -> Inputs:
  """Inspects the input of a configuration; returns a run that can start.

  Args:
    known: the task.
    config: the configuration.
    said: full names of the settings that the user set; each must be one that the run reads.

  Raises:
    BadInputError: the input cannot be used, or the tests of behaviour.
  """
  spans = _spans(config, said)
  path = spans.newest if spans else config.data_path
  schema_path(known.name)
  suite_of(known, config)
  here = copying.local(path, config.folder.copies)
  with (
    copying.named(path, here),
    part_of_input() if spans and spans.spans > 1 else contextlib.nullcontext(),
  ):
    source_name, source, plan = _looked_at(known, config, here, said)
  sentences = [*(spans.sentences if spans else ()), *plan.sentences()]
  if addresses.is_remote(path):
    sentences.append(f"Read from a copy of {path}, in {here}")
  if config.data.relabel:
    count = len(relabel.read(config.data.relabel))
    labels = "label comes" if count == 1 else "labels come"
    sentences.append(f"{count:,} {labels} from {config.data.relabel} (data.relabel)")
  unread_settings.require_drawn(said, given_splits=plan.given_splits, path=path)
  params = config.params(known)
  if known.infer:
    params = known.infer(source_name, here, config.data_options(known), params)
  return Inputs(
    task=known,
    config=config,
    source=source,
    recognized=sentences,
    params=params,
  )


class _Spans(NamedTuple):
  """The spans of a run: how many, the path of the newest that is not empty, and what to say."""

  spans: int
  newest: str
  sentences: Sequence[str]


def _spans(config: PipelineConfig, said: AbstractSet[str]) -> _Spans | None:
  """Chooses the spans of a run; returns None for data without spans.

  Raises:
    BadInputError: the pattern cannot work, no span lies in the window, or all are empty.
  """
  settings = config.spans
  if settings is None:
    unread_settings.require_spans(said, path=config.data_path)
    return None
  chosen = window.choose(pattern.Pattern(config.data_path), settings)
  filled = [span.path for span in chosen.spans if contents.has_bytes(span.path)]
  if not filled:
    names = window.some([span.name for span in chosen.spans])
    raise BadInputError(f"Every span of {config.data_path!r} in the window is empty: {names}.")
  return _Spans(len(chosen.spans), filled[-1], window.sentences(chosen, settings))


def _behaviour(said: str | None) -> str | None:
  """Returns the setting with an absolute path."""
  is_path = said not in (None, NOTHING)
  return os.path.abspath(os.path.expanduser(said)) if said and is_path else said


def _looked_at(
  known: Task, config: PipelineConfig, here: str, said: AbstractSet[str]
) -> tuple[str, Source, SourcePlan]:
  """Returns the source that reads a local input, by name and itself, and its plan."""
  try:
    name, source = choose_source(known, config.model_copy(update={"data_path": here}))
    unread_settings.require_read_by_layout(known, said, layout=name, path=config.data_path)
    return name, source, source.plan(here, config.data_options(known))
  except BadInputError as err:
    raise (err if config.data.source else wrong_task.explain(err, known, here)) from err


def choose_source(task: Task, config: PipelineConfig) -> tuple[str, Source]:
  """Returns the configured source, or the first one whose layout fits the input.

  Raises:
    BadInputError: the path or the source does not exist, or no layout fits.
  """
  path, name = config.data_path, config.data.source
  layouts = _layouts(task)
  # A path may be the common prefix of several files, such as corpus/train of train.en and train.de.
  if not os.path.exists(path) and not any(s.matches(path) for s in task.sources.values()):
    raise BadInputError(f"There is no {path!r}. --data takes a path to one of:\n{layouts}")
  if name is not None:
    return name, _named_source(task, name)
  for found, source in task.sources.items():
    if source.matches(path):
      return found, source
  raise BadInputError(
    f"Nothing in {path!r} looks like an input of the task {task.name}.{_told(path)} The task "
    f"reads:\n{layouts}"
  )


def _layouts(task: Task) -> str:
  return "\n".join(f"  {n}: {s.description}" for n, s in task.sources.items())


def _named_source(task: Task, name: str) -> Source:
  if name not in task.sources:
    raise BadInputError(
      f"Unknown data.source={name!r} for task {task.name}. Known:\n{_layouts(task)}"
    )
  return task.sources[name]


def _told(path: str) -> str:
  """Describes a file that no source reads, by its first bytes; empty if they are unknown."""
  if not os.path.isfile(path):
    return ""
  try:
    with open(path, "rb") as f:
      head = f.read(file_formats.HEAD_BYTES)
  except OSError as err:
    return f" The file cannot be read: {err.strerror}."
  found = file_formats.describe(head)
  if found is None and head.lstrip().startswith(b"[") and path.lower().endswith(".json"):
    found = "a JSON array; write one object a line, as `jq -c '.[]' old.json > new.jsonl` does"
  elif found is None and head.lstrip().startswith(b"{"):
    found = "JSON by its first character; one object a line belongs into a file named .jsonl"
  return f" It is {found}." if found else ""
