"""`Problem` holds its fields to their forms, and every kind is one."""

import importlib
import pathlib
import subprocess
import sys

import pytest

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.fingerprint import code_fingerprint
from pipeline.problems.classes import PROBLEM
from pipeline.task_loading import _fault_of_path

_ROOT = pathlib.Path(__file__).resolve().parents[3]
KINDS = ("classes", "labels", "number", "text")


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    ("metrics", "metrics", "metrics must be a function's dotted path"),
    ("metrics", None, "metrics must be a function's dotted path"),
    ("serving_outputs", len, "serving_outputs must be a function's dotted path"),
    ("label_id_key", "", "label_id_key must be a name"),
    ("vocabulary", 3, "vocabulary must be the name of a vocabulary, or None"),
    ("read_label", "int", "read_label must be a function"),
    (
      "monitor",
      "val_accuracy",
      "monitor must be a validation metric and its mode, ('val_accuracy'",
    ),
    ("monitor", ("accuracy", "max"), "monitor must be a validation metric"),
    ("monitor", ("val_accuracy", "highest"), "monitor must be a validation metric"),
    ("metric", "a.b", "A Problem has no field 'metric'. It has: name, "),
  ],
)
def test_a_field_of_a_wrong_form_is_bad_input(field, value, message):
  with pytest.raises(BadInputError) as refused:
    PROBLEM.but(**{field: value})
  assert message in str(refused.value)


def test_what_metrics_compare_with_follows_the_transformed_label():
  assert PROBLEM.but(label_id_key="kind_id").compared_key("kind") == "kind_id"
  assert PROBLEM.but(compares_raw_label=True).compared_key("kind") == "kind"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_names_functions_that_are_there(kind):
  problem = importlib.import_module(f"pipeline.problems.{kind}").PROBLEM
  assert problem.name == kind
  for path in problem.dotted_paths().values():
    assert _fault_of_path(path, _ROOT) is None
    assert callable(load_function(path))
    assert len(code_fingerprint(path)) == 64


@pytest.mark.parametrize("kind", KINDS)
def test_importing_a_kind_imports_no_framework(kind):
  code = (
    f"import sys, pipeline.problems.{kind}\n"
    "heavy = {'tensorflow', 'keras', 'tfx', 'apache_beam', 'tensorflow_model_analysis'}\n"
    "print(sorted(heavy & set(sys.modules)))\n"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=True
  )
  assert done.stdout.strip() == "[]"
