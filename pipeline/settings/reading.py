"""Builds a `PipelineConfig` from the user's input.

Values come from the task's defaults, `--tiny`, a YAML file (`--config`) and `--set
section.name=value`; later ones override earlier ones. An unknown name is an error that suggests the
nearest known one.
"""

from __future__ import annotations

import contextlib
import datetime
import difflib
import os
import pathlib
import re
import reprlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import pydantic
import yaml

from dlpipe.errors import BadInputError
from dlpipe.local_paths import absolute
from pipeline import kinds
from pipeline.settings.config import PipelineConfig
from pipeline.settings.known_settings import Setting, known_settings
from pipeline.settings.unread_settings import require_read
from pipeline.task import Task

# Errors of the YAML parser; it raises ValueError for an impossible date, RecursionError for deep
# nesting.
YAML_ERRORS = (yaml.YAMLError, ValueError, RecursionError)
# Words for Pydantic's types of errors.
_BOUNDS = {
  "greater_than_equal": "at least",
  "greater_than": "above",
  "less_than_equal": "at most",
  "less_than": "below",
}
_KINDS = {
  "int": "a whole number",
  "float": "a number",
  "finite": "a number",
  "string": "text",
  "bool": "true or false",
  "dict": "a mapping",
  "model": "a mapping",
  "tuple": "a list",
}

_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxlist, _SHOWN.maxtuple, _SHOWN.maxdict = 3, 6, 6, 6
_SHOWN.maxstring, _SHOWN.maxlong, _SHOWN.maxother = 200, 60, 200


class Loader(yaml.SafeLoader):
  """Reads YAML; allows values that begin with @, as Airflow's schedules do; refuses duplicate keys.

  PyYAML would silently drop the first of two equal keys.
  """

  def check_plain(self) -> bool:
    """Returns whether an unquoted text begins here; YAML reserves @ but gives it no meaning."""
    return self.peek() == "@" or bool(super().check_plain())

  def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[str] = set()
    for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
      if key.value in seen:
        raise yaml.constructor.ConstructorError(
          problem=f"{key.value!r} stands there twice", problem_mark=key.start_mark
        )
      seen.add(key.value)
    return super().construct_mapping(node, deep)


# YAML 1.1 reads 010 as 8, 1:30 as 90 and 1e-5 as text. Here numbers are written as in Python.
_NUMBERS = {
  "tag:yaml.org,2002:int": r"[-+]?(0|[1-9][\d_]*|0x[\da-fA-F_]+)$",
  "tag:yaml.org,2002:float": r"[-+]?(\d[\d_]*\.[\d_]*([eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+"
  r"|\.\d[\d_]*([eE][-+]?\d+)?|\.(inf|Inf|INF))$|\.(nan|NaN|NAN)$",
}
Loader.yaml_implicit_resolvers = {
  first: [(tag, pattern) for tag, pattern in found if tag not in _NUMBERS]
  for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
  Loader.add_implicit_resolver(_tag, re.compile(_pattern), list("-+.0123456789"))

_NULL = ("null", "Null", "NULL", "~")
_COMMENT = re.compile(r"(^|\s)#")


def make_config(
  task: Task,
  *,
  data_path: str,
  workspace: str,
  tiny: bool = False,
  config_file: str | None = None,
  settings: Iterable[str] = (),
  values: Mapping[str, Any] = MappingProxyType({}),
  beam: str | None = None,
  mlmd: str | None = None,
) -> PipelineConfig:
  """Builds the configuration of one run.

  Args:
    task: the task to run.
    data_path: the input, absolute or relative to the working directory.
    workspace: folder that the run writes to.
    tiny: whether to apply the task's CI-sized overrides.
    config_file: a YAML file of sections, or None.
    settings: `section.name=value` items; values are parsed as YAML scalars.
    values: values by full name, from a caller in Python.
    beam: overrides `beam.runner`.
    mlmd: overrides `metadata.connection_file`.

  Raises:
    BadInputError: a name is unknown, a value has the wrong type or is out of range, a setting has
      no effect given the others, or the file cannot be read.
  """
  known = {setting.key: setting for setting in known_settings(task)}
  sections: dict[str, dict[str, Any]] = {}
  refusals: dict[str, str] = {}
  for origin, key, value in (
    *_file_items(config_file),
    *(_parse_setting(each, known) for each in settings),
    *(("settings", key, value) for key, value in values.items()),
  ):
    setting = _find(key, known, task, origin)
    is_unset = value is None and setting.section == "data"  # sources treat None as the default
    value = _as_meant(value, setting)
    refusals.pop(key, None)
    # For a wrong value inside a mapping, such as one node's resources, PipelineConfig's message is
    # clearer.
    inside = isinstance(value, dict) and kinds.is_mapping(setting.kind)
    if not (is_unset or inside) and not kinds.fits(setting.kind, value):
      refusals[key] = f"{origin}: {setting.refusal(value)}"
    if setting.section == "data" and setting.name in task.data_options.model_fields:
      sections.setdefault("data", {}).setdefault("options", {})[setting.name] = value
    else:
      sections.setdefault(setting.section, {})[setting.name] = value
  if refusals:
    raise BadInputError("\n".join(refusals.values()))
  if beam:
    sections.setdefault("beam", {})["runner"] = beam
  if mlmd:
    sections.setdefault("metadata", {})["connection_file"] = os.path.abspath(mlmd)
  try:
    config = PipelineConfig(
      task=task.name,
      data_path=absolute(data_path),
      workspace=os.path.abspath(workspace),
      tiny=tiny,
      **sections,
    )
  except pydantic.ValidationError as err:
    raise BadInputError("\n".join(explain(e) for e in err.errors())) from err
  require_read(task, config)
  return config


def _file_items(path: str | None) -> Iterable[tuple[str, str, Any]]:
  if path is None:
    return
  try:
    content = yaml.load(pathlib.Path(path).read_text(encoding="utf-8"), Loader) or {}
  except OSError as err:
    raise BadInputError(f"Cannot read --config {path}: {err.strerror}.") from err
  except YAML_ERRORS as err:
    raise BadInputError(f"--config {path} is not YAML: {err}") from err
  if not isinstance(content, dict) or not all(isinstance(v, dict | None) for v in content.values()):
    raise BadInputError(
      f"--config {path} must map sections to names to values, as in 'train: {{epochs: 5}}'."
    )
  for section, names in content.items():
    for name, value in (names or {}).items():
      yield f"--config {path}", f"{section}.{name}", value


def _parse_setting(setting: str, known: Mapping[str, Setting]) -> tuple[str, str, Any]:
  key, equals, value = setting.partition("=")
  key = key.strip()
  section, dot, name = key.partition(".")
  if not (equals and dot and section and name):
    near = nearest(key, known)
    hint = f" Did you mean {near[0]}={value}?" if near and equals else ""
    raise BadInputError(
      f"--set takes section.name=value, such as train.epochs=5. Received: {setting!r}.{hint}"
    )
  written = value if len(value) == 1 else value.strip()  # a blank may be a separator
  if not written:
    # Such as an unset shell variable: the user did not mean the default.
    raise BadInputError(
      f"--set {key} takes a value. Received an empty text; give one, or leave it out. null is the "
      'value that is none, "" the empty text.'
    )
  is_text = key in known and kinds.is_text(known[key].kind)
  has_comment = written[0] not in "\"'[{" and _COMMENT.search(written)
  as_written = is_text and written[0] not in "[{"
  try:
    read = _scalar(value)
  except YAML_ERRORS as err:
    if not as_written or written[0] in "\"'":
      raise BadInputError(f"--set {key}: the value is not readable: {value!r}") from err
    read = None
  is_no_text = read is None and written not in _NULL
  if as_written and (has_comment or is_no_text or not isinstance(read, str | None)):
    read = written  # a text stays as written: 2.20 does not become 2.2, nor "text #1" "text"
  elif has_comment and len(written) > 1:
    raise BadInputError(
      f"--set {key}: YAML takes what follows # for a comment. Received: {value!r}; leave it out."
    )
  return "--set", key, read


def _scalar(value: str) -> Any:
  # Most punctuation has a meaning in YAML. A single mark is read as text, such as a separator;
  # only ~ stays null. So is what an orchestrator fills in, {{ ds }}, which no YAML can be.
  if (len(value) == 1 and not value.isalnum() and value != "~") or value.startswith("{{"):
    return value
  return yaml.load(value, Loader)


def _find(key: str, known: Mapping[str, Setting], task: Task, origin: str) -> Setting:
  if key in known:
    return known[key]
  near = nearest(key, known)
  hint = f" Did you mean {near[0]}?" if near else ""
  section = key.partition(".")[0]
  within = sorted(each.name for each in known.values() if each.section == section)
  sections = dict.fromkeys(each.section for each in known.values())
  names = (
    f"Names in {section}: {', '.join(within)}." if within else f"Sections: {', '.join(sections)}."
  )
  raise BadInputError(f"{origin}: unknown name {key!r} for task {task.name}.{hint} {names}")


def nearest(key: str, known: Iterable[str]) -> list[str]:
  """Returns the settings that a user may have meant by `key`, with or without its section.

  >>> nearest("train.epoch", ["train.epochs", "train.seed"])
  ['train.epochs']
  """
  known = list(known)
  name = key.rpartition(".")[2].replace("-", "_")
  same_name = [each for each in known if each.partition(".")[2] == name]
  if same_name:
    return same_name
  if "." in key:
    return difflib.get_close_matches(key, known, n=1, cutoff=0.5)
  names = {each.partition(".")[2]: each for each in reversed(known)}
  return [names[each] for each in difflib.get_close_matches(name, names, n=1, cutoff=0.7)]


def _as_meant(value: Any, setting: Setting) -> Any:
  """Converts a value to the type of its setting: int to float, a number to text, text to a date.

  A column may be named 2, and a user may put a date in quotes.
  """
  if isinstance(value, str) and kinds.is_date(setting.kind):
    with contextlib.suppress(ValueError):
      return datetime.date.fromisoformat(value)
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    return value
  if kinds.is_text(setting.kind):
    return str(value)
  return float(value) if kinds.is_any_number(setting.kind) else value


def shown(value: Any) -> str:
  """Returns a value of a file for a message, cut where it is large: YAML's anchors may repeat it.

  >>> shown(["ha"] * 1_000)[:20], len(shown([["ha"] * 1_000] * 1_000)) < 1_000
  ("['ha', 'ha', 'ha', '", True)
  """
  return _SHOWN.repr(value)


def explain(error: Any) -> str:
  """Describes Pydantic's error about a nested value, such as one of `kubeflow.resources`."""
  where = ".".join(str(part) for part in error["loc"])
  if error["type"] == "extra_forbidden":
    return f"{where}: there is no such name"
  if error["type"] == "missing":
    return f"{where} is missing"
  if error["type"] == "literal_error":
    return f"{where} must be {error['ctx']['expected']}. Received: {shown(error['input'])}"
  if error["type"] == "too_short":
    return (
      f"{where} must have {error['ctx']['min_length']} or more. Received: {shown(error['input'])}"
    )
  words = _BOUNDS.get(error["type"])
  if words is not None:
    [bound] = error["ctx"].values()
    return f"{where} must be {words} {bound:g}. Received: {shown(error['input'])}"
  expected = next((word for kind, word in _KINDS.items() if error["type"].startswith(kind)), None)
  if expected is not None:
    return f"{where} must be {expected}. Received: {shown(error['input'])}"
  return f"{where}: {error['msg']}. Received: {shown(error['input'])}"
