"""Describes the settings that a run of the DAG may be told otherwise, as Airflow checks them.

`dlpipe begin` checks them once more, with all that a JSON schema cannot say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic_core

from pipeline import kinds
from pipeline.settings.config import PipelineConfig
from pipeline.settings.known_settings import known_settings, value_of
from pipeline.settings.orchestrators import ORCHESTRATORS
from pipeline.task import Task

# A run must find its metadata where the runs before left theirs.
_FIXED = (*ORCHESTRATORS, "metadata")


def of_settings(task: Task, config: PipelineConfig) -> Mapping[str, tuple[Any, Mapping[str, Any]]]:
  """Returns, by the setting's name, the compiled value and the JSON schema of what it may be.

  Args:
    task: the task.
    config: the configuration that is compiled.
  """
  found = {}
  for setting in known_settings(task):
    if setting.section in _FIXED:
      continue
    value = pydantic_core.to_jsonable_python(value_of(setting, task, config))
    found[setting.key] = (
      value,
      {
        **kinds.json_schema(setting.kind),
        "description": setting.meaning,
      },
    )
  return found
