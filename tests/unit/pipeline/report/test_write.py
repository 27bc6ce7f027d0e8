"""The report as a file: it is replaced whole, and many labels do not make it unreadable."""

import os
import re

import pytest

from pipeline.report import render
from pipeline.runs import report_data
from pipeline.runs import result as results


def _data(version=3, **evaluation):
  result = results.RunResult(
    run_id="r1",
    task="images",
    state=results.PUSHED,
    pushed_version=version,
    serving_dir="serving",
    metrics={},
    gates=[],
    components=[],
    examples={},
    report=None,
  )
  return report_data.ReportData(
    result=result, started="2026-11-24", data_path="data", evaluation=evaluation
  )


def test_write_replaces_whole_and_leaves_no_partial_file(tmp_path):
  path = tmp_path / "reports" / "r1.html"
  render.write_report(_data(3), path)
  assert "Pushed as version 3" in path.read_text(encoding="utf-8")
  render.write_report(_data(4), path)
  assert "Pushed as version 4" in path.read_text(encoding="utf-8")
  assert os.listdir(path.parent) == ["r1.html"]


def test_a_report_that_cannot_be_drawn_keeps_the_old_one(tmp_path):
  path = tmp_path / "r1.html"
  path.write_text("old")
  with pytest.raises(ValueError, match="square"):
    render.write_report(_data(labels=["cat", "dog"], confusion=[[1]]), path)
  assert path.read_text() == "old"
  assert os.listdir(tmp_path) == ["r1.html"]


def test_a_label_that_is_no_valid_text_does_not_lose_the_report(tmp_path):
  path = tmp_path / "r1.html"
  label = b"caf\xe9".decode("utf-8", "surrogateescape")
  render.write_report(_data(labels=[label, "dog"], confusion=[[1, 0], [1, 0]]), path)
  assert "caf?" in path.read_text(encoding="utf-8")


def test_a_hundred_labels_fold_up_and_all_are_there():
  labels = [f"species {i}" for i in range(100)]
  per_class = [
    {"label": label, "precision": 0.5 + i / 250, "recall": 0.5, "count": 7}
    for i, label in enumerate(labels)
  ]
  matrix = [[5 if i == j else 0 for j in range(100)] for i in range(100)]
  text = render.render(_data(labels=labels, confusion=matrix, per_class=per_class))
  assert "The first 20 of 100 labels" in text
  assert "No mistakes on the evaluation examples." in text
  shown, folded = text.split("<summary>The other 80 labels</summary>")
  assert re.findall(r'<th scope="row">(.*?)</th>', shown) == labels[:20]
  assert re.findall(r'<th scope="row">(.*?)</th>', folded) == labels[20:]
  assert len(text) < 300_000


def test_a_thousand_labels_leave_the_matrix_out_and_keep_the_mistakes():
  labels = [f"species {i}" for i in range(1000)]
  matrix = [[0] * 1000 for _ in labels]
  matrix[3][7], matrix[3][3] = 4, 12
  text = render.render(_data(labels=labels, confusion=matrix))
  row = re.search(r'<th scope="row">species 3</th>(.*?)</tr>', text)[1]
  assert re.findall(r"<td[^>]*>([^<]+)</td>", row) == ["species 7", "4", "25.0%"]
  assert "Confusion matrix" not in text
  assert len(text) < 50_000
