"""TFX computes, the judge judges, and the blessing is what the verdict says."""

import json
import logging
import pathlib

import pytest
from tfx.components.evaluator import executor as tfx_executor
from tfx.components.util import model_utils
from tfx.types import standard_artifacts

from components.artifacts import ModelVerdict, Predictions
from components.judged_evaluator.component import Evaluator
from components.judged_evaluator.executor import Executor
from components.model_history.history import NO_MODEL_FILE
from dlpipe.verdicts import Ruling, Verdict

_TOLD = {}


def refuse_unless_told(evaluation_dir, told, model_dir, baseline_dir, predictions_dir):
  """A judge, found by its dotted path."""
  _TOLD.update(told, evaluation=evaluation_dir, model=model_dir, baseline=baseline_dir)
  _TOLD["predictions"] = predictions_dir
  ruling = Ruling(metric="m", bound=">= 1", value=None, passed=told["pass"])
  return Verdict(rulings=(ruling,))


def write_rows(directory, examples_dir, model_dir, told):
  """A writer of predictions, found by its dotted path."""
  (pathlib.Path(directory) / "rows.json").write_text(json.dumps([examples_dir, model_dir, told]))


@pytest.fixture
def evaluate(monkeypatch, tmp_path):
  """Returns a function that runs the executor, with TFX's computing nothing."""
  seen = []
  monkeypatch.setattr(tfx_executor.Executor, "Do", lambda self, inputs, *rest: seen.append(inputs))

  def artifact(kind, name, number=0):
    made = kind()
    made.uri, made.id = str(tmp_path / name), number
    (tmp_path / name).mkdir(exist_ok=True)
    return made

  def run(*baselines, passes=True):
    outputs = {
      "evaluation": [artifact(standard_artifacts.ModelEvaluation, "evaluation")],
      "blessing": [artifact(standard_artifacts.ModelBlessing, "blessing")],
      "verdict": [artifact(ModelVerdict, "verdict")],
      "predictions": [artifact(Predictions, "predictions")],
    }
    models = [artifact(standard_artifacts.Model, name, 3) for name in baselines]
    inputs = {
      "model": [artifact(standard_artifacts.Model, "candidate", 7)],
      "examples": [artifact(standard_artifacts.Examples, "examples")],
      "baseline_model": models,
    }
    told = {
      "judge": f"{__name__}.refuse_unless_told",
      "gates": json.dumps({"pass": passes}),
      "writer": f"{__name__}.write_rows",
      "rows": json.dumps({"input_key": "image"}),
    }
    Executor().Do(inputs, outputs, told)
    [blessing] = outputs["blessing"]
    found = [model.uri for model in seen[-1]["baseline_model"]]
    return found, blessing, json.loads((tmp_path / "verdict" / "verdict.json").read_text())

  return run


@pytest.mark.parametrize("passes", [True, False])
def test_the_blessing_is_the_verdict(evaluate, passes, tmp_path):
  _, blessing, verdict = evaluate(passes=passes)
  assert verdict["passed"] is passes
  assert model_utils.is_model_blessed(blessing) is passes
  assert {file.name for file in pathlib.Path(blessing.uri).iterdir()} == {
    "BLESSED" if passes else "NOT_BLESSED"
  }
  # What finds the model before among all blessings looks for this.
  assert blessing.get_int_custom_property("current_model_id") == 7
  assert _TOLD["evaluation"] == str(tmp_path / "evaluation")
  assert _TOLD["model"] == str(tmp_path / "candidate" / "Format-Serving")
  assert _TOLD["predictions"] == str(tmp_path / "predictions")


@pytest.mark.parametrize("passes", [True, False])
def test_rows_are_written_of_a_refused_model_too(evaluate, passes, tmp_path):
  evaluate(passes=passes)
  assert json.loads((tmp_path / "predictions" / "rows.json").read_text()) == [
    str(tmp_path / "examples"),
    str(tmp_path / "candidate" / "Format-Serving"),
    {"input_key": "image"},
  ]


def test_a_model_is_a_baseline(evaluate, tmp_path):
  found, blessing, _ = evaluate("old")
  assert found == [str(tmp_path / "old")]
  assert _TOLD["baseline"] == str(tmp_path / "old" / "Format-Serving")
  assert blessing.get_int_custom_property("baseline_model_id") == 3


def test_the_file_that_stands_for_none_is_no_baseline(evaluate, tmp_path):
  (tmp_path / "none").mkdir()
  (tmp_path / "none" / NO_MODEL_FILE).write_text("No model was blessed before.\n")
  found, _, _ = evaluate("none")
  assert (found, _TOLD["baseline"]) == ([], None)


def test_without_a_baseline_there_is_none(evaluate):
  assert evaluate()[0] == []


def test_the_node_is_called_as_tfxs_and_runs_our_executor():
  assert Evaluator.EXECUTOR_SPEC.executor_class is Executor
  assert Evaluator.__name__ == "Evaluator"


@pytest.mark.parametrize(
  ("passes", "said"), [(True, "Every gate is passed"), (False, "Refused by m")]
)
def test_the_gates_that_refuse_are_reported(evaluate, caplog, passes, said):
  with caplog.at_level(logging.INFO):
    evaluate(passes=passes)
  assert said in caplog.messages
