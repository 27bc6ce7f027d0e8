"""`Params`: the settings of a model, typed and bounded. `DataOptions`: those of its sources.

A task defines its class in `pipeline/tasks/<name>/params.py`. Only this class defines the name,
type, default, bounds and meaning of a setting; `dlpipe settings`, `--set`, its error messages and
every function of the task read them there.

>>> class MyParams(Params):
...   epochs: int = 10
...   batch_size: int = 64
...   learning_rate: float = 0.003
...   units: int = pydantic.Field(32, ge=1, description="of the hidden layer")
...   length: Annotated[int, Role.TRANSFORM] = pydantic.Field(200, ge=2, description="words read")
...
...   @classmethod
...   def tiny(cls):
...     return cls(units=4, epochs=2)
>>> MyParams(units=8).units
8
"""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import pydantic
import pydantic_core

from dlpipe.errors import BadInputError
from pipeline import kinds

if TYPE_CHECKING:
  from typing_extensions import Self

_T = TypeVar("_T")
# Settings that every task has; a user sets them as train.<name>.
TRAIN_NAMES = ("epochs", "batch_size", "learning_rate")


class Role(Enum):
  """The role of a model's setting, given with its type: `Annotated[int, Role.DECODE]`.

  Attributes:
    TRANSFORM: `preprocessing_fn` reads the setting. Only a change to such a setting runs Transform
      again.
    DECODE: controls how a trained model decodes its outputs; set as `decode.<name>`. A change
      exports and evaluates the model again, without a new training.
    EPOCHS: number of epochs of a phase; the phase's `min_steps` may raise it if the user does not
      set it. `epochs` always has this role.
    INFERRED: `Task.infer` sets it; a user cannot.
  """

  TRANSFORM = "transform"
  DECODE = "decode"
  EPOCHS = "epochs"
  INFERRED = "inferred"


class Section(pydantic.BaseModel):
  """Immutable values by name; refuses unknown names."""

  # Every value would pass a bound of infinity or nan.
  model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Settings(Section):
  """Settings by name, each with a type, a default, bounds and a meaning."""

  model_config = pydantic.ConfigDict(validate_default=True, protected_namespaces=())

  @classmethod
  def usual(cls) -> Self:
    """Returns the default settings."""
    return cls.model_validate({})

  @classmethod
  def kind_of(cls, name: str) -> Any:
    """Returns the type and the bounds of a setting, as `kinds` reads them."""
    field = cls.model_fields[name]
    return Annotated[typing.cast(Any, field.annotation), field]

  @classmethod
  def faults(cls) -> Iterator[str]:
    """Yields a sentence for each reason why a task cannot use this class."""
    missing = [name for name, field in cls.model_fields.items() if field.is_required()]
    if missing:
      yield f"{cls.__name__} must give every setting a default. Missing: {', '.join(missing)}"
    for name in cls.model_fields:
      owner = next(each for each in reversed(cls.__mro__) if name in _names_of(each))
      if name not in getattr(owner, "model_fields", ()):
        yield f"{name!r} is a name that every {owner.__name__} has. Call the setting otherwise"
    if not missing:
      try:
        cls._examples()
      except pydantic.ValidationError as err:
        yield "; ".join(
          f"{error['loc'][0] if error['loc'] else cls.__name__}: {error['msg']}. Received: "
          f"{error['input']!r}"
          for error in err.errors()
        )

  @classmethod
  def _examples(cls) -> None:
    cls.usual()


class DataOptions(_Settings):
  """The settings `--set data.<name>=...` of a task; its sources get them as a mapping.

  The default None means that the source detects the value.
  """

  @classmethod
  def defaults(cls) -> dict[str, Any]:
    """Returns the default options as the mapping that sources get."""
    return cls.usual().model_dump(mode="json")


class Params(_Settings):
  """A model's settings: a task's subclass gives each a type, a default, bounds and a meaning.

  Attributes:
    epochs: passes over the training split; set as `train.epochs`.
    batch_size: examples per step; set as `train.batch_size`.
    learning_rate: peak of the learning-rate schedule; set as `train.learning_rate`.
  """

  epochs: int
  batch_size: int
  learning_rate: float

  @classmethod
  def tiny(cls) -> Self:
    """Returns the settings for `--tiny`, a run of seconds; a task may override the defaults."""
    return cls.usual()

  def bfloat16_pays(self) -> bool:
    """Returns whether the model was measured to train faster in bfloat16 on a CPU with AMX.

    Then it is trained so by default. A task may override it: float32 is the safe answer.
    """
    return False

  def unread(self) -> Mapping[str, str]:
    """Maps each setting that the chosen model does not use to advice for the user.

    A run that sets one is refused with the message `model.<name> <advice>.`
    """
    return {}

  @classmethod
  def of(cls, values: Mapping[str, Any]) -> Self:
    """Creates settings from the result of `as_json`; missing settings get their defaults.

    Raises:
      BadInputError: a name is unknown, or a value violates its type or bounds.
    """
    try:
      return cls.model_validate_json(pydantic_core.to_json(dict(values)), strict=True)
    except pydantic.ValidationError as err:
      said = dict.fromkeys(cls._refusal(error, values) for error in err.errors())
      raise BadInputError("\n".join(said)) from err

  def replace(self, **changes: Any) -> Self:
    """Returns a copy with other values of some settings.

    Raises:
      BadInputError: as `of`.
    """
    return self.of({**self.as_json(), **changes})

  def as_json(self, role: Role | None = None) -> dict[str, Any]:
    """Returns name to JSON value, of all settings or of those with a role.

    Settings that `Task.infer` has not set yet are left out.
    """
    found = self.model_dump(mode="json")
    names = self.names_with(role) if role else tuple(found)
    left_out = {name for name in self.names_with(Role.INFERRED) if found[name] is None}
    return {name: found[name] for name in names if name not in left_out}

  @classmethod
  def names_with(cls, role: Role) -> tuple[str, ...]:
    """Returns the settings that have a role."""
    always = ("epochs",) if role is Role.EPOCHS else ()
    fields = cls.model_fields.items()
    return tuple(name for name, field in fields if role in field.metadata or name in always)

  @classmethod
  def full_name(cls, name: str) -> str:
    """Returns the name of a setting for `--set`, such as `train.epochs`."""
    if name in TRAIN_NAMES:
      return f"train.{name}"
    return f"{'decode' if name in cls.names_with(Role.DECODE) else 'model'}.{name}"

  @classmethod
  def of_transform(cls, values: Mapping[str, Any]) -> Self:
    """Creates settings that hold only those with `Role.TRANSFORM`.

    Reading another setting raises `BadInputError`, because a change to it would not run Transform
    again.
    """
    found = cls.of(values)
    for name in set(cls.model_fields) - set(values):
      del found.__dict__[name]
    return found

  if not TYPE_CHECKING:  # for mypy, a name that is not declared is an error

    def __getattr__(self, name: str) -> Any:
      """Raises an error that explains why a setting is absent."""
      if name in type(self).model_fields:
        raise BadInputError(
          f"preprocessing_fn reads {name}, and Transform would not run again when it changes. Give "
          f"it that role in {type(self).__module__}: {name}: Annotated[..., Role.TRANSFORM]"
        )
      return super().__getattr__(name)

  @classmethod
  def code_modules(cls) -> tuple[str, ...]:
    """Returns the modules of this class and its bases, if the classes hold more than settings.

    A training gets the values of settings as parameters, but not the methods and constants of the
    class, so the fingerprint of their modules must cover edits.
    """
    extended = [each for each in cls.__mro__ if issubclass(each, Params) and each is not Params]
    return tuple(
      each.__module__
      for each in extended
      # A check of settings says no to a run, and does nothing else.
      if set(vars(each)) - _NO_CODE - set(each.__pydantic_decorators__.model_validators)
    )

  @classmethod
  def _examples(cls) -> None:
    cls.usual()
    cls.tiny()

  @classmethod
  def _refusal(cls, error: pydantic_core.ErrorDetails, values: Mapping[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] in ("value_error", "assertion_error"):  # a validator of the task's own
      # A validator of several settings names them itself.
      return f"{cls.full_name(name)}: {error['msg']}" if name else str(error["ctx"]["error"])
    if name in cls.model_fields:
      expected = kinds.in_words(cls.kind_of(name))
      return f"{cls.full_name(name)} must be {expected}. Received: {json.dumps(values.get(name))}"
    near = difflib.get_close_matches(name, cls.model_fields, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{cls.__name__} has no setting {name!r}.{hint}"


def inferred(value: _T | None) -> _T:
  """Returns a setting that is None until `Task.infer` has inspected the data.

  Raises:
    ValueError: it is still None.
  """
  if value is None:
    raise ValueError("A setting that the task infers from the data was read before that.")
  return value


def _names_of(owner: type) -> Iterable[str]:
  return {*vars(owner), *getattr(owner, "__annotations__", {})}


class _Bare(Params):
  """A class that only declares settings, for comparison."""

  size: int = 0


_NO_CODE = {*vars(_Bare), "tiny", "unread", "bfloat16_pays"}
