"""From what a user writes to a `PipelineConfig`.

Values come, later ones winning, from the task's defaults, `--tiny`, a YAML file (`--config`) and
`--set section.name=value`. An unknown name is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import pydantic
import yaml

from components.errors import BadInputError
from pipeline.config import TRAIN_NAMES, PipelineConfig
from pipeline.task import Task


class _Loader(yaml.SafeLoader):
  """YAML, in which a value may begin with @, as Airflow's schedules do."""

  def check_plain(self) -> bool:
    """Whether an unquoted text begins here; YAML reserves @ and gives it no meaning."""
    return self.peek() == "@" or bool(super().check_plain())


def make_config(
  task: Task,
  *,
  data_path: str,
  workspace: str,
  tiny: bool = False,
  config_file: str | None = None,
  settings: Iterable[str] = (),
  beam: str | None = None,
  mlmd: str | None = None,
) -> PipelineConfig:
  """Builds the configuration of one run.

  Args:
    task: the task to run.
    data_path: the input, absolute or relative to the working directory.
    workspace: where the run writes.
    tiny: applies the task's CI-sized overrides.
    config_file: a YAML file of sections, or None.
    settings: `section.name=value` items; values are read as YAML scalars.
    beam: replaces `beam.runner`.
    mlmd: replaces `metadata.connection_file`.

  Raises:
    BadInputError: an unknown name, a value of the wrong type or out of range, one that nothing
      reads beside the others, an unreadable file.
  """
  sections: dict[str, dict[str, Any]] = {}
  for origin, section, name, value in (
    *_file_items(config_file),
    *map(_parse_setting, settings),
  ):
    section, name = _known(task, section, name, origin)
    sections.setdefault(section, {})
    if section == "data" and name in task.data_options:
      if value is not None:  # sources take None for their default
        default = task.data_options[name]
        if isinstance(default, str) and type(value) is int:
          value = str(value)  # a column may be called by a number
        _check_type(default, value, f"data.{name}", origin)
      sections["data"].setdefault("options", {})[name] = value
    else:
      if section in ("model", "decode"):
        defaults = task.hyperparameters if section == "model" else task.decoding
        value = _check_type(defaults[name], value, f"{section}.{name}", origin)
      sections[section][name] = value
  if beam:
    sections.setdefault("beam", {})["runner"] = beam
  if mlmd:
    sections.setdefault("metadata", {})["connection_file"] = os.path.abspath(mlmd)
  try:
    config = PipelineConfig(
      task=task.name,
      data_path=os.path.abspath(data_path),
      workspace=os.path.abspath(workspace),
      tiny=tiny,
      **sections,
    )
  except pydantic.ValidationError as err:
    raise BadInputError("\n".join(_explain(e) for e in err.errors())) from err
  _require_read(task, config)
  return config


def _require_read(task: Task, config: PipelineConfig) -> None:
  """Refuses what the user said of the model and the chosen model has no use for.

  Raises:
    BadInputError: one line a name, with what to do instead.
  """
  unread = dict(task.unread(config.hyperparameters(task))) if task.unread else {}
  lifted = set(task.lifted_epochs) - config.said - set(unread)
  if config.model.get("min_steps") and not lifted:
    unread["min_steps"] = (
      "lifts only epochs that are not set, and all that count here are. Leave it out"
    )
  if refused := sorted(config.said & set(unread)):
    raise BadInputError("\n".join(f"{_full_name(task, n)} {unread[n]}." for n in refused))


def _full_name(task: Task, name: str) -> str:
  section = "train" if name in TRAIN_NAMES else "decode" if name in task.decoding else "model"
  return f"{section}.{name}"


def _file_items(path: str | None) -> Iterable[tuple[str, str, str, Any]]:
  if path is None:
    return
  try:
    content = yaml.load(pathlib.Path(path).read_text(encoding="utf-8"), _Loader) or {}
  except OSError as err:
    raise BadInputError(f"Cannot read --config {path}: {err.strerror}.") from err
  except (yaml.YAMLError, UnicodeDecodeError) as err:
    raise BadInputError(f"--config {path} is not YAML: {err}") from err
  if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
    raise BadInputError(
      f"--config {path} must map sections to names to values, as in 'train: {{epochs: 5}}'."
    )
  for section, names in content.items():
    for name, value in names.items():
      yield f"--config {path}", str(section), str(name), value


def _parse_setting(setting: str) -> tuple[str, str, str, Any]:
  key, equals, value = setting.partition("=")
  section, dot, name = key.strip().partition(".")
  if not (equals and dot and section and name):
    raise BadInputError(
      f"--set takes section.name=value, such as train.epochs=5. Received: {setting!r}"
    )
  try:
    return "--set", section, name, _scalar(value)
  except yaml.YAMLError as err:
    raise BadInputError(f"--set {key}: the value is not readable: {value!r}") from err


def _scalar(value: str) -> Any:
  # Most marks mean something in YAML; alone, one is itself, such as a separator. ~ is null.
  if len(value) == 1 and not value.isalnum() and value != "~":
    return value
  return yaml.load(_as_float(value), _Loader)


def _as_float(value: str) -> str:
  """YAML 1.1 reads 1e-3 as a string; a person means a number."""
  try:
    float(value)
  except ValueError:
    return value
  return value if value.strip().lstrip("+-").isdigit() else repr(float(value))


def _known(task: Task, section: str, name: str, origin: str) -> tuple[str, str]:
  names = known_names(task)
  if section in names and name in names[section]:
    return section, name
  full = f"{section}.{name}"
  every = [f"{s}.{n}" for s, ns in names.items() for n in ns]
  close = difflib.get_close_matches(full, every, n=1, cutoff=0.5)
  same_name = [e for e in every if e.split(".", 1)[1] == name]
  hint = f" Did you mean {(same_name or close)[0]}?" if same_name or close else ""
  within = names.get(section)
  known = (
    f"Names in {section}: {', '.join(sorted(within))}."
    if within
    else f"Sections: {', '.join(names)}."
  )
  raise BadInputError(f"{origin}: unknown name {full!r} for task {task.name}.{hint} {known}")


def known_names(task: Task) -> dict[str, list[str]]:
  """Every section and the names that may be set in it."""
  sections = {
    name: list(field.annotation.model_fields)
    for name, field in PipelineConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel)
  }
  gates = [n for gate in task.gates for n in (gate.metric, f"{gate.metric}.max_regression")]
  return {
    "data": [*(n for n in sections.pop("data") if n != "options"), *task.data_options],
    "model": [n for n in task.hyperparameters if n not in TRAIN_NAMES],
    **({"decode": list(task.decoding)} if task.decoding else {}),
    **sections,
    "gates": [*gates, *sections["gates"]],
  }


def _check_type(default: Any, value: Any, name: str, origin: str) -> Any:
  """Holds a value to the type of its default; None as a default takes anything."""
  if default is None:
    return value
  if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
    return float(value)
  if isinstance(default, (list, tuple)) and isinstance(value, (list, tuple)):
    if default and any(type(item) is not type(default[0]) for item in value):
      raise BadInputError(
        f"{origin}: {name} must hold values of type {type(default[0]).__name__}, such as "
        f"{default[0]!r}. Received: {value!r}"
      )
    return value
  if type(value) is not type(default):
    raise BadInputError(
      f"{origin}: {name} must be of type {type(default).__name__}, such as {default!r}. "
      f"Received: {value!r}"
    )
  return value


def _explain(error: Any) -> str:
  where = ".".join(str(part) for part in error["loc"])
  return f"{where}: {error['msg']}. Received: {error['input']!r}"
