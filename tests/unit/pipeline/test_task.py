"""`Task` holds its own fields to their forms."""

import dataclasses

import pydantic
import pytest

from dlpipe.errors import BadInputError
from pipeline.params import DataOptions, Params
from pipeline.task import MetricGate, task_of
from pipeline.tasks import get_task

TASK = get_task("sentiment")
_GATE = MetricGate(metric="skill", bound=0.3, reason="because it is so")


class _Incomplete(Params):
  epochs: int = 1


class _Whole(_Incomplete):
  batch_size: int = 8
  learning_rate: float = 0.1


class _OutOfBounds(_Whole):
  units: int = pydantic.Field(0, ge=1)


class _TinyOutOfBounds(_Whole):
  units: int = pydantic.Field(2, ge=1)

  @classmethod
  def tiny(cls):
    return cls(units=0)


with pytest.warns(UserWarning, match="shadows"):

  class _Shadowing(_Whole):
    replace: int = 3


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("name", "My-Task", "name must be lower-case letters, digits and _, the first a letter."),
    ("name", 5, "name must be a name, such as 'text'. Received: name=5"),
    ("input", "text", "input must be an Input. Received: input='text'"),
    ("label_key", None, "label_key must be a name"),
    ("sources", {}, "sources must be a dictionary of at least one Source"),
    ("sources", {"a": 1}, "sources must be a dictionary of at least one Source"),
    ("shipped_data", "str", "shipped_data must be a function"),
    ("build_model", len, "build_model must be a function's dotted path, such as 'pipeline.tasks."),
    ("problem", "classes", "problem must be a Problem, such as pipeline.problems.classes.PROBLEM."),
    ("slices", "label", "slices must be a tuple of names, such as ('text',). Received: slices="),
    ("gates", _GATE, "gates must be a tuple of MetricGate; one gate needs a comma behind it"),
    ("gates", ("skill",), "gates must be a tuple of MetricGate"),
    ("gates", (_GATE, _GATE), "gates: skill must have one gate"),
    ("gates", (dataclasses.replace(_GATE, metric=None),), "metric must be a metric's name"),
    ("gates", (dataclasses.replace(_GATE, bound=None),), "skill must have a bound or a max_regr"),
    ("gates", (dataclasses.replace(_GATE, direction="up"),), "must be 'higher' or 'lower'."),
    ("params", {"epochs": 1}, "params must be a class of pipeline.params.Params, such as `class"),
    ("params", DataOptions, "params must be a class of pipeline.params.Params"),
    (
      "params",
      _Incomplete,
      "a default. Missing: batch_size, learning_rate",
    ),
    ("params", _OutOfBounds, "params: units: Input should be greater than or equal to 1."),
    ("params", _TinyOutOfBounds, "params: units: Input should be greater than or equal to 1."),
    ("params", _Shadowing, "params: 'replace' is a name that every Params has. Call the setting"),
    ("data_options", {"colour": "red"}, "data_options must be a class of pipeline.params.DataOpt"),
    ("infer", "size", "infer must be a function, or None"),
  ],
)
def test_a_field_of_a_wrong_form_is_bad_input(field, value, message):
  with pytest.raises(BadInputError) as refused:
    dataclasses.replace(TASK, **{field: value})
  assert message in str(refused.value)


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("key", ("text", "age"), "a task has one input, a text or a file's bytes. Received: ("),
    ("key", "", "Input: key must be a name, such as 'text'. Received: key=''"),
    ("kind", "image", "Input: kind must be 'text' or 'file'. Received: kind='image'"),
    ("value", "str", "Input: value must be a function"),
    ("sample", None, "Input: sample must be a function"),
    ("find_file", "path", "Input: find_file must be a function"),
    ("rule", "faults", "Input: rule must be a dotted path of a function, or None"),
    ("describe", len, "Input: describe must be a dotted path of a function, or None"),
  ],
)
def test_a_field_of_an_input_of_a_wrong_form_is_bad_input(field, value, message):
  with pytest.raises(BadInputError) as refused:
    dataclasses.replace(TASK.input, **{field: value})
  assert message in str(refused.value)


def test_a_task_and_its_pipeline_have_one_name_each_way():
  task = dataclasses.replace(TASK, name="value_kinds")
  assert task.pipeline_name == "value-kinds"
  assert task_of(task.pipeline_name) == "value_kinds"
