"""What has changed in the data, in the report: both distributions, and rows of what is new."""

import base64
import dataclasses

import pytest

from pipeline.drift import comparing
from pipeline.drift.measures.features import FEATURES
from pipeline.drift.profile import Names, Numbers, Profile
from pipeline.drift.verdict import Drift, Example
from pipeline.report import render
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import RunResult


def _profile(light, **labels):
  numbers = {"brightness": Numbers.of(FEATURES["brightness"].edges, light)}
  names = {"label mix": Names.of(labels, 200), "format": Names.of({"PNG": 200}, 200)}
  return Profile(rows=200, numbers=numbers, names=names)


@pytest.fixture
def page():
  """Returns a function that renders a report with a comparison."""

  def show(drift):
    result = RunResult(
      run_id="r1", task="images", state="pushed", pushed_version=2, serving_dir="/s", metrics={},
      gates=[], components=[], examples={}, report="/r.html",
    )  # fmt: skip
    return render.render(
      ReportData(result=result, started="2026-11-30", data_path="/d", drift=drift)
    )

  return show


@pytest.fixture
def drift(make_picture):
  before = _profile([0.5 + n / 1000 for n in range(100)] * 2, cat=100, dog=100)
  now = _profile([0.2 + n / 1000 for n in range(100)] * 2, cat=190, dog=10)
  picture = base64.b64encode(make_picture()).decode()
  return Drift(
    severity="warn",
    version=1,
    changes=tuple(comparing.changes(before, now, past={})),
    examples=(Example(origin="a<b>.png", why=("brightness 0.2",), picture=picture),),
    notes=("A note.",),
  )


def test_changes_are_shown_with_both_distributions_and_examples(page, drift):
  shown = page(drift)
  assert "What has changed in the data" in shown
  assert "brightness: median 0.5495 -&gt; 0.2495" in shown
  assert "0.5: 50.0 % before, 0.0 % now" in shown
  assert "label mix: cat 50 % -&gt; 95 %" in shown
  assert "1 features are as before" in shown
  assert 'src="data:image/png;base64,' in shown
  assert "a&lt;b&gt;.png" in shown
  assert "A note." in shown


def test_a_span_is_named(page, drift):
  assert "The newest span, 2026-11-30, differs from" in page(
    dataclasses.replace(drift, span="2026-11-30")
  )


def test_without_a_comparison_there_is_no_section(page):
  assert "What has changed in the data" not in page(None)
  assert "What has changed in the data" not in page(Drift(severity="warn"))
