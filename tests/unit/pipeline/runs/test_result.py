"""`RunResult`: the exit code and the JSON that other programs rely on."""

import json

import pytest

from dlpipe.verdicts import Ruling
from pipeline.runs import result as results

FINDING = {
  "name": "few_examples",
  "level": "warning",
  "count": 12,
  "what": "eval holds 12 examples: too few to judge a model by.",
  "advice": "Add examples.",
  "details": ["the bound 0.3 of skill cannot be told from chance"],
}


def _result(**changes):
  values = {
    "run_id": "r1",
    "task": "images",
    "state": results.PUSHED,
    "pushed_version": 3,
    "serving_dir": "workspace/images/serving",
    "metrics": {"accuracy": 0.93},
    "gates": [Ruling(metric="accuracy", bound=">= 0.9", value=0.93, passed=True, reason="why")],
    "components": [
      results.ComponentResult(id="Trainer", state="COMPLETE", seconds=1.5, peak_rss_mb=900.0)
    ],
    "examples": {"train": 10, "eval": 2, "quarantined": 0},
    "recognized": {"layout": "folder", "sentences": ["Read as folder."]},
    "data_findings": [FINDING, {**FINDING, "level": "note"}],
    "report": "workspace/images/reports/r1.html",
  }
  return results.RunResult(**{**values, **changes})


@pytest.mark.parametrize(
  ("state", "code"),
  [("pushed", 0), ("cached", 0), ("failed", 1), ("refused_data", 3), ("refused_model", 4)],
)
def test_exit_code_of_each_state(state, code):
  assert _result(state=state).exit_code == code


def test_json_has_the_contract_keys_and_survives_a_round_trip():
  document = json.loads(json.dumps(_result(hint="not in the contract").to_json()))
  assert document == {
    "run_id": "r1",
    "task": "images",
    "state": "pushed",
    "pushed_version": 3,
    "serving_dir": "workspace/images/serving",
    "metrics": {"accuracy": 0.93},
    "gates": [
      {
        "metric": "accuracy",
        "bound": ">= 0.9",
        "value": 0.93,
        "passed": True,
        "reason": "why",
        "interval": None,
      }
    ],
    "components": [{"id": "Trainer", "state": "COMPLETE", "seconds": 1.5, "peak_rss_mb": 900.0}],
    "examples": {"train": 10, "eval": 2, "quarantined": 0},
    "warnings": [FINDING],
    "recognized": {"layout": "folder", "sentences": ["Read as folder."]},
    "report": "workspace/images/reports/r1.html",
  }


def test_what_eval_can_tell_is_said_once_and_by_the_judge_where_it_measured():
  doubt = "12 eval rows cannot tell whether accuracy keeps its bound."
  gate = Ruling(
    metric="accuracy", bound=">= 0.9", value=0.93, passed=True, reason="why", interval=[0.7, 0.99]
  )
  judged = _result(gates=[gate], model_warnings=[doubt])
  assert [warning["what"] for warning in judged.warnings] == [doubt]
  other = {**FINDING, "name": "leaks"}
  assert _result(gates=[gate], data_findings=[FINDING, other]).findings == [other]
  assert _result(gates=[]).warnings == [FINDING]


def test_json_says_the_error_only_where_there_is_one():
  assert _result(state="failed", error="out of memory").to_json()["error"] == "out of memory"
  assert "error" not in _result().to_json()


def test_json_never_holds_nan_which_strict_parsers_refuse():
  metrics = {"loss": float("nan"), "perplexity": float("inf"), "accuracy": 0.5}
  document = _result(metrics=metrics).to_json()
  assert document["metrics"] == {"loss": None, "perplexity": None, "accuracy": 0.5}
  json.dumps(document, allow_nan=False)


def test_an_unknown_state_is_refused_with_the_known_ones():
  with pytest.raises(ValueError, match=r"refused_model, failed\. Received: state='PUSHED'"):
    _result(state="PUSHED")


def test_a_check_says_all_it_found_and_its_warnings_apart():
  check = {"findings": [{**FINDING, "name": "leaks"}, {**FINDING, "level": "note"}]}
  document = _result(check=check).to_json()
  assert document["check"] == check
  assert [finding["name"] for finding in document["warnings"]] == ["leaks"]


def test_a_failure_that_was_busy_elsewhere_is_worth_trying_again():
  assert _result(state="failed", busy=True).exit_code == 75


def test_bad_input_is_one_only_where_the_run_failed_on_it():
  assert _result(state="failed", bad_input=True).exit_code == 2
  assert _result(state="refused_model", bad_input=True, busy=True).exit_code == 4
