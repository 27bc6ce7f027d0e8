"""What has no room on a page is counted, so that nobody takes a part for the whole."""

import math

from components.source_example_gen.summary import Summary
from pipeline.report.data_page import DataPage, render_data
from pipeline.report.render import render

_LABELS = [f"label {number}" for number in range(250)]
_COUNTS = {split: dict.fromkeys(_LABELS, 10) for split in ("train", "eval")}


def test_labels_and_slices_beyond_the_tables_are_counted(make_data, read_page):
  evaluation = {
    "metrics": {"accuracy": 0.5},
    "labels": _LABELS,
    "confusion": [
      [9 if row == column else int(column == row + 1) for column in range(250)]
      for row in range(250)
    ],
    "per_class": [
      {"label": each, "precision": 0.5, "recall": 0.5, "count": 10} for each in _LABELS
    ],
    "slices": [
      {"feature": "label", "value": each, "metrics": {"accuracy": 0.5}} for each in _LABELS
    ],
  }
  page = read_page(
    render(make_data(evaluation=evaluation, statistics=Summary(examples={}, labels=_COUNTS)))
  )
  assert page.text.count("Labels that are not on this page: 50.") == 2  # classes, and data
  assert "Slices that are not on this page: 50." in page.text
  assert "Records that are not on this page: 1." in page.text  # of two, one is shown
  assert "A matrix of 250 labels could not be read; 120 are drawn at the most." in page.text


def test_what_fits_is_not_said_to_be_left_out(make_data, read_page):
  two = [{"origin": each, "reason": "empty"} for each in "ab"]
  text = read_page(render(make_data(quarantine=two))).text
  assert "not on this page" not in text
  assert "could not be read" not in text


def test_the_page_on_data_counts_labels_and_suspects_that_it_leaves_out():
  suspect = {
    "origin": "a", "split": "val", "label": "x", "suggested": "y", "label_score": 0.1,
    "suggested_score": 0.9, "input": "t", "number": 1,
  }  # fmt: skip
  check = {
    "examples": {"train": 8}, "labels": _COUNTS, "lengths": {}, "met": {}, "findings": [],
    "quarantined": [], "compared": 8,
    "look": {"samples": {}, "odd": [], "repeated": [], "distributions": []},
    "suspects": {"likely": [suspect] * 230, "looked_at": 900},
  }  # fmt: skip
  html = render_data(DataPage(task="t", data_path="", recognized=(), check=check, is_text=True))
  assert "Labels that are not on this page: 50." in html
  assert "Rows that are not on this page: 30." in html


def test_a_label_that_is_never_predicted_has_no_bar(make_data, read_page):
  rows = [{"label": "owl", "precision": math.nan, "recall": math.nan, "count": 0}]
  page = read_page(render(make_data(evaluation={"metrics": {}, "per_class": rows})))
  assert ("width", "nan") not in page.attributes
  assert page.tables["classes"][-1][:4] == ["owl", "-", "", "-"]
