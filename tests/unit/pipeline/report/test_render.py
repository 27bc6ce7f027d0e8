"""The report: what it says for each outcome, and that it is one safe, self-contained file."""

import dataclasses
import re

import pytest

from components.data_gate import Check
from dlpipe.verdicts import Ruling
from pipeline.report import render
from pipeline.runs import report_data
from pipeline.runs import result as results

_LABELS = ["cat", "dog", "owl"]
GATE = results.ComponentResult(id="DataGate", state="COMPLETE", seconds=1.0, peak_rss_mb=0.0)


def _gate(**changes):
  values = {
    "metric": "accuracy", "bound": ">= 0.9", "value": 0.31, "passed": False,
    "reason": "one in ten may be wrong",
  }  # fmt: skip
  return Ruling(**{**values, **changes})


def test_a_pushed_run_shows_all_its_parts(make_data, read_page):
  page = read_page(render.render(make_data()))
  assert "Pushed as version 3 Next: dlpipe predict images FILE" in page.text
  assert page.tables["gates"][1] == [
    "accuracy", "0.9312", ">= 0.9", "passed", "one in ten may be wrong",
  ]  # fmt: skip
  assert [row[:4] for row in page.tables["confusion"][1:]] == [
    ["dog", "cat", "5", "50.0%"],
    ["cat", "dog", "2", "20.0%"],
  ]
  assert [row[0] for row in page.tables["classes"][1:]] == ["dog", "cat", "owl"]
  assert page.tables["slices"][1] == ["source", "night", "0.5000"]
  assert page.tables["training"][0] == [
    "phase", "epoch", "loss", "val_loss", "accuracy", "learning_rate", "seconds",
  ]  # fmt: skip
  assert page.tables["training"][2] == ["tune", "1", "0.5000", "-", "0.8000", "0.0001", "3"]
  assert page.tables["parity"][1] == [
    "server, gRPC", "serving_default", "scores", "64", "1.2e-07", "passed",
  ]  # fmt: skip
  assert page.tables["parity"][-1] == ["gRPC", "100", "1.251", "3.5"]
  assert "curl.sh was not executed: this machine has no curl." in page.text
  assert page.tables["components"][1:] == [
    ["Trainer", "complete", "2m 13s", "", "1.4 GB"],
    ["Pusher", "cached", "-", "", "-"],
  ]
  assert "train 12,000 val 1,300 eval 2,000 quarantined 2" in page.text
  assert ["data/images/cat/17.png", "the file is empty"] in page.tables["data"]
  assert ["learning_rate", "0.001"] in page.tables["settings"]


def test_calibration_error_weighs_bins_by_their_predictions(make_data, read_page):
  page = read_page(render.render(make_data()))
  assert "they miss it by 2.5% (expected calibration error)" in page.text
  assert len(page.tables["calibration"]) == 3


@pytest.mark.parametrize(
  ("changes", "expected"),
  [
    ({}, "Pushed as version 3"),
    ({"state": results.CACHED}, "Nothing to do: version 3 is current"),
    ({"state": results.CACHED, "pushed_version": None, "components": [GATE]}, "Every check passed"),
    ({"state": results.FAILED}, "The run failed"),
    (
      {"state": results.REFUSED_MODEL, "gates": [_gate()]},
      "Refused: accuracy 0.31, must be >= 0.9",
    ),
    (
      {"state": results.REFUSED_MODEL, "gates": [_gate(), _gate(metric="auc", value=None)]},
      "Refused: accuracy 0.31, must be >= 0.9, and 1 more",
    ),
    (
      {"state": results.REFUSED_MODEL, "gates": [_gate(metric="auc", value=None, bound=0.5)]},
      "Refused: auc not measured, must be 0.5",
    ),
    ({"state": results.REFUSED_MODEL, "gates": []}, "Refused the model"),
    ({"state": results.REFUSED_DATA, "gates": []}, "Refused the data"),
  ],
)
def test_headline_of_each_outcome(changes, expected, make_data, make_result):
  assert render.headline(make_data(make_result(**changes))) == expected


def test_headline_of_refused_data_names_the_check(make_data, make_result):
  checks = [
    Check(name="quarantined share", passed=False, value=0.4, bound="<= 0.05", reason=""),
  ]
  data = make_data(make_result(state=results.REFUSED_DATA, gates=[]), data_checks=checks)
  assert render.headline(data) == "Refused the data: quarantined share 0.4, must be <= 0.05"


def test_a_refusal_says_why_and_what_to_do(make_data, make_result, read_page):
  result = make_result(
    state=results.REFUSED_MODEL, pushed_version=None, gates=[_gate()], hint="Train longer."
  )
  page = read_page(render.render(make_data(result)))
  assert "Why accuracy must be >= 0.9: one in ten may be wrong Next: Train longer." in page.text
  assert "dlpipe predict" not in page.text


def test_a_run_that_failed_early_needs_nothing_else(make_result, read_page):
  result = make_result(
    state=results.FAILED, pushed_version=None, metrics={}, gates=[], components=[], examples={},
    error="SourceExampleGen failed: 'data/images' is empty.",
  )  # fmt: skip
  data = report_data.ReportData(result=result, started="2026-11-24", data_path="data/images")
  page = read_page(render.render(data))
  assert page.text.startswith(
    "images: The run failed images The run failed SourceExampleGen failed: 'data/images' is empty."
  )
  assert page.tables == {}


def test_a_task_without_classes_shows_its_own_metrics(make_data, read_page):
  history = [{"phase": "", "epoch": 1, "loss": 3.0, "val_masked_accuracy": 0.2}]
  page = read_page(
    render.render(make_data(evaluation={"metrics": {"bleu": 23.4}}, history=history))
  )
  labels = [value for name, value in page.attributes if name == "aria-label" and "epoch" in value]
  assert labels == [
    "loss by epoch. train ends at 3.",
    "masked_accuracy by epoch. val ends at 0.2.",
  ]
  assert "bleu 23.4" in page.text
  assert not {"confusion", "classes", "calibration", "slices"} & set(page.tables)


def test_nothing_is_loaded_and_nothing_is_run(make_data, read_page):
  text = render.render(make_data())
  page = read_page(text)
  loaded = [v for name, v in page.attributes if name in ("src", "href", "action", "srcset")]
  loaded = [address for address in loaded if not address.startswith("#")]
  assert loaded == ["data:image/png;base64,AAAA"]
  assert not [name for name, _ in page.attributes if name.startswith("on")]
  assert "<script" not in text
  assert not re.search(r"url\(|@import|https?://", text)


def test_what_the_data_says_is_escaped(make_data, make_result, read_page):
  evil = "<img src=x onerror=alert(1)>"
  text = render.render(
    make_data(
      make_result(
        task=evil,
        error=evil,
        gates=[_gate(reason=evil, metric=evil)],
        recognized={"sentences": [evil]},
      ),
      quarantine=[{"origin": evil, "reason": evil}],
      hyperparameters={evil: evil},
      data_path=evil,
    )
  )
  assert "<img src=x" not in text
  assert read_page(text).text.count(evil) >= 9


def test_what_the_input_was_taken_for_is_shown(make_data, make_result, read_page):
  sentences = ["Read as tsv: source = column 2, target = column 4.", "Warning: equal sides."]
  page = read_page(render.render(make_data(make_result(recognized={"sentences": sentences}))))
  assert all(sentence in page.text for sentence in sentences)


def test_a_confusion_matrix_that_does_not_fit_its_labels_is_refused(make_data):
  evaluation = {"metrics": {}, "labels": _LABELS, "confusion": [[1, 2], [3, 4]]}
  with pytest.raises(ValueError, match=r"square of the 3 labels. Received: 2 rows of \[2\] col"):
    render.render(make_data(evaluation=evaluation))


def test_a_difference_in_serving_says_its_reason(make_data, make_parity, read_page):
  path = {
    "loader": "server, REST", "signature": "classify", "output": "scores", "batch": 3,
    "max_difference": None, "passed": False, "reason": "the shapes differ",
  }  # fmt: skip
  page = read_page(render.render(make_data(parity=make_parity(path))))
  assert page.tables["parity"][1][3:] == ["3", "-", "failed the shapes differ"]


CHECK = {
  "examples": {"train": 2_000_000, "val": 10, "eval": 10},
  "labels": {"train": {"cat": 2_000_000}},
  "lengths": {"words": {"min": 1, "p5": 3, "median": 12, "p95": 60, "max": 400}},
  "findings": [
    {
      "name": "leaks", "level": "warning", "count": 1, "what": "1 input in val with a copy.",
      "advice": "Remove it from one side.", "details": ["a <b>detail</b>"],
      "examples": [
        [
          {"split": "train", "label": "cat", "input": "PNG, 3 x 4", "file": "train/cat/1.png"},
          {"split": "eval", "label": "cat", "input": "a text <i>"},
        ]
      ],
    },
    {
      "name": "imbalance", "level": "note", "count": 1, "what": "Far commoner.", "advice": "Watch.",
      "details": [], "examples": [],
    },
  ],
  "met": {"turned by EXIF": 1200},
  "quarantined": [],
  "compared": 1_000_000,
}  # fmt: skip


def _checked(make_result, **changes):
  return make_result(state=results.CACHED, pushed_version=None, components=[GATE], **changes)


def test_the_report_of_a_check_shows_all_that_the_check_found(make_data, read_page, make_result):
  reasons = {"not UTF-8": 6, "empty": 20}
  statistics = dataclasses.replace(make_data().statistics, reasons=reasons)
  text = render.render(make_data(_checked(make_result, check=CHECK), statistics=statistics))
  page = read_page(text)
  assert "The data can be trained on, with 1 warning" in page.text
  assert "1 input in val with a copy." in page.text
  assert "Remove it from one side. a <b>detail</b>" in page.text
  assert ["train", "cat", "train/cat/1.png PNG, 3 x 4"] in page.tables["data"]
  assert ["eval", "cat", "a text <i>"] in page.tables["data"]
  assert "note Far commoner." in page.text
  assert ["words", "1", "3", "12", "60", "400"] in page.tables["data"]
  assert "among the first 1,000,000 examples" in page.text
  assert "1,200 turned by EXIF" in page.text
  assert "20: empty 6: not UTF-8" in page.text
  assert "6,000 (50.0%)" in page.text
  assert '<div class="verdict warned">' in text


def test_only_a_check_without_a_warning_is_green(make_data, read_page, make_result):
  notes = {**CHECK, "findings": CHECK["findings"][1:]}
  text = render.render(make_data(_checked(make_result, check=notes)))
  assert '<div class="verdict good">' in text
  assert "Every check passed" in read_page(text).text


def test_a_run_shows_what_data_gate_found(make_data, make_result, read_page):
  [finding, _] = CHECK["findings"]
  found = {name: value for name, value in finding.items() if name != "examples"}
  text = render.render(make_data(make_result(data_findings=[found])))
  assert read_page(text).text.count("1 input in val with a copy.") == 2
  assert '<div class="verdict good">' in text
