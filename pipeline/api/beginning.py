"""Begins a run of a compiled pipeline with settings and data of its own.

A compiled pipeline fixes every setting. A run that is to differ is prepared as `dlpipe run` is, by
the same checks, and compiled anew for itself; its nodes find that pipeline by its name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.remote import publishing
from pipeline.api.inputs import Inputs, prepare
from pipeline.execution.single_node import compiled_file
from pipeline.execution.single_node.compiled_file import CompiledFile
from pipeline.runs import run_files
from pipeline.settings import orchestrators
from pipeline.settings.config import PipelineConfig

_LAST_SPAN = "data.last_span"
_NOT_SETTINGS = ("task", "data_path", "workspace", "tiny")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Begun:
  """A run that can be carried out.

  Attributes:
    task: the task's name.
    run_id: the run's name.
    pipeline: path of the pipeline that its nodes read.
    recognized: sentences about how the input is read; empty for the data of the compiled pipeline.
  """

  task: str
  run_id: str
  pipeline: str
  recognized: Sequence[str]

  def to_json(self) -> dict[str, Any]:
    """Returns the object `dlpipe begin --json` prints."""
    return dataclasses.asdict(self)


def begin(
  ir_file: str,
  run_id: str,
  *,
  data: str | None = None,
  settings: Sequence[str] = (),
  mlmd: str | None = None,
) -> Begun:
  """Writes what a run was told and, if that differs from what was compiled, its own pipeline.

  Args:
    ir_file: the compiled pipeline.
    run_id: the run's name, for its nodes.
    data: the input of this run; None for the compiled one.
    settings: `section.name=value` items that hold for this run.
    mlmd: the metadata store's connection file that its nodes are given.

  Raises:
    BadInputError: a setting, the input or the store of `push.copy_to` cannot be used, or other
      nodes would be drawn than the compiled pipeline has. Nothing is written then.
    DlpipeError: the connection to the store was lost.
  """
  file = compiled_file.read(ir_file)
  compiled = file.config
  own = compiled.folder.compiled(run_id)
  path = data if data is not None else compiled.data_path
  _require_filled_in(compiled, path, settings)
  if not settings and path == compiled.data_path:
    _require_store(compiled)
    run_files.write(_with_store(compiled, mlmd), run_id)
    own.unlink(missing_ok=True)
    return Begun(task=compiled.task, run_id=run_id, pipeline=ir_file, recognized=())
  inputs = _prepared(compiled, path, settings)
  _require_store(inputs.config)
  _write(file, inputs, str(own))
  run_files.write(_with_store(inputs.config, mlmd), run_id)
  return Begun(
    task=compiled.task, run_id=run_id, pipeline=str(own), recognized=tuple(inputs.recognized)
  )


def _require_filled_in(compiled: PipelineConfig, path: str, settings: Sequence[str]) -> None:
  """Checks that a run of a pipeline with templates was given what they are filled in with."""
  is_told = any(_name(setting) == _LAST_SPAN for setting in settings)
  for option, text in (
    ("--data", path),
    (f"--set {_LAST_SPAN}=", None if is_told else compiled.data.last_span),
  ):
    if orchestrators.is_template(_orchestrator(compiled), text):
      raise BadInputError(
        f"The pipeline reads other data in each run, and nobody filled in {text!r}. Give this one "
        f"with {option}."
      )


def _name(setting: str) -> str:
  return setting.partition("=")[0].strip()


def _prepared(compiled: PipelineConfig, data: str, settings: Sequence[str]) -> Inputs:
  values = _values(compiled)
  for setting in settings:
    values.pop(_name(setting), None)
  return prepare(
    task=compiled.task,
    data=data,
    workspace=compiled.workspace,
    config_file=None,
    settings=settings,
    values=values,
    tiny=compiled.tiny,
    beam=None,
    orchestrator=_orchestrator(compiled),
  )


def _require_store(config: PipelineConfig) -> None:
  """Checks that what becomes live can be copied to where it should be."""
  if config.push.copy_to is not None:
    publishing.require_writable(config.push.copy_to)


def _orchestrator(compiled: PipelineConfig) -> str:
  """Returns the orchestrator for which the settings or templates were compiled; else "ir"."""
  for name in orchestrators.ORCHESTRATORS:
    texts = (compiled.data_path, compiled.data.last_span)
    if name in compiled.model_fields_set or any(
      orchestrators.is_template(name, text) for text in texts
    ):
      return name
  return "ir"


def _values(config: PipelineConfig) -> dict[str, Any]:
  """Returns the settings that were told when the pipeline was compiled, by full name."""
  found: dict[str, Any] = {}
  told: Mapping[str, Any] = config.model_dump(exclude_unset=True)
  for section, values in told.items():
    if section in _NOT_SETTINGS:
      continue
    options = values.pop("options", {}) if section == "data" else {}
    found |= {f"{section}.{name}": value for name, value in {**values, **options}.items()}
  return found


def _with_store(config: PipelineConfig, mlmd: str | None) -> PipelineConfig:
  if mlmd is None:
    return config
  metadata = config.metadata.model_copy(update={"connection_file": mlmd})
  return config.model_copy(update={"metadata": metadata})


def _write(file: CompiledFile, inputs: Inputs, path: str) -> None:
  """Compiles a run's own pipeline."""
  # Imported here, because importing TFX takes seconds.
  from pipeline.assembly import create_pipeline
  from pipeline.execution.ir import write_ir

  pipeline = create_pipeline(
    inputs.task,
    inputs.config,
    source=inputs.source,
    params=inputs.params,
    runtime_parameters=True,
  )
  drawn = {component.id for component in pipeline.components}
  if other := sorted(drawn ^ set(file.node_ids)):
    raise BadInputError(
      f"These settings draw other nodes than {file.path} has: {', '.join(other)}. Compile the "
      "pipeline with them, such as --set tune.trials=10, and run that."
    )
  write_ir(pipeline, path, inputs.config)
