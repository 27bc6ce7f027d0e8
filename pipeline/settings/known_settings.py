"""Lists every setting of a task with its default, allowed values, meaning and documentation.

`dlpipe settings`, the refusal of a wrong name or value, and the test of docs/configuration.md read
these objects. Imports neither TensorFlow nor TFX.
"""

from __future__ import annotations

import dataclasses
import pathlib
import typing
from typing import Annotated, Any

import pydantic
import pydantic_core
from pydantic.fields import FieldInfo

from pipeline import kinds
from pipeline.params import TRAIN_NAMES, DataOptions, Params, Role
from pipeline.settings.config import PipelineConfig
from pipeline.task import MetricGate, Task

_SHARED_PAGE = "docs/configuration.md"
_TASKS = pathlib.Path(__file__).resolve().parents[1] / "tasks"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
  """A setting that `--set section.name=value` changes.

  Attributes:
    section: the section, such as `train`.
    name: the name within its section, such as `epochs`; a gate's name may hold a dot.
    default: the value if nobody sets it; None if it is inferred or left out.
    tiny: the value with `--tiny`; None if that does not change it.
    kind: the type and the bounds of its values, for the functions of `kinds`.
    meaning: what the setting does; empty if the task does not say.
    documented: the page, or the task's module, that documents it.
  """

  section: str
  name: str
  default: Any
  tiny: Any = None
  kind: Any
  meaning: str
  documented: str

  @property
  def key(self) -> str:
    """The full name, as in `--set`."""
    return f"{self.section}.{self.name}"

  @property
  def takes(self) -> str:
    """The allowed values in words, such as `a whole number of at least 1`."""
    return kinds.in_words(self.kind)

  def refusal(self, value: Any) -> str:
    """Returns the error message for a value that is not allowed."""
    such_as = "" if self.default in (None, [], {}, ()) else f", such as {in_yaml(self.default)}"
    return f"{self.key} must be {self.takes}{such_as}. Received: {in_yaml(value)}"


def in_yaml(value: Any) -> str:
  """Formats a value as a user writes it after `--set name=`."""
  if value is None or isinstance(value, bool):
    return {None: "null", True: "true", False: "false"}[value]
  return repr(value)


def known_settings(task: Task) -> list[Setting]:
  """Returns all settings of a task, section by section."""
  shared = {
    name: field.annotation
    for name, field in PipelineConfig.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel)
  }
  found = _shared(task, "data", shared.pop("data")) + [
    _own(task, task.data_options, "data", name) for name in task.data_options.model_fields
  ]
  decoding = task.params.names_with(Role.DECODE)
  others = {*TRAIN_NAMES, *decoding, *task.params.names_with(Role.INFERRED)}
  found += [
    _own(task, task.params, "model", n) for n in task.params.model_fields if n not in others
  ]
  found += [_own(task, task.params, "decode", name) for name in decoding]
  for section, model in shared.items():
    if section == "gates":
      found += [each for gate in task.gates for each in _of_gate(task, gate)]
    found += _shared(task, section, model)
  return found


def value_of(setting: Setting, task: Task, config: PipelineConfig) -> Any:
  """Returns a setting's value in a configuration, or the task's default."""
  if setting.section in ("model", "decode", "train"):
    values = config.params(task).as_json()
    if setting.name in values:
      return values[setting.name]
  if setting.section == "data" and setting.name in task.data_options.model_fields:
    return config.data_options(task)[setting.name]
  section = getattr(config, setting.section).model_dump(mode="json")
  return section.get(setting.name, setting.default)


def _shared(task: Task, section: str, model: type[pydantic.BaseModel]) -> list[Setting]:
  return [
    _of_field(task, section, name, field)
    for name, field in model.model_fields.items()
    if (section, name) != ("data", "options")
  ]


def _of_field(task: Task, section: str, name: str, field: FieldInfo) -> Setting:
  own = section == "train" and name in TRAIN_NAMES
  return Setting(
    section=section,
    name=name,
    default=_default(task.params.model_fields[name] if own else field),
    tiny=_tiny(task, name) if own else None,
    kind=Annotated[typing.cast(Any, field.annotation), field],
    meaning=field.description or "",
    documented=_SHARED_PAGE,
  )


def _own(
  task: Task, settings: type[DataOptions] | type[Params], section: str, name: str
) -> Setting:
  field = settings.model_fields[name]
  return Setting(
    section=section,
    name=name,
    default=_default(field),
    tiny=_tiny(task, name) if section != "data" else None,
    kind=settings.kind_of(name),
    meaning=field.description or "",
    documented=_page(task, settings.__module__),
  )


def _default(field: FieldInfo) -> Any:
  return pydantic_core.to_jsonable_python(field.get_default(call_default_factory=True))


def _tiny(task: Task, name: str) -> Any:
  usual, tiny = (each.as_json()[name] for each in (task.params.usual(), task.params.tiny()))
  return None if tiny == usual else tiny


def _of_gate(task: Task, gate: MetricGate) -> list[Setting]:
  least, worse = ("least", "below") if gate.direction == "higher" else ("most", "above")
  texts = {
    gate.metric: f"the {least} that {gate.metric} may be: {gate.reason}"
    if gate.bound is not None
    else f"the {least} that {gate.metric} may be; null sets no bound",
    f"{gate.metric}.max_regression": f"how far {gate.metric} may be {worse} that of the model "
    "before; null compares nothing",
  }
  values = (gate.bound, gate.max_regression)
  kind: Any = float | None
  if gate.best is not None and gate.direction == "higher":
    kind = Annotated[float | None, pydantic.Field(le=gate.best)]
  elif gate.best is not None:
    kind = Annotated[float | None, pydantic.Field(ge=gate.best)]
  kinds = (kind, Annotated[float | None, pydantic.Field(ge=0)])
  return [
    Setting(
      section="gates",
      name=name,
      default=value,
      kind=kind,
      meaning=meaning,
      documented=_page(task, f"pipeline.tasks.{task.name}.task"),
    )
    for (name, meaning), value, kind in zip(texts.items(), values, kinds, strict=True)
  ]


def _page(task: Task, module: str) -> str:
  """Returns the page that documents the task's settings; for a user's own task, its module."""
  shipped = (_TASKS / task.name / "task.py").is_file()
  return _SHARED_PAGE if shipped else f"the module {module}"
