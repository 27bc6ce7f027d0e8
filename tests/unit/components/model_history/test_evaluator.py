"""The Evaluator is TFX's, but for a baseline that stands for none."""

import pytest
from tfx.components.evaluator import executor as tfx_executor
from tfx.types import standard_artifacts

from components.model_history.evaluator import NO_MODEL_FILE, Evaluator, Executor


@pytest.fixture
def baseline_of(monkeypatch):
  """Returns a function from the baseline given to the one that TFX's executor gets."""
  seen = []
  monkeypatch.setattr(tfx_executor.Executor, "Do", lambda self, inputs, *rest: seen.append(inputs))

  def evaluate(*folders):
    models = []
    for folder in folders:
      models.append(standard_artifacts.Model())
      models[-1].uri = str(folder)
    Executor().Do({"model": ["candidate"], "baseline_model": models}, {}, {})
    assert seen[-1]["model"] == ["candidate"]
    return [model.uri for model in seen[-1]["baseline_model"]]

  return evaluate


def test_a_model_is_a_baseline(baseline_of, tmp_path):
  assert baseline_of(tmp_path) == [str(tmp_path)]


def test_the_file_that_stands_for_none_is_no_baseline(baseline_of, tmp_path):
  (tmp_path / NO_MODEL_FILE).write_text("No model was blessed before.\n")
  assert baseline_of(tmp_path) == []


def test_without_a_baseline_there_is_none(baseline_of):
  assert baseline_of() == []


def test_the_node_runs_our_executor():
  assert Evaluator.EXECUTOR_SPEC.executor_class is Executor
