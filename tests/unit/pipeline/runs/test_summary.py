"""The last lines of a run: what they say and that they fit."""

import pytest

from dlpipe import words
from dlpipe.verdicts import Ruling
from pipeline.runs import result as results
from pipeline.runs import summary

WARNING = {
  "name": "few_examples",
  "level": "warning",
  "count": 12,
  "what": "eval holds 12 examples: too few to judge a model by.",
  "advice": "Add examples.",
  "details": ["the bound 0.3 of skill cannot be told from chance"],
}


def _component(name="DataGate", state="COMPLETE"):
  return results.ComponentResult(id=name, state=state, seconds=1.0, peak_rss_mb=0.0)


CHECKED = {
  "state": results.CACHED,
  "pushed_version": None,
  "metrics": {},
  "gates": [],
  "report": None,
  "components": [_component()],
}


def _result(**changes):
  values = {
    "run_id": "r1",
    "task": "images",
    "state": results.PUSHED,
    "pushed_version": 3,
    "serving_dir": "/srv/workspace/images/serving",
    "metrics": {"accuracy": 0.93125, "example_count": 2000.0},
    "gates": [
      Ruling(
        metric="accuracy",
        bound=">= 0.9",
        value=0.93125,
        passed=True,
        reason="below this more than one picture in ten lands on the wrong shelf",
      )
    ],
    "components": [],
    "examples": {"train": 12000, "eval": 2000, "quarantined": 0},
    "report": "/srv/workspace/images/reports/r1.html",
  }
  return results.RunResult(**{**values, **changes})


def _lines(width=80, log_file="run.log", **changes):
  result = _result(**changes)
  lines = summary.summary_lines(result, log_file=log_file, seconds=72.4, width=width)
  return [line.text for line in lines]


def test_a_pushed_run_says_all_of_it():
  assert _lines() == [
    "Pushed as version 3 (1m 12s)",
    "Metrics     accuracy 0.9313   example_count 2,000",
    "Examples    train 12,000   eval 2,000   quarantined 0",
    "Gates       passed  accuracy 0.9313, must be >= 0.9",
    "Model       /srv/workspace/images/serving/3",
    "Report      /srv/workspace/images/reports/r1.html",
    "Log         run.log",
    "",
    "Next: dlpipe predict images FILE",
  ]


def test_the_quarantine_is_shown_only_where_it_holds_something():
  lines = _lines(examples={"train": 5, "eval": 1, "quarantined": 4})
  assert "Quarantine  /srv/workspace/images/quarantine/r1" in lines


def test_a_refused_model_names_the_broken_gate_and_no_command_to_predict():
  gate = Ruling(metric="bleu", bound=20.0, value=None, passed=False, reason="too low")
  lines = _lines(
    state=results.REFUSED_MODEL,
    pushed_version=None,
    gates=[gate],
    hint="Train on.",
    error="The same in other words.",
  )
  assert lines[0] == "Refused the model; nothing was pushed (1m 12s)"
  assert "Gates       FAILED  bleu not measured, must be 20: too low" in lines
  assert lines[-1] == "Next: Train on."
  assert not [line for line in lines if line.startswith("Model") or "predict" in line]
  assert "The same in other words." not in lines


def test_the_reason_of_a_failed_gate_is_told_and_not_that_of_a_passed_one():
  gates = [
    Ruling(metric="skill", bound=">= 0.3", value=0.9, passed=True, reason="it learned"),
    Ruling(metric="auc", bound=">= 0.9", value=0.4, passed=False, reason="it sorts wrongly"),
  ]
  lines = _lines(state=results.REFUSED_MODEL, pushed_version=None, gates=gates)
  first = lines.index("Gates       passed  skill 0.9, must be >= 0.3")
  assert lines[first + 1] == "            FAILED  auc 0.4, must be >= 0.9: it sorts wrongly"


def test_a_metric_that_came_out_as_nan_was_not_measured():
  gate = Ruling(metric="auc", bound=">= 0.5", value=float("nan"), passed=False, reason="")
  assert summary.gate_sentence(gate) == "auc not measured, must be >= 0.5"


def test_what_stays_served_after_a_rollback_is_said_first():
  lines = _lines(pushed_version=6, served_version=7, hint="dlpipe rollback images --to 6")
  assert lines[0].startswith("Version 6 was pushed before; version 7, published later, stays ")
  assert lines[-1] == "Next: dlpipe rollback images --to 6"


def test_a_check_of_the_data_alone_leads_to_a_run():
  lines = _lines(**CHECKED)
  assert lines[0] == "Every check passed (1m 12s)"
  assert lines[-1] == "Next: dlpipe run images, with the same options"


def test_a_check_that_found_something_is_no_success_without_a_word():
  result = _result(**CHECKED, check={"findings": [WARNING, {**WARNING, "level": "note"}]})
  first = summary.summary_lines(result, log_file="run.log", seconds=72, width=90)[0]
  assert first.text == "The data can be trained on, with 1 warning (1m 12s)"
  assert first.tone == summary.PLAIN
  assert not summary.is_good(result)
  # The findings follow with their examples.
  assert not any(line.startswith("Warning") for line in _lines(**CHECKED, check=result.check))


def test_a_run_repeats_what_data_gate_found():
  lines = _lines(data_findings=[WARNING, {**WARNING, "level": "note", "what": "A note."}])
  at = lines.index("Warning     eval holds 12 examples: too few to judge a model by.")
  assert lines[at + 1 : at + 3] == [
    "            - the bound 0.3 of skill cannot be told from chance",
    "            Add examples.",
  ]
  assert not any("A note." in line for line in lines)
  assert summary.is_good(_result(data_findings=[WARNING]))


def test_a_part_of_a_run_says_what_ran_and_what_did_not_and_claims_no_check():
  states = {"Reader": "COMPLETE", "Schema": "CACHED", "DataGate": "SKIPPED", "Trainer": "SKIPPED"}
  lines = _lines(
    state=results.CACHED,
    pushed_version=None,
    metrics={},
    gates=[],
    report=None,
    components=[
      results.ComponentResult(id=name, state=state, seconds=0.0, peak_rss_mb=0.0)
      for name, state in states.items()
    ],
  )
  assert lines[:2] == [
    "Went as far as asked: ran Reader; took Schema from before; left out DataGate,",
    "Trainer. Nothing was pushed (1m 12s)",
  ]
  assert lines[-1] == (
    "Next: dlpipe run images, with the same options but without --from and --until"
  )


def test_a_failed_run_says_the_error_and_the_log():
  error = "Trainer failed: 9 outputs for 10 labels.\nMake the last layer wider."
  lines = _lines(
    state=results.FAILED, pushed_version=None, metrics={}, gates=[], examples={}, report=None,
    error=error,
  )  # fmt: skip
  assert lines == [
    "The run failed (1m 12s)",
    "Trainer failed: 9 outputs for 10 labels.",
    "Make the last layer wider.",
    "Log         run.log",
  ]


def test_a_path_is_never_broken_and_sentences_are():
  log = "/" + "very-long-folder/" * 10 + "run.log"
  lines = _lines(log_file=log)
  assert f"Log         {log}" in lines
  assert all(len(line) <= 80 for line in lines if log not in line)


def test_paths_below_here_are_shown_relative(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  lines = _lines(report=str(tmp_path / "workspace" / "r.html"))
  assert "Report      workspace/r.html" in lines


def test_a_cached_run_says_which_version_is_current():
  assert _lines(state=results.CACHED)[0] == "Nothing to do: version 3 is current (1m 12s)"


@pytest.mark.parametrize(
  ("seconds", "text"),
  [
    (0.04, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m 00s"),
    (3599.4, "59m 59s"), (3599.6, "1h 00m"), (7512, "2h 05m"),
  ],
)  # fmt: skip
def test_duration(seconds, text):
  assert words.duration(seconds) == text


@pytest.mark.parametrize(
  ("value", "text"),
  [(0.5, "0.5"), (2.0, "2"), (1234567.0, "1,234,567"), (0.000012345, "1.234e-05"),
   (float("nan"), "-"), (float("inf"), "inf"), (-0.02, "-0.02")],
)  # fmt: skip
def test_number(value, text):
  assert words.number(value) == text


def test_memory():
  assert [words.memory(mb) for mb in (512.4, 999.6, 1430.0)] == ["512 MB", "1.0 GB", "1.4 GB"]


def test_one_line_drops_what_could_move_a_cursor():
  assert words.one_line("a\nb\x1b[2Jc\rd") == "a b [2Jc d"


def test_a_candidate_is_not_called_live():
  held = {"candidate": True, "hint": "dlpipe promote images 3"}
  result = _result(**held)
  assert summary.verdict(result) == (
    "Holds the candidate 3; no server takes it until it is promoted"
  )
  lines = _lines(**held)
  assert any("/images/serving/candidates/3" in line for line in lines)
  assert lines[-1] == "Next: dlpipe promote images 3"
  assert result.to_json()["stage"] == "candidate"
  assert "stage" not in _result().to_json()


def test_a_metric_that_was_not_measured_is_no_nan():
  assert "Metrics     worst_recall -" in _lines(metrics={"worst_recall": float("nan")})
