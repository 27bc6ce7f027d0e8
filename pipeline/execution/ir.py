"""A compiled pipeline as a file: TFX's intermediate representation as JSON, for any orchestrator.

The file says everything about a pipeline but the run: its nodes, in order, each with the ids of
those it waits for, and the settings with which it was compiled (data, workspace and others). Its
runtime parameters are still open, first of all the run's id; `bind` fills them in.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format, wrappers_pb2
from google.protobuf.message import Message
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import runtime_parameter_utils

# Compiled pipelines pack messages of these modules as Any; JSON knows them only once imported.
from tfx.proto.orchestration import (  # noqa: F401
  executable_spec_pb2,
  metadata_pb2,
  pipeline_pb2,
  platform_config_pb2,
)

from dlpipe.disk.whole_files import FOR_OTHERS, write_whole
from dlpipe.errors import BadInputError
from pipeline.settings.config import PipelineConfig

RUN_ID = constants.PIPELINE_RUN_ID_PARAMETER_NAME
_TYPES = {
  pipeline_pb2.RuntimeParameter.INT: int,
  pipeline_pb2.RuntimeParameter.DOUBLE: float,
  pipeline_pb2.RuntimeParameter.STRING: str,
}


def write_ir(
  pipeline: Pipeline, path: str | os.PathLike[str], config: PipelineConfig | None = None
) -> pipeline_pb2.Pipeline:
  """Compiles a pipeline into a file, which is replaced as a whole.

  Args:
    pipeline: made by `create_pipeline`.
    path: the file.
    config: what the pipeline was told, kept in the file for `single_node.compiled_file`.

  Returns:
    The compiled pipeline, its runtime parameters still open.

  Raises:
    BadInputError: the file cannot be written.
  """
  if config is not None:
    # What nobody set is left out: a reader tells a setting from a default.
    pipeline.platform_config = wrappers_pb2.StringValue(
      value=config.model_dump_json(exclude_unset=True)
    )
  compiled = compiler.Compiler().compile(pipeline)
  text = json_format.MessageToJson(compiled, preserving_proto_field_name=True, sort_keys=True)
  write_compiled(path, text + "\n")
  return compiled


def write_compiled(path: str | os.PathLike[str], text: str) -> None:
  """Writes a file for an orchestrator, whole or not at all.

  Raises:
    BadInputError: the file cannot be written.
  """
  try:
    write_whole(path, text, mode=FOR_OTHERS)
  except OSError as err:
    raise BadInputError(f"Cannot write {str(path)!r}: {err.strerror or err}.") from err


def read_ir(path: str | os.PathLike[str]) -> pipeline_pb2.Pipeline:
  """Reads a file of `write_ir`.

  Raises:
    BadInputError: the file cannot be read or holds no compiled pipeline.
  """
  compiled = pipeline_pb2.Pipeline()
  try:
    json_format.Parse(pathlib.Path(path).read_text(encoding="utf-8"), compiled)
  except OSError as err:
    raise BadInputError(f"Cannot read --ir {path}: {err.strerror or err}.") from err
  except (json_format.ParseError, UnicodeDecodeError) as err:
    raise BadInputError(
      f"--ir {path} holds no compiled pipeline; `dlpipe compile TASK --for ir -o FILE` writes one. "
      f"The reader says: {err}"
    ) from err
  if not compiled.nodes:
    raise BadInputError(f"--ir {path} holds a pipeline without nodes; compile it again.")
  return compiled


def parameters(compiled: pipeline_pb2.Pipeline) -> dict[str, tuple[type, Any]]:
  """Returns the runtime parameters that are open: name to type and default; None for no default."""
  found: dict[str, tuple[type, Any]] = {}
  for parameter in _open_parameters(compiled):
    default = parameter.default_value
    which = default.WhichOneof("value")
    found[parameter.name] = (_TYPES[parameter.type], getattr(default, which) if which else None)
  return found


def bind(
  compiled: pipeline_pb2.Pipeline, run_id: str, values: Mapping[str, str] | None = None
) -> None:
  """Fills in the runtime parameters, in place.

  Args:
    compiled: a compiled pipeline.
    run_id: the run's name.
    values: further parameters by name, as a command line has them.

  Raises:
    BadInputError: there is no such parameter, or the value is not of its type.
  """
  known = parameters(compiled)
  bindings: dict[str, Any] = {RUN_ID: run_id}
  for name, text in (values or {}).items():
    if name not in known or name == RUN_ID:
      names = ", ".join(sorted(set(known) - {RUN_ID}))
      raise BadInputError(f"The pipeline has no runtime parameter {name!r}. It has: {names}.")
    kind = known[name][0]
    try:
      bindings[name] = kind(text)
    except ValueError:
      raise BadInputError(
        f"The runtime parameter {name} takes a value of type {kind.__name__}. Received: {text!r}"
      ) from None
  runtime_parameter_utils.substitute_runtime_parameter(compiled, bindings)


def _open_parameters(message: Message) -> Iterator[pipeline_pb2.RuntimeParameter]:
  if isinstance(message, pipeline_pb2.RuntimeParameter):
    yield message
    return
  for field, value in message.ListFields():
    if field.message_type is None:
      continue
    if field.message_type.GetOptions().map_entry:
      if field.message_type.fields_by_name["value"].message_type is not None:
        for item in value.values():
          yield from _open_parameters(item)
    else:
      for item in [value] if isinstance(value, Message) else value:
        yield from _open_parameters(item)
