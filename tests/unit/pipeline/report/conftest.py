"""The report of a made-up run, and a reader of pages."""

import html.parser

import pytest

from components.data_gate import Check
from components.serving_gate.parity import Parity
from components.source_example_gen.summary import Summary
from dlpipe.verdicts import Ruling
from pipeline.runs import report_data
from pipeline.runs import result as results

_LABELS = ["cat", "dog", "owl"]


@pytest.fixture
def make_result():
  """Returns a function that makes the result of a run."""
  return _result


@pytest.fixture
def make_parity():
  """Returns a function that makes what ServingGate found, from rows for paths."""
  return _parity


@pytest.fixture
def make_data():
  """Returns a function that makes the content of a report."""
  return _data


@pytest.fixture
def read_page():
  """Returns a function that reads a page: its words, its tables by section, its attributes."""
  return _Page


def _result(**changes):
  values = {
    "run_id": "r1",
    "task": "images",
    "state": results.PUSHED,
    "pushed_version": 3,
    "serving_dir": "workspace/images/serving",
    "metrics": {"accuracy": 0.9312},
    "gates": [
      Ruling(
        metric="accuracy",
        bound=">= 0.9",
        value=0.9312,
        passed=True,
        reason="one in ten may be wrong",
      )
    ],
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

  _VOID = frozenset({"meta", "img", "input"})

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
