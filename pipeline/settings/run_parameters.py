"""The settings that a run of a compiled pipeline may say anew: its runtime parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.settings.config import PipelineConfig

# By parameter, the section and the name in a configuration; `pipeline.assembly` opens them.
_PLACES: Mapping[str, tuple[str | None, str]] = {
  "data-path": (None, "data_path"),
  "max-bad-fraction": ("data", "max_bad_fraction"),
  "min-severity": ("data", "min_severity"),
}


def values(config: PipelineConfig) -> dict[str, Any]:
  """Returns the parameters with the values that they have in a configuration."""
  return {
    parameter: getattr(config if section is None else getattr(config, section), name)
    for parameter, (section, name) in _PLACES.items()
  }


def replaced(config: PipelineConfig, parameters: Mapping[str, Any]) -> PipelineConfig:
  """Returns the configuration of a run that was given these parameters.

  Args:
    config: what was compiled.
    parameters: values by parameter, or by the name in the configuration; others are left out.
  """
  told: dict[str, Any] = config.model_dump(exclude_unset=True)
  for parameter, (section, name) in _PLACES.items():
    value = parameters.get(parameter, parameters.get(name))
    if value is not None:
      (told if section is None else told.setdefault(section, {}))[name] = value
  return PipelineConfig.model_validate(told)
