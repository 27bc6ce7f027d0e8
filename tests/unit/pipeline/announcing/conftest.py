"""The record of a run, and configurations."""

from __future__ import annotations

import dataclasses

import pytest

from dlpipe.verdicts import Ruling
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import ComponentResult, RunResult
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

SKILL = Ruling(
  metric="skill", bound=">= 0.3", value=0.75, passed=True, reason="", interval=(0.7, 0.8)
)


@pytest.fixture
def record(tmp_path):
  """Returns a function to the record of a run, from changes of its result."""

  def make(**changes):
    result = RunResult(
      run_id="20260101-000000-abcd",
      task="images",
      state="pushed",
      pushed_version=7,
      serving_dir=str(tmp_path / "images" / "serving"),
      metrics={"accuracy": 0.9, "skill": 0.75},
      gates=[SKILL],
      components=[ComponentResult(id="Trainer", state="COMPLETE", seconds=3.5, peak_rss_mb=512.0)],
      examples={"train": 80, "eval": 10, "quarantined": 2},
      report=str(tmp_path / "images" / "reports" / "20260101-000000-abcd.html"),
    )
    return ReportData(
      result=dataclasses.replace(result, **changes),
      started="2026-01-01T00:00:00+00:00",
      data_path="/data/pictures",
      hyperparameters={"epochs": 3, "dropout": 0.25},
      versions={"tensorflow": "2.16.2"},
    )

  return make


@pytest.fixture
def settings(tmp_path):
  """Returns a function from `--set` items to a configuration of the images task."""

  def make(*items):
    return make_config(
      get_task("images"), data_path="/data/pictures", workspace=str(tmp_path), settings=items
    )

  return make
