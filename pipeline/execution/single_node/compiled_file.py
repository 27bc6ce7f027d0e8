"""Reads the file of a compiled pipeline in a moment: its nodes, and what it was told.

TFX reads the same file more closely (`pipeline.execution.ir`). Imports no framework.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import pathlib
from typing import TYPE_CHECKING, Any

from dlpipe.errors import BadInputError

if TYPE_CHECKING:
  from pipeline.settings.config import PipelineConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompiledFile:
  """A compiled pipeline.

  Attributes:
    path: the file.
    node_ids: its nodes, each after those it waits for.
    told: the configuration as JSON, without what nobody set; None in a file of an older release.
  """

  path: str
  node_ids: tuple[str, ...]
  told: str | None

  @property
  def config(self) -> PipelineConfig:
    """The configuration; its `model_fields_set` are those that the user set.

    Raises:
      BadInputError: the file is of another release.
    """
    # Imported here: a client of a worker needs none of it.
    from pipeline.settings.config import PipelineConfig

    try:
      return PipelineConfig.model_validate_json(self.told or "")
    except ValueError as err:
      raise BadInputError(
        f"--ir {self.path} is of another release, and does not say what the pipeline was told. "
        "Compile it again."
      ) from err


def read(path: str) -> CompiledFile:
  """Reads a file of `dlpipe compile --for ir` or `--for airflow`.

  Raises:
    BadInputError: the file cannot be read, or holds no pipeline.
  """
  try:
    document = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    found = [each["pipeline_node"]["node_info"]["id"] for each in document["nodes"]]
    told: dict[str, Any] = document.get("deployment_config", {})
    text = told.get("pipeline_level_platform_config", {}).get("value")
  except OSError as err:
    raise BadInputError(f"Cannot read --ir {path}: {err.strerror or err}.") from err
  except (ValueError, KeyError, TypeError, AttributeError) as err:
    raise BadInputError(
      f"--ir {path} holds no compiled pipeline; `dlpipe compile TASK --for ir -o FILE` writes one."
    ) from err
  return CompiledFile(path=path, node_ids=tuple(found), told=text)


def check_node(path: str, node_id: str) -> None:
  """Looks for a node in a compiled pipeline.

  Raises:
    BadInputError: the file cannot be read, holds no pipeline, or has no such node.
  """
  known = read(path).node_ids
  if node_id not in known:
    close = difflib.get_close_matches(node_id, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise BadInputError(
      f"The pipeline has no node {node_id!r}.{hint} Its nodes: {', '.join(known)}."
    )


def of_run(file: CompiledFile, run_id: str) -> str:
  """Returns the path of a run's pipeline: its own if it was begun with settings, else the file's.

  Args:
    file: the compiled pipeline.
    run_id: the run's name.
  """
  if file.told is None:
    return file.path
  own = file.config.folder.compiled(run_id)
  return str(own) if own.exists() else file.path
