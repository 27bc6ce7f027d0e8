"""A model's settings as attributes: types, bounds, roles, JSON and what is code in a class."""

from typing import Annotated, ClassVar

import pydantic
import pytest

from dlpipe.errors import BadInputError
from pipeline.params import DataOptions, Params, Role, inferred


class Mine(Params):
  """Settings of each role."""

  length: Annotated[int, Role.TRANSFORM] = pydantic.Field(200, ge=2)
  units: int = pydantic.Field(32, ge=1, description="of the hidden layer")
  widths: tuple[int, ...] = (8, 16)
  rate_factor: float = 0.5
  file: str | None = None
  file_sha256: Annotated[str | None, Role.INFERRED] = None
  head_epochs: Annotated[int, Role.EPOCHS] = 3
  warm_epochs: int = 3
  beam: Annotated[int, Role.DECODE] = 4
  epochs: int = 10
  batch_size: int = 64
  learning_rate: float = 0.003

  @classmethod
  def tiny(cls):
    return cls(units=4, epochs=2)

  def unread(self):
    return {} if self.file else {"units": "needs a file. Set model.file"}


class WithProperty(Mine):
  @property
  def half(self):
    return self.units // 2


class WithConstant(Mine):
  SCALE: ClassVar[float] = 0.5


class WithValidator(Mine):
  @pydantic.field_validator("units")
  @classmethod
  def _is_even(cls, units):
    if units % 2:
      raise ValueError("must be even")
    return units


class Narrower(WithProperty):
  units: int = 16


def test_a_setting_is_an_attribute_and_stays_as_it_is():
  params = Mine(units=8)
  assert (params.units, params.widths, params.learning_rate) == (8, (8, 16), 0.003)
  with pytest.raises(pydantic.ValidationError, match="frozen"):
    params.units = 9
  with pytest.raises(AttributeError, match="unit"):
    _ = params.unit


def test_json_leads_back_to_the_same_settings():
  params = Mine(units=8, widths=(4,), file="a", file_sha256="f")
  values = params.as_json()
  assert values["widths"] == [4]
  assert Mine.of(values) == params
  assert Mine.of({}) == Mine.usual()


def test_what_is_not_inferred_is_no_value():
  assert "file_sha256" not in Mine.usual().as_json()
  assert "file" in Mine.usual().as_json()


@pytest.mark.parametrize(
  ("values", "message"),
  [
    ({"units": 0}, "model.units must be a whole number of at least 1. Received: 0"),
    ({"units": 2.5}, "model.units must be a whole number of at least 1. Received: 2.5"),
    ({"units": "2"}, 'model.units must be a whole number of at least 1. Received: "2"'),
    ({"units": True}, "model.units must be a whole number of at least 1. Received: true"),
    ({"units": None}, "model.units must be a whole number of at least 1. Received: null"),
    ({"beam": "wide"}, 'decode.beam must be a whole number. Received: "wide"'),
    ({"epochs": 1.5}, "train.epochs must be a whole number. Received: 1.5"),
    ({"unit": 3}, "Mine has no setting 'unit'. Did you mean 'units'?"),
    ({"units": 0, "beam": 0.5}, "decode.beam must be a whole number. Received: 0.5"),
  ],
)
def test_what_cannot_be_a_setting_is_bad_input(values, message):
  for of in (Mine.of, lambda values: Mine.usual().replace(**values)):
    with pytest.raises(BadInputError) as refused:
      of(values)
    assert message in str(refused.value).splitlines()


def test_a_number_may_be_whole_where_it_need_not_be():
  assert Mine.of({"rate_factor": 1}).rate_factor == 1.0
  with pytest.raises(BadInputError, match="rate_factor must be a number"):
    Mine.usual().replace(rate_factor=float("inf"))


def test_a_validator_of_ones_own_says_its_own_words():
  with pytest.raises(BadInputError, match=r"^model.units: Value error, must be even$"):
    WithValidator.of({"units": 3})


def test_replacing_keeps_the_rest():
  assert Mine.tiny().replace(beam=1) == Mine(units=4, epochs=2, beam=1)


def test_settings_have_roles_and_full_names():
  assert Mine.names_with(Role.TRANSFORM) == ("length",)
  assert Mine.names_with(Role.DECODE) == ("beam",)
  assert set(Mine.names_with(Role.EPOCHS)) == {"epochs", "head_epochs"}
  assert Mine.usual().as_json(Role.DECODE) == {"beam": 4}
  names = [Mine.full_name(name) for name in ("units", "beam", "batch_size")]
  assert names == ["model.units", "decode.beam", "train.batch_size"]


def test_preprocessing_reads_what_transform_was_run_with_and_nothing_else():
  params = Mine.of_transform(Mine.usual().as_json(Role.TRANSFORM))
  assert params.length == 200
  with pytest.raises(BadInputError) as refused:
    _ = params.units
  assert "preprocessing_fn reads units, and Transform would not run again" in str(refused.value)
  assert f"in {Mine.__module__}: units: Annotated[..., Role.TRANSFORM]" in str(refused.value)
  with pytest.raises(AttributeError, match="unit"):
    _ = params.unit


def test_only_code_in_a_class_counts_as_code():
  assert Mine.code_modules() == ()
  for found in (WithProperty, WithConstant, WithValidator, Narrower):
    assert found.code_modules() == (__name__,)


def test_what_is_inferred_is_there_or_an_error():
  assert inferred(0) == 0
  with pytest.raises(ValueError, match="infers from the data"):
    inferred(None)


def test_options_reach_a_source_by_name():
  class Options(DataOptions):
    column: str = "text"
    header: bool | None = None

  assert Options.defaults() == {"column": "text", "header": None}
