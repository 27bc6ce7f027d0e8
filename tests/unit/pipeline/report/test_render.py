"""The report: what it says for each outcome, and that it is one safe, self-contained file."""

import collections
import dataclasses
import html.parser
import re

import pytest

from components.data_gate import Check
from components.serving_gate.parity import Parity
from components.source_example_gen.summary import Summary
from components.trials import Trial, Trials
from dlpipe.verdicts import Ruling
from pipeline.behaviour.results import Behaviour, Case, Step, Tested
from pipeline.problems.calibration import Calibration
from pipeline.problems.certainty.record import Certainty
from pipeline.report import render
from pipeline.runs import report_data
from pipeline.runs import result as results
from pipeline.suspects.baseline import Baseline
from pipeline.training.training_record import PhaseRow

_ROW_8 = {"origin": "a.csv, row 8", "split": "eval"}
_LABELS = ["cat", "dog", "owl"]


def _gate(**changes):
  values = {
    "metric": "accuracy", "bound": ">= 0.9", "value": 0.31, "passed": False,
    "reason": "one in ten may be wrong",
  }  # fmt: skip
  return Ruling(**{**values, **changes})


def _result(**changes):
  values = {
    "run_id": "r1",
    "task": "images",
    "state": results.PUSHED,
    "pushed_version": 3,
    "serving_dir": "workspace/images/serving",
    "metrics": {"accuracy": 0.9312},
    "gates": [_gate(value=0.9312, passed=True)],
    "components": [
      results.ComponentResult(id="Trainer", state="COMPLETE", seconds=133.0, peak_rss_mb=1430.0),
      results.ComponentResult(id="Pusher", state="CACHED", seconds=0.0, peak_rss_mb=0.0),
    ],
    "examples": {"train": 12000, "eval": 2000, "quarantined": 2},
    "report": None,
  }
  return results.RunResult(**{**values, **changes})


def _parity(*paths, **fields):
  usual = {"rows": 3, "tolerance": 1e-5, "max_latency_ms": None, "serving_release": "of any kind"}
  return Parity.from_json({**usual, "paths": paths, **fields})


GATE = results.ComponentResult(id="DataGate", state="COMPLETE", seconds=1.0, peak_rss_mb=0.0)


def _data(result=None, **changes):
  values = {
    "result": result or _result(),
    "started": "2026-11-24T02:03:04+00:00",
    "data_path": "data/images",
    "hyperparameters": {"width": 32, "learning_rate": 0.001},
    "history": [
      {"phase": "head", "epoch": 1, "loss": 2.0, "val_loss": 1.5, "accuracy": 0.4, "seconds": 3.0,
       "learning_rate": 0.001},
      {"phase": "tune", "epoch": 1, "loss": 0.5, "val_loss": None, "accuracy": 0.8,
       "seconds": 3.0, "learning_rate": 0.0001},
    ],
    "evaluation": {
      "metrics": {"accuracy": 0.9312, "loss": 0.25},
      "slices": [{"feature": "source", "value": "night", "metrics": {"accuracy": 0.5}}],
      "labels": _LABELS,
      "confusion": [[8, 2, 0], [5, 5, 0], [0, 0, 10]],
      "per_class": [
        {"label": "owl", "precision": 1.0, "recall": 1.0, "count": 10},
        {"label": "cat", "precision": 0.615, "recall": 0.8, "count": 10},
        {"label": "dog", "precision": 0.714, "recall": 0.5, "count": 10},
      ],
      "calibration": [
        {"low": 0.5, "high": 0.75, "count": 10, "confidence": 0.6, "accuracy": 0.5},
        {"low": 0.75, "high": 1.0, "count": 30, "confidence": 0.9, "accuracy": 0.9},
        {"low": 0.0, "high": 0.5, "count": 0, "confidence": float("nan"), "accuracy": None},
      ],
    },
    "parity": _parity(
      {"loader": "server, gRPC", "signature": "serving_default", "output": "scores", "batch": 64,
       "max_difference": 1.2e-07, "passed": True, "reason": ""},
      rows=64,
      tolerance=0.0001,
      latency=[{"protocol": "gRPC", "requests": 100, "p50_ms": 1.2512, "p99_ms": 3.5}],
      skipped=["curl.sh was not executed: this machine has no curl."],
    ),
    "data_checks": [
      Check(name="examples in train", passed=True, value=12000.0, bound=">= 1",
            reason="12000 usable examples."),
    ],
    "quarantine": [{"origin": "data/images/cat/17.png", "reason": "the file is empty"}],
    "statistics": Summary(
      examples={"train": 12000, "val": 1300, "eval": 2000},
      labels={"train": {"cat": 6000, "owl": 6000}, "eval": {"cat": 500, "owl": 1500}},
    ),
    "versions": {"tensorflow": "2.16.2"},
    "pictures": [
      {"data_uri": "data:image/png;base64,AAAA", "label": "cat", "predicted": "dog", "score": 0.83,
       "origin": "cat/17.png", "split": "eval"},
      {"data_uri": "https://example.org/x.png", "label": "a", "predicted": "b", "score": 0.5,
       "origin": "", "split": "eval"},
    ],
  }  # fmt: skip
  return report_data.ReportData(**{**values, **changes})


class _Page(html.parser.HTMLParser):
  """Text, tables as rows of cells, and whether every element that opens also closes."""

  _VOID = frozenset({"meta", "img"})

  def __init__(self, text):
    super().__init__()
    self.open, self.tables, self.words, self.attributes = [], {}, [], []
    self._section, self._cell = "", None
    self.feed(text)
    assert self.open == []

  def handle_starttag(self, tag, attrs):
    self.attributes += attrs
    if tag not in self._VOID:
      self.open.append(tag)
    if tag == "section":
      self._section = dict(attrs)["aria-labelledby"].removeprefix("h-")
    elif tag == "tr":
      self.tables.setdefault(self._section, []).append([])
    elif tag in ("td", "th"):
      self._cell = ""

  def handle_startendtag(self, tag, attrs):
    self.attributes += attrs

  def handle_endtag(self, tag):
    assert self.open.pop() == tag
    if tag in ("td", "th"):
      self.tables[self._section][-1].append(self._cell.strip())
      self._cell = None

  def handle_data(self, data):
    if "style" in self.open:
      return
    self.words.append(data)
    if self._cell is not None:
      self._cell += data

  @property
  def text(self):
    return " ".join(" ".join(self.words).split())


def test_a_pushed_run_shows_all_its_parts():
  page = _Page(render.render(_data()))
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


def test_calibration_error_weighs_bins_by_their_predictions():
  page = _Page(render.render(_data()))
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
def test_headline_of_each_outcome(changes, expected):
  assert render.headline(_data(_result(**changes))) == expected


def test_headline_of_refused_data_names_the_check():
  checks = [
    Check(name="quarantined share", passed=False, value=0.4, bound="<= 0.05", reason=""),
  ]
  data = _data(_result(state=results.REFUSED_DATA, gates=[]), data_checks=checks)
  assert render.headline(data) == "Refused the data: quarantined share 0.4, must be <= 0.05"


def test_a_refusal_says_why_and_what_to_do():
  result = _result(
    state=results.REFUSED_MODEL, pushed_version=None, gates=[_gate()], hint="Train longer."
  )
  page = _Page(render.render(_data(result)))
  assert "Why accuracy must be >= 0.9: one in ten may be wrong Next: Train longer." in page.text
  assert "dlpipe predict" not in page.text


def test_a_run_that_failed_early_needs_nothing_else():
  result = _result(
    state=results.FAILED, pushed_version=None, metrics={}, gates=[], components=[], examples={},
    error="SourceExampleGen failed: 'data/images' is empty.",
  )  # fmt: skip
  data = report_data.ReportData(result=result, started="2026-11-24", data_path="data/images")
  page = _Page(render.render(data))
  assert page.text.startswith(
    "images: The run failed images The run failed SourceExampleGen failed: 'data/images' is empty."
  )
  assert page.tables == {}


def test_a_task_without_classes_shows_its_own_metrics():
  history = [{"phase": "", "epoch": 1, "loss": 3.0, "val_masked_accuracy": 0.2}]
  page = _Page(render.render(_data(evaluation={"metrics": {"bleu": 23.4}}, history=history)))
  labels = [value for name, value in page.attributes if name == "aria-label" and "epoch" in value]
  assert labels == [
    "loss by epoch. train ends at 3.",
    "masked_accuracy by epoch. val ends at 0.2.",
  ]
  assert "bleu 23.4" in page.text
  assert not {"confusion", "classes", "calibration", "slices"} & set(page.tables)


def test_nothing_is_loaded_and_nothing_is_run():
  text = render.render(_data())
  page = _Page(text)
  loaded = [v for name, v in page.attributes if name in ("src", "href", "action", "srcset")]
  loaded = [address for address in loaded if not address.startswith("#")]
  assert loaded == ["data:image/png;base64,AAAA"]
  assert not [name for name, _ in page.attributes if name.startswith("on")]
  assert "<script" not in text
  assert not re.search(r"url\(|@import|https?://", text)


def test_what_the_data_says_is_escaped():
  evil = "<img src=x onerror=alert(1)>"
  text = render.render(
    _data(
      _result(
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
  assert _Page(text).text.count(evil) >= 9


def test_what_the_input_was_taken_for_is_shown():
  sentences = ["Read as tsv: source = column 2, target = column 4.", "Warning: equal sides."]
  page = _Page(render.render(_data(_result(recognized={"sentences": sentences}))))
  assert all(sentence in page.text for sentence in sentences)


def test_a_confusion_matrix_that_does_not_fit_its_labels_is_refused():
  evaluation = {"metrics": {}, "labels": _LABELS, "confusion": [[1, 2], [3, 4]]}
  with pytest.raises(ValueError, match=r"square of the 3 labels. Received: 2 rows of \[2\] col"):
    render.render(_data(evaluation=evaluation))


def test_a_difference_in_serving_says_its_reason():
  path = {
    "loader": "server, REST", "signature": "classify", "output": "scores", "batch": 3,
    "max_difference": None, "passed": False, "reason": "the shapes differ",
  }  # fmt: skip
  page = _Page(render.render(_data(parity=_parity(path))))
  assert page.tables["parity"][1][3:] == ["3", "-", "failed the shapes differ"]


def test_texts_and_samples_are_shown_escaped_and_shortened():
  data = _data(
    pictures=[],
    texts=[
      {
        "label": "pos",
        "predicted": "neg",
        "score": 0.97,
        "input": "<b>" + "x" * 400,
        "origin": "a.csv, row 7",
        "split": "eval",
      }
    ],
    samples=[
      {"input": "A & B", "predicted": "C", "label": "D", "score": 41.5, "worst": False, **_ROW_8},
      {"input": "E", "predicted": "F", "label": "G", "score": 2.0, "worst": True, **_ROW_8},
    ],
  )
  page = _Page(render.render(data))
  [_, row] = page.tables["texts"]
  assert row[:3] == ["pos", "neg", "97.0%"]
  assert row[3].startswith("<b>xxx")
  assert len(row[3]) <= 300
  assert row[4] == "a.csv, row 7"
  assert page.tables["samples"] == [
    ["input", "written", "wanted", "chrF", "where"],
    ["A & B", "C", "D", "41.5", "a.csv, row 8"],
    ["input", "written", "wanted", "chrF", "where"],
    ["E", "F", "G", "2", "a.csv, row 8"],
  ]


def test_what_the_model_is_worth():
  baseline = Baseline(
    model="edges", cheap=0.8, network=0.95, constant=0.125, gain=0.15, interval=(0.1, 0.2),
    train_rows=5_000, eval_rows=1_000,
  )  # fmt: skip
  page = _Page(render.render(_data(baseline=baseline)))
  assert baseline.sentence in page.words
  old = dataclasses.replace(baseline, gain=None)
  assert "cheap model" not in _Page(render.render(_data(baseline=old))).text


_SENTENCES = Tested(
  name="capitals",
  kind="invariance",
  what="the answer must stay the same (upper_case: letters become capitals)",
  reason="capitals may shout",
  steps=(Step(tried=100, failed=31, value=0.31, bound=0.2, passed=False, interval=(0.23, 0.41)),),
  cases=(
    Case(
      origin="a.csv, row 7",
      given="great <film>",
      changed="GREAT <FILM>",
      wanted="the same answer",
      before="positive",
      after="negative",
    ),
  ),
)


def test_behaviour_is_a_section_with_its_failed_cases():
  left_out = Tested(name="praise", kind="minimum", what="cases", reason="r", left_out="no English")
  unmeasured = Tested(name="blur", kind="corruption", what="blur", reason="r", unmeasured="3 rows")
  found = Behaviour(rows=100, tests=(_SENTENCES, left_out, unmeasured))
  page = _Page(render.render(_data(behaviour=found)))
  [_, row, praise, blur, _, case] = page.tables["behaviour"]
  assert row[1:] == ["", "100", "31", "31.0% 23.0% to 41.0%", "20.0%", "failed"]
  assert row[0].startswith("capitals")
  assert praise[1] == "Left out: no English."
  assert blur[1] == "failed Not measured: 3 rows."
  assert case == ["GREAT <FILM>", "negative", "positive: great <film>", "the same answer",
                  "a.csv, row 7"]  # fmt: skip
  assert ("open", None) in page.attributes
  assert "behaviour" not in _Page(render.render(_data(behaviour=Behaviour()))).tables


def test_a_picture_is_shown_before_and_after_its_change():
  uris = ("data:image/png;base64,AAAA", "data:image/png;base64,BBBB", "https://example.org/x.png")
  case = Case(wanted="red", before="red", after="green", pictures=uris)
  step = Step(strength=2, tried=50, failed=1, value=0.02, bound=None, quality=(0.9, 0.88))
  tested = dataclasses.replace(_SENTENCES, steps=(step,), cases=(case,))
  page = _Page(render.render(_data(behaviour=Behaviour(rows=9, tests=(tested,)), pictures=[])))
  assert [value for name, value in page.attributes if name == "src"] == list(uris[:2])
  assert page.tables["behaviour"][1][1:] == ["2", "50", "1", "2.0%", "-", "measured"]


def test_a_mistake_is_named_by_its_file():
  page = _Page(render.render(_data(suspected=(3, 2000))))
  assert "cat/17.png" in page.words
  assert any("3 of the 2,000 labels of val and eval contradict" in word for word in page.words)
  images = [value for name, value in page.attributes if name == "src"]
  assert images == ["data:image/png;base64,AAAA"]


def test_a_confusion_links_to_its_examples():
  row = {"label": "owl", "predicted": 'a "d>og', "score": 0.9, "split": "eval"}
  cells = [
    {"label": "cat", "predicted": "owl", "rows": [{**row, "origin": "1.png", "data_uri": None}]},
    {"label": "owl", "predicted": 'a "d>og', "rows": [{**row, "origin": "2", "data_uri": None}]},
  ]
  labels = ["cat", 'a "d>og', "owl"]
  evaluation = {"labels": labels, "confusion": [[1, 0, 2], [0, 3, 0], [0, 4, 5]]}
  page = _Page(render.render(_data(evaluation=evaluation, cells=cells, pictures=[])))
  links = collections.Counter(
    value for name, value in page.attributes if name == "href" and value.startswith("#cell")
  )
  # Once from the matrix, once from the list of the most frequent mistakes.
  assert links == {"#cell-0": 2, "#cell-1": 2}
  assert {"cell-0", "cell-1"} <= {value for name, value in page.attributes if name == "id"}


def test_of_each_confusion_as_many_examples_as_the_limit_says():
  row = {"label": "cat", "predicted": "owl", "score": 0.9, "split": "eval", "origin": "1.png"}
  cell = {"label": "cat", "predicted": "owl", "rows": [{**row, "data_uri": None}]}
  page = _Page(render.render(_data(cells=[cell])))
  assert (
    "Up to 6 examples of each, the worst first. A name leads to the file. cat taken for owl"
    in page.text
  )
  page = _Page(render.render(_data(cells=[cell] * 40)))
  assert "the worst first; of the 40 most frequent confusions." in page.text


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


def _checked(**changes):
  return _result(state=results.CACHED, pushed_version=None, components=[GATE], **changes)


def test_the_report_of_a_check_shows_all_that_the_check_found():
  reasons = {"not UTF-8": 6, "empty": 20}
  statistics = dataclasses.replace(_data().statistics, reasons=reasons)
  text = render.render(_data(_checked(check=CHECK), statistics=statistics))
  page = _Page(text)
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


def test_only_a_check_without_a_warning_is_green():
  notes = {**CHECK, "findings": CHECK["findings"][1:]}
  text = render.render(_data(_checked(check=notes)))
  assert '<div class="verdict good">' in text
  assert "Every check passed" in _Page(text).text


def test_a_run_shows_what_data_gate_found():
  [finding, _] = CHECK["findings"]
  found = {name: value for name, value in finding.items() if name != "examples"}
  text = render.render(_data(_result(data_findings=[found])))
  assert _Page(text).text.count("1 input in val with a copy.") == 2
  assert '<div class="verdict good">' in text


def _tuning(**changes):
  record = {
    "monitor": "val_loss",
    "mode": "min",
    "asked": 3,
    "best": 2,
    "trials": [
      {"trial": 2, "hyperparameters": {"width": 64, "learning_rate": 0.01}, "state": "complete",
       "score": 0.25, "epochs": 3, "seconds": 12.0, "error": None},
      {"trial": 1, "hyperparameters": {"width": 32, "learning_rate": 0.001, "more": 7},
       "state": "complete", "score": 0.5, "epochs": 3, "seconds": 9.0, "error": None},
      {"trial": 3, "hyperparameters": {"width": -1, "learning_rate": 0.1}, "state": "failed",
       "score": None, "epochs": 0, "seconds": 0.5, "error": "ValueError: a <width> below 0"},
    ],
    **changes,
  }  # fmt: skip
  return Trials.from_json(record)


def test_trials_are_listed_and_the_best_ones_values_are_said_to_be_the_trainers():
  page = _Page(render.render(_data(tuning=_tuning(), tuned={"width": 64, "learning_rate": 0.01})))
  assert page.tables["tuning"] == [
    ["trial", "width", "learning_rate", "more", "val_loss", "epochs", "time", "what came of it"],
    ["2", "64", "0.0100", "-", "0.2500", "3", "12s", "best"],
    ["1", "32", "0.0010", "7", "0.5000", "3", "9.0s", "complete"],
    ["3", "-1", "0.1000", "-", "-", "0", "0.5s", "failed ValueError: a <width> below 0"],
  ]
  said = page.text
  assert "The Trainer took the values of trial 2: width 64, learning_rate 0.01." in said
  assert "were asked for" not in said


def test_a_search_that_ran_out_of_settings_and_one_before_the_trainer_say_so():
  said = _Page(render.render(_data(tuning=_tuning(asked=9)))).text
  assert "9 were asked for; the search space has no more settings." in said
  assert "The Trainer took" not in said
  assert "tuning" not in _Page(render.render(_data())).tables


def test_how_the_scores_were_calibrated():
  fitted = Calibration(
    temperature=0.43, rows=30, loss_before=0.31, loss_after=0.12, error_before=0.2, error_after=0.03
  )
  assert (
    "The scores are calibrated by temperature 0.43, from 30 val rows: loss 0.31 -> 0.12, "
    "calibration error 0.2 -> 0.03." in _Page(render.render(_data(calibration=fitted))).text
  )
  left = Calibration(reason="val has 4 usable rows, and fewer than 20 say too little")
  assert (
    "The scores are not calibrated: val has 4 usable rows"
    in _Page(render.render(_data(calibration=left))).text
  )


def test_what_the_time_ended():
  trial = Trial(
    trial=2, hyperparameters={"rate": 0.1}, state="stopped", score=0.5, ended_by="tune.minutes"
  )
  first = Trial(trial=1, hyperparameters={"rate": 0.2}, score=0.7)
  tuning = Trials(
    monitor="val_accuracy", mode="max", asked=9, best=1, trials=(first, trial),
    ended_by="tune.minutes",
  )  # fmt: skip
  phase = PhaseRow(
    phase="train", setting="epochs", asked=12, scheduled=48, trained=20,
    lifted_by="train.minutes", ended_by="train.minutes",
  )  # fmt: skip
  history = [{"phase": "train", "epoch": 1, "loss": 2.0, "ended_by": "train.minutes"}]
  page = _Page(render.render(_data(tuning=tuning, phases=(phase,), history=history)))
  assert "The time ended the search (tune.minutes)." in page.text
  assert "stopped (tune.minutes)" in page.text
  assert "epochs 12 was lifted to 48 (train.minutes)." in page.text
  assert "ended_by" not in page.text


def _row(number, **changes):
  return {
    "label": "cat", "predicted": "dog", "score": 0.9, "split": "eval", "data_uri": None,
    "origin": f"cat/{number}.png", "link": f"file:///data/cat/{number}.png", **changes,
  }  # fmt: skip


def test_a_name_leads_to_its_file_and_to_nothing_else():
  rows = [_row(1), _row(2, link=None), _row(3, link="https://example.org/3.png")]
  page = _Page(render.render(_data(pictures=rows)))
  links = [v for name, v in page.attributes if name == "href" and not v.startswith("#")]
  assert links == ["file:///data/cat/1.png"]


def test_the_comparison_with_the_model_before_says_n_and_names_rows():
  flips = {
    "run_id": "r0", "rows": 1200, "of": 1500, "relabelled": 2, "by_loss": False, "better": 30,
    "worse": 1, "better_rows": [_row(1, before="owl", predicted="cat")],
    "worse_rows": [_row(2, before="cat", predicted="owl")],
  }  # fmt: skip
  page = _Page(render.render(_data(flips=flips)))
  assert "Both models were asked about 1,200 of the 1,500 examples of eval" in page.text
  assert "2 more had another label then" in page.text
  assert "right now 30 wrong now 1 as before 1,169" in page.text
  assert "Right now: the 1 that changed most of 30" in page.text
  assert "cat : owl before, cat now cat/1.png" in page.text
  assert "cat : cat before, owl now cat/2.png" in page.text


def test_texts_that_flipped_are_read_side_by_side():
  row = _row(1, before="un chat", predicted="le chat", label="le chat", input="the cat")
  flips = {
    "run_id": "r0", "rows": 10, "of": 10, "relabelled": 0, "by_loss": True, "better": 1,
    "worse": 0, "better_rows": [row], "worse_rows": [],
  }  # fmt: skip
  page = _Page(render.render(_data(flips=flips)))
  assert page.tables["flips"][1] == ["le chat", "un chat", "le chat", "the cat", "cat/1.png"]
  assert "nearer now 1 further off now 0" in page.text


def test_curves_say_their_areas_and_what_a_threshold_does():
  curves = {
    "split": "eval",
    "answers": {
      "rows": 4, "risk": "share of wrong answers", "area": 0.25,
      "coverage": [[0.5, 0.0, 0.9], [1.0, 0.5, 0.4]],
      "thresholds": [{"threshold": 0.5, "count": 2, "share": 0.5, "risk": 0.0}],
    },
    "labels": [
      {"label": "owl", "positives": 3, "negatives": 1, "auc": 0.875, "average_precision": 0.9,
       "roc": [[0, 0, 0.9], [1, 1, 0.1]], "pr": [[0.5, 1.0, 0.9], [1.0, 0.75, 0.1]]},
    ],
  }  # fmt: skip
  page = _Page(render.render(_data(curves=curves)))
  assert "owl: AUC 0.8750, n 3" in page.text
  assert "owl: average precision 0.9000, n 3" in page.text
  assert "surest first; area 0.2500" in page.text
  assert page.tables["curves"][1] == ["0.5", "2", "50.0%", "0.0%"]


def test_training_says_which_epoch_was_chosen_and_what_to_do():
  page = _Page(render.render(_data(chosen=1, advice=["Train longer."])))
  assert "advice Train longer." in page.text
  assert "The model has the weights of epoch 1 of tune, the best in validation." in page.text


def test_metrics_classes_and_slices_have_intervals_and_n():
  data = _data()
  evaluation = {
    **data.evaluation,
    "intervals": {"accuracy": (0.91, 0.95)},
    "slices": [
      {"feature": "size", "value": "small", "interval": (0.2, 0.8),
       "metrics": {"accuracy": 0.5, "example_count": 8.0}},
    ],
    "per_class": [{"label": "owl", "precision": 1.0, "recall": 0.5, "count": 8,
                   "interval": (0.25, 0.75)}],
  }  # fmt: skip
  page = _Page(render.render(_data(evaluation=evaluation)))
  assert "accuracy 0.9312 0.91 to 0.95" in page.text
  assert page.tables["slices"] == [
    ["feature", "value", "n", "accuracy"],
    ["size", "small", "8, few", "0.5000 0.2000 to 0.8000"],
  ]
  assert page.tables["classes"][1][3] == "50.0% 25.0% to 75.0%"


def test_a_report_leads_to_the_page_on_its_data():
  text = render.render(_data(data_page="../checks/data-3.html"))
  assert '<a href="../checks/data-3.html">The data, looked at</a>' in text


def test_what_was_asked_of_the_doubts_stands_beside_what_came():
  metrics = {"coverage": 0.9461, "set_size": 1.25, "accepted": 0.8, "accepted_accuracy": 0.975}
  evaluation = {"metrics": metrics, "intervals": {"coverage": (0.93, 0.96)}}
  record = Certainty(
    coverage=0.95, rows=400, bound=0.1, size=1.2, accepted=0.81, accepted_accuracy=None
  )
  page = _Page(render.render(_data(certainty=record, evaluation=evaluation)))
  assert page.tables["doubts"][1:] == [
    ["sets hold the label", "95.0%", "94.6%", "93.0% to 96.0%"],
    ["labels in a set", "", "1.25", ""],
    ["answers that are accepted", "", "80.0%", ""],
    ["accepted answers that are right", "", "97.5%", ""],
  ]
  assert "Sets for a coverage of 0.95, from 400 val rows: 1.2 labels on average;" in page.text


def test_a_run_without_doubts_has_no_such_part():
  assert "doubts" not in _Page(render.render(_data())).tables
