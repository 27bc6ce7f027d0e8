"""`Task` holds its own fields to their forms."""

import dataclasses

import pytest

from dlpipe.errors import BadInputError
from pipeline.task import MetricGate, task_of
from pipeline.tasks import get_task

TASK = get_task("sentiment")
_GATE = MetricGate(metric="skill", bound=0.3, reason="because it is so")


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
    ("metrics", "metrics", "metrics must be a function's dotted path"),
    ("slices", "label", "slices must be a tuple of names, such as ('text',). Received: slices="),
    (
      "monitor",
      "val_accuracy",
      "monitor must be a validation metric and its mode, ('val_accuracy'",
    ),
    ("monitor", ("accuracy", "max"), "monitor must be a validation metric"),
    ("monitor", ("val_accuracy", "highest"), "monitor must be a validation metric"),
    ("gates", _GATE, "gates must be a tuple of MetricGate; one gate needs a comma behind it"),
    ("gates", ("skill",), "gates must be a tuple of MetricGate"),
    ("gates", (_GATE, _GATE), "gates: skill must have one gate"),
    ("gates", (dataclasses.replace(_GATE, metric=None),), "metric must be a metric's name"),
    ("gates", (dataclasses.replace(_GATE, bound=None),), "skill must have a bound or a max_regr"),
    ("gates", (dataclasses.replace(_GATE, direction="up"),), "must be 'higher' or 'lower'."),
    ("tiny", {"unit": 3}, "tiny must hold names that the task has: "),
    ("settings", {"model.unit": int}, "settings must hold names that the task has: "),
    ("preprocessing_hyperparameters", ("size",), "must hold names that the task has: "),
    (
      "decoding",
      {"units": 3},
      "decoding must have names of its own. In hyperparameters, too:",
    ),
    ("hyperparameters", {"epochs": 1}, "Missing: batch_size, learning_rate"),
    ("hyperparameters", None, "hyperparameters must be a dictionary"),
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
