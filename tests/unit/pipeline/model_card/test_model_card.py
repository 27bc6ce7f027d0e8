"""The model card says what the artifacts of a run say, and what is not known."""

import json
import math

import pytest

from components.source_example_gen.summary import Summary
from dlpipe.verdicts import Ruling, Verdict
from pipeline import model_card
from pipeline.evaluation import Evaluation
from pipeline.problems.certainty.record import Certainty
from pipeline.settings.config import PipelineConfig
from pipeline.tasks import get_task
from pipeline.training.training_record import TrainingRecord


def _facts(**settings):
  config = PipelineConfig.model_validate(
    {"task": "images", "workspace": "w", "data_path": "photos|of <us>", **settings}
  )
  return json.loads(json.dumps(model_card.facts(get_task("images"), config)))


@pytest.fixture
def directories(tmp_path, monkeypatch):
  """The artifacts of a run with two labels, two slices and two gates."""
  written = {
    "quarantine": (
      Summary.FILE,
      Summary(
        examples={"train": 1600, "eval": 200},
        quarantined=3,
        labels={"train": {"cat": 900, "a|b": 700}, "eval": {"cat": 200}},
        recognized={"layout": "folder"},
      ).to_text(),
    ),
    "model_run": (
      TrainingRecord.FILE,
      TrainingRecord(
        hyperparameters={"width": 16},
        precision="float32",
        parameters=12345,
        epochs=[{}, {}],
        certainty=Certainty(coverage=0.95, rows=12, size=3.0),
      ).to_text(),
    ),
    "verdict": (
      Verdict.FILE,
      Verdict(
        rulings=(
          Ruling(metric="skill", bound=">= 0.3", value=0.5, passed=True, reason="worth | it"),
          Ruling(metric="recall", bound=">= 0.1", value=None, passed=False, reason="rare ones"),
        ),
        warnings=("200 eval rows are few.",),
      ).to_text(),
    ),
    "infra_blessing": (
      "parity.json",
      json.dumps({"gates": [{"metric": "latency", "bound": "<= 9", "value": 2.5, "passed": True}]}),
    ),
    "evaluation": ("metrics", ""),
  }
  found = {}
  for name, (file, text) in written.items():
    (tmp_path / name).mkdir()
    (tmp_path / name / file).write_text(text)
    found[name] = [str(tmp_path / name)]
  evaluation = Evaluation(
    metrics={"example_count": 200.0, "skill": 0.5, "loss": 0.25},
    baseline={"skill": 0.4},
    slices=[
      {
        "feature": "label",
        "value": "a|b",
        "metrics": {"skill": math.nan, "accuracy": 0.1, "example_count": 7.0},
      }
    ],
    confusion={},
    calibration=[],
    intervals={"skill": (0.45, 0.55)},
  )
  monkeypatch.setattr(
    model_card, "read_evaluation", lambda uri: {str(tmp_path / "evaluation"): evaluation}[uri]
  )
  return found


def test_json_has_what_the_artifacts_have(directories):
  written = json.loads(model_card.files(directories, _facts())["model_card.json"])
  assert written["metrics"] == {"example_count": 200, "skill": 0.5, "loss": 0.25}
  assert written["intervals"] == {"skill": [0.45, 0.55]}
  assert written["examples"] == {"train": 1600, "eval": 200, "quarantined": 3}
  assert written["slices"][0]["metrics"] == {"skill": None, "accuracy": 0.1, "example_count": 7}
  assert [gate["metric"] for gate in written["gates"]] == ["skill", "recall", "latency"]
  assert (written["parameters"], written["epochs"]) == (12345, 2)
  assert written["limits"][-1] == "200 eval rows are few."
  assert any("val has 12 rows, and 0.95 takes 19" in limit for limit in written["limits"])
  assert any("no other labels" in limit for limit in written["limits"])


def test_markdown_shows_rows_intervals_slices_and_gates(directories):
  lines = model_card.files(directories, _facts())["MODEL_CARD.md"].splitlines()
  for line in (
    "# Model card: images",
    "| weights | 12,345, trained in float32 for 2 epochs |",
    "| train | 1,600 examples |",
    "| not usable | 3 records |",
    "| a\\|b | 700 | 0 |",
    "| skill | 0.5 | 0.45 to 0.55 | 0.4 |",
    "| loss | 0.25 |  |  |",
    "| label a\\|b | 7 | 0.1 |",
    "| skill | \\>= 0.3 | 0.5 | worth \\| it |",
    "| recall | \\>= 0.1 | not measured | rare ones |",
    "| latency | \\<= 9 | 2.5 |  |",
    "- `width`: 16",
    "The bounds are those of the task.",
  ):
    assert line in lines, line
  # Every row of a table has as many cells as its head.
  for block in "\n".join(lines).split("\n\n"):
    cells = {
      line.replace("\\|", "").count("|") for line in block.splitlines() if line.startswith("|")
    }
    assert len(cells) <= 1, block


def test_what_a_user_changed_is_named(directories):
  told = _facts(gates={"skill": 0.1}, push={"data_license": "CC BY 4.0"})
  text = model_card.files(directories, told)["MODEL_CARD.md"]
  assert "The user changed `gates.skill`." in text
  assert "| licence | CC BY 4.0 |" in text
  assert "| path | photos\\|of \\<us\\> |" in text


def test_a_pipeline_that_draws_no_artifacts_says_so():
  text = model_card.files({}, {**_facts(), "data_path": None})["MODEL_CARD.md"]
  assert "| path | set by the run |" in text
  assert "On 0 eval rows." in text


def test_every_kind_of_problem_states_its_limits():
  from pipeline.problems import classes, labels, number, text

  for problem in (classes, labels, number, text):
    assert problem.PROBLEM.limits, problem.PROBLEM.name


@pytest.mark.parametrize("text", ["&lt;b&gt;", "~~gone~~", "a|b", "<b>", "`x`", "[a](b)", "# a"])
def test_markup_in_names_is_shown_and_not_obeyed(text):
  escaped = model_card._text(text)
  assert escaped.replace("\\", "") == text
  assert all(
    before == "\\" for before, c in zip(" " + escaped, escaped, strict=False) if c in "&~|<`[#"
  )


@pytest.mark.parametrize(
  ("value", "shown"),
  [(-0.0, "0"), (12345.0, "12,345"), (0.123456, "0.1235"), (None, "not measured"), (7, "7")],
)
def test_numbers_are_those_of_the_report(value, shown):
  assert model_card._number(value) == shown
