"""`Run`: one value for a run that just ended and for earlier ones, and how it shows itself."""

from __future__ import annotations

import dataclasses
import html
import pathlib

import pytest

from components.data_gate import DataVerdict
from components.source_example_gen.summary import Summary
from dlpipe.verdicts import Ruling, Verdict
from dlpipe.workspace import TaskFolder
from pipeline.api.run import Run, as_run
from pipeline.runs import lineage, result
from pipeline.runs.facts import Facts, read_facts

_RULING = Ruling(metric="skill", bound=">= 0.3", value=0.7, passed=True, reason="why")
_FACTS = Facts(
  counted=Summary(examples={"train": 8, "eval": 2}, quarantined=1, recognized={"layout": "csv"}),
  data=DataVerdict(
    findings=[
      {"name": "balance", "level": "warning", "what": "One class has 9 of 10 rows"},
      {"name": "few_examples", "level": "warning", "what": "eval has 2 rows"},
      {"name": "other", "level": "note", "what": "not to be heard"},
    ]
  ),
  verdicts=(
    Verdict(
      rulings=(dataclasses.replace(_RULING, interval=(0.6, 0.8)),), warnings=("Two rows judge it",)
    ),
    Verdict(rulings=(dataclasses.replace(_RULING, metric="serving_difference"),)),
  ),
)


def _past(state: str = result.PUSHED, version: int | None = 1) -> lineage.PastRun:
  return lineage.PastRun(
    run_id="r1",
    task="images",
    started="2026-01-01T00:00:00+00:00",
    state=state,
    metrics={"skill": 0.7},
    pushed_version=version,
    nodes=[],
  )


def _ended(state: str, version: int | None = None, **others) -> result.RunResult:
  return result.RunResult(
    run_id="r1",
    task="images",
    state=state,
    pushed_version=version,
    serving_dir="s",
    metrics={},
    gates=_FACTS.rulings,
    components=[],
    examples={},
    report=None,
    data_findings=_FACTS.data.findings,
    model_warnings=_FACTS.warnings,
    **others,
  )


def _run(folder: pathlib.Path, past=None, ended=None) -> Run:
  return as_run(past or _past(), _FACTS, TaskFolder(folder), data="/d", ended=ended)


def test_a_run_that_ended_and_the_same_in_the_store_are_equal(tmp_path):
  run = _run(tmp_path)
  assert run == _run(tmp_path, ended=_ended(result.PUSHED, 1))
  assert [verdict.metric for verdict in run.verdicts] == ["skill", "serving_difference"]
  assert run.examples == {"train": 8, "eval": 2, "quarantined": 1}
  # The gate's interval tells of few rows better than the count did before training.
  assert run.warnings == ("One class has 9 of 10 rows", "Two rows judge it")
  assert run.data == pathlib.Path("/d")
  assert (run.report, run.log) == (None, None)


@pytest.mark.parametrize(
  ("past", "ended", "state", "version", "code"),
  [
    (_past(), _ended(result.PUSHED, 1), "pushed", 1, 0),
    (_past(result.CACHED, 1), _ended(result.CACHED, 4), "cached", 4, 0),
    (_past(lineage.DONE, None), _ended(result.CACHED), "done", None, 0),
    (_past(lineage.UNFINISHED, None), _ended(result.CACHED), "done", None, 0),
    (_past(result.REFUSED_DATA, None), _ended(result.REFUSED_DATA), "refused_data", None, 3),
    (_past(result.REFUSED_MODEL, None), _ended(result.REFUSED_MODEL), "refused_model", None, 4),
    (_past(lineage.UNFINISHED, None), None, "unfinished", None, 1),
    (_past(result.FAILED, None), None, "failed", None, 1),
  ],
)
def test_its_state_is_its_end(tmp_path, past, ended, state, version, code):
  run = _run(tmp_path, past, ended)
  assert (run.state, run.version, run.exit_code) == (state, version, code)


def test_what_check_found_beside_the_gate_is_among_the_warnings(tmp_path):
  check = {"findings": [{"name": "duplicates", "level": "warning", "what": "3 rows are twice"}]}
  run = _run(tmp_path, ended=_ended(result.CACHED, check=check))
  assert run.warnings == ("3 rows are twice", "Two rows judge it")


def test_a_notebook_shows_the_report_apart_from_its_own_page(tmp_path):
  page = '<style>td {color: red}</style><p title="&amp;">"quoted" & so on</p>'
  (tmp_path / "reports").mkdir()
  (tmp_path / "reports" / "r1.html").write_text(page, encoding="utf-8")
  run = _run(tmp_path)
  assert run.report == tmp_path / "reports" / "r1.html"
  shown = run._repr_html_()
  before, frame = shown.split("<iframe srcdoc=")
  assert "&lt;Run r1 of images: pushed, version 1&gt;" in before
  content, rest = frame[1:].split('"', 1)
  assert html.unescape(content) == page
  assert " sandbox " in rest


def test_without_a_report_it_shows_its_line(tmp_path):
  run = _run(tmp_path)
  gone = dataclasses.replace(run, report=tmp_path / "gone.html")
  assert run._repr_html_() == gone._repr_html_()
  assert "<iframe" not in run._repr_html_()
  assert repr(_run(tmp_path, _past(result.FAILED, None))) == "<Run r1 of images: failed>"


def test_facts_of_a_run_that_did_not_come_far_are_empty(tmp_path):
  facts = read_facts({"SourceExampleGen": {"quarantine": str(tmp_path)}})
  assert (facts.rulings, facts.examples, facts.recognized) == ([], {}, {})
