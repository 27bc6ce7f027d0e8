"""The rows of a run's predictions, as the report's fields."""

import base64
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.problems import rows as of_problems
from pipeline.rows import previews
from pipeline.rows.files import FILE, SHOWN_FILE
from pipeline.rows.reasons import Reasons
from pipeline.runs.shown.previous import Previous
from pipeline.runs.shown.reasons import ShownReasons
from pipeline.runs.shown_rows import shown_rows


@pytest.fixture
def predictions(tmp_path):
  """Returns a function that writes a table of a problem's rows in eval, and inputs by number."""

  def write(found, inputs=(), texts=None):
    count = found.num_rows
    named = {
      "origin": [f"a.csv, row {n}" for n in range(count)],
      "split": ["eval"] * count,
      "input": pa.array(texts or [None] * count, pa.string()),
    }
    columns = dict(zip(found.column_names, found.columns, strict=True))
    table = pa.table({**named, **columns}).replace_schema_metadata(found.schema.metadata)
    parquet.write_table(table, tmp_path / FILE)
    shown = {n: base64.b64encode(value).decode() for n, value in dict(inputs).items()}
    (tmp_path / SHOWN_FILE).write_text(json.dumps(shown))
    return tmp_path

  return write


def _classes(*labels):
  scores = np.array([[0.75, 0.25]] * len(labels), np.float32)
  outputs = {
    "label": np.array([b"a"] * len(labels), object),
    "score": scores[:, 0],
    "scores": scores,
    "labels": np.array([[b"a", b"b"]] * len(labels), object),
  }
  return of_problems.of_classes([[label] for label in labels], outputs)


def test_pictures_that_browsers_show_become_data_uris(predictions, make_picture):
  png = make_picture("PNG")
  inputs = {1: png, 2: b"no picture"}
  found = shown_rows(
    predictions(_classes(b"a", b"b", b"b", b"b"), inputs),
    input_kind="file",
    data_path="",
    one_class=True,
  )
  row = {
    "split": "eval", "label": "b", "predicted": "a", "score": 0.75, "link": None, "why": None,
    "size": None,
  }  # fmt: skip
  uri = f"data:image/png;base64,{base64.b64encode(png).decode()}"
  rows = [
    {**row, "origin": "a.csv, row 1", "data_uri": uri, "size": (12, 10)},
    {**row, "origin": "a.csv, row 2", "data_uri": None},
    {**row, "origin": "a.csv, row 3", "data_uri": None},
  ]
  assert found["pictures"] == rows
  right = {**row, "label": "a", "origin": "a.csv, row 0", "data_uri": None}
  assert found["cells"] == [
    {"label": "b", "predicted": "a", "rows": rows},
    {"label": "a", "predicted": "a", "rows": [right]},
  ]
  assert found["texts"] == []
  # Scores of 0.25 for b: no threshold of its own, so the sure a contradicts each b.
  assert found["suspected"] == (3, 4)


def test_labels_that_the_model_does_not_know_contradict_nothing(predictions):
  found = shown_rows(
    predictions(_classes(b"a", b"new")), input_kind="file", data_path="", one_class=True
  )
  assert found["suspected"] == (0, 1)


def test_texts_are_never_taken_for_pictures(predictions):
  directory = predictions(_classes(b"b"), {0: b"BM"}, texts=["BM né"])
  found = shown_rows(directory, input_kind="text", data_path="", one_class=False)
  assert [(row["input"], row["origin"]) for row in found["texts"]] == [("BM né", "a.csv, row 0")]
  assert found["pictures"] == []


def test_numbers_are_shown_with_their_distance(predictions):
  table = of_problems.of_number([[928.0200195312], [1.0]], {"value": np.array([1000.1234567, 1.0])})
  [row] = shown_rows(
    predictions(table, texts=["x", "y"]), input_kind="text", data_path="", one_class=False
  )["texts"]
  assert (row["label"], row["predicted"]) == ("928.02", "1000.12")
  assert row["off"] == pytest.approx(72.1034)
  assert "score" not in row


def test_texts_that_a_model_writes_are_samples(predictions):
  outputs = {"translation": np.array([b"un"] * 14, object), "score": np.zeros(14)}
  table = of_problems.of_text([[b"un"]] * 13 + [[b"deux"]], outputs)
  found = shown_rows(
    predictions(table, texts=["one"] * 14), input_kind="text", data_path="", one_class=False
  )
  assert [row["worst"] for row in found["samples"]] == [False] * 12 + [True] * 2
  assert found["samples"][12] == {
    "origin": "a.csv, row 13",
    "link": None,
    "split": "eval",
    "input": "one",
    "label": "deux",
    "predicted": "un",
    "why": None,
    "score": pytest.approx(0, abs=20),
    "worst": True,
  }
  assert (found["texts"], found["cells"]) == ([], [])


@pytest.mark.parametrize("kind", ["text", "file"])
def test_where_nothing_was_left_nothing_is_shown(tmp_path, kind):
  nothing = {"pictures": [], "texts": [], "samples": [], "cells": [], "suspected": None}
  nothing |= {"curves": None, "flips": None, "reasons": None}
  assert shown_rows(None, input_kind=kind, data_path="", one_class=True) == nothing
  assert shown_rows(tmp_path, input_kind=kind, data_path="", one_class=True) == nothing


def test_a_loss_is_never_shown_as_a_score(predictions):
  table = _classes(b"b").replace_schema_metadata(None)
  [row] = shown_rows(predictions(table), input_kind="file", data_path="", one_class=True)[
    "pictures"
  ]
  assert row["score"] is None


def test_curves_are_of_eval_and_of_the_classes(predictions):
  found = shown_rows(
    predictions(_classes(b"a", b"a", b"b")), input_kind="file", data_path="", one_class=True
  )["curves"]
  assert found["split"] == "eval"
  assert found["answers"]["coverage"] == [[1, pytest.approx(1 / 3), 0.75]]
  [label] = found["labels"]
  assert (label["label"], label["positives"], label["auc"]) == ("b", 1, 0.5)


def test_a_row_leads_to_its_file_where_that_is_there(predictions, tmp_path, make_picture):
  table = tmp_path / "data" / "a.csv"
  table.parent.mkdir()
  table.write_text("text,label\n")
  directory = predictions(_classes(b"b"), texts=["x"])
  [row] = shown_rows(directory, input_kind="text", data_path=str(table), one_class=True)["texts"]
  assert row["link"] == table.as_uri()
  table.unlink()
  [row] = shown_rows(directory, input_kind="text", data_path=str(table), one_class=True)["texts"]
  assert row["link"] is None


def test_the_model_before_is_compared_row_by_row(predictions, tmp_path):
  directory = predictions(_classes(b"a", b"b"))
  before = tmp_path / "before"
  before.mkdir()
  table = parquet.read_table(directory / FILE)
  wrong = table.set_column(table.column_names.index("predicted"), "predicted", pa.array(["b", "b"]))
  wrong = wrong.set_column(wrong.column_names.index("right"), "right", pa.array([False, True]))
  parquet.write_table(wrong, before / FILE)
  found = shown_rows(
    directory,
    input_kind="file",
    data_path="",
    one_class=True,
    previous=Previous(run_id="r1", predictions=before),
  )["flips"]
  assert {key: found[key] for key in ("run_id", "rows", "of", "better", "worse")} == {
    "run_id": "r1", "rows": 2, "of": 2, "better": 1, "worse": 1,
  }  # fmt: skip
  [better], [worse] = found["better_rows"], found["worse_rows"]
  assert (better["label"], better["before"], better["predicted"]) == ("a", "b", "a")
  assert (worse["label"], worse["before"], worse["predicted"]) == ("b", "b", "a")


def test_pictures_of_a_report_have_a_bound(predictions, make_picture, tmp_path, monkeypatch):
  from pipeline.runs import shown_rows as module

  png = make_picture("PNG")
  directory = predictions(_classes(b"b", b"b", b"b"), dict.fromkeys(range(3), png))
  monkeypatch.setattr(module, "_MOST_SHOWN", int(1.6 * len(png)) * 2)
  rows = shown_rows(directory, input_kind="file", data_path="", one_class=True)["pictures"]
  assert [row["data_uri"] is not None for row in rows] == [True, True, False]


def test_several_labels_have_curves_of_each_and_no_risk(predictions):
  outputs = {
    "labels": np.array([[b"a", b"b"]] * 3, object),
    "scores": np.array([[0.9, 0.8], [0.2, 0.7], [0.6, 0.1]]),
  }
  table = of_problems.of_labels([[b"a", b"b"], [b"b"], []], outputs)
  found = shown_rows(
    predictions(table, texts=["x"] * 3), input_kind="text", data_path="", one_class=False
  )["curves"]
  assert found["answers"] is None  # the score of such a row is that of its surest wrong label
  assert [(each["label"], each["positives"], each["auc"]) for each in found["labels"]] == [
    ("a", 1, 1),
    ("b", 2, 1),
  ]


def test_a_label_that_looks_like_several_is_one(predictions):
  outputs = {
    "labels": np.array([[b"a", b"a | b"]] * 3, object),
    "scores": np.array([[0.1, 0.9], [0.8, 0.2], [0.1, 0.1]]),
  }
  table = of_problems.of_labels([[b"a | b"], [b"a"], []], outputs)
  found = shown_rows(
    predictions(table, texts=["x"] * 3), input_kind="text", data_path="", one_class=False
  )["curves"]
  positives = {each["label"]: each["positives"] for each in found["labels"]}
  assert positives == {"a": 1, "a | b": 1}


def test_each_row_has_its_reason_and_all_have_one_kind(predictions):
  directory = predictions(_classes(b"a", b"b"), texts=["fine", "dull"])
  account = {"label": "a", "explained": 2.0, "intercept": 0.5, "unexplained": 0.0}
  Reasons(reasons={1: {**account, "words": [("dull", 1.5)]}}).write(directory)
  found = shown_rows(directory, input_kind="text", data_path="", one_class=True)
  [row] = found["texts"]
  assert row["why"]["speaks_for"] == [{"word": "dull", "part": 1.5, "share": 1.0}]
  wrong, right = found["cells"]
  assert wrong["rows"][0]["why"] == row["why"]
  assert right["rows"][0]["why"] is None
  assert (found["reasons"]["kind"], found["reasons"]["of_several"]) == ("words", False)
  several = shown_rows(directory, input_kind="text", data_path="", one_class=False)
  assert several["reasons"]["of_several"]


def test_maps_have_room_only_where_their_pictures_have(predictions, make_picture, monkeypatch):
  from pipeline.runs import shown_rows as module

  png = make_picture("PNG")
  directory = predictions(_classes(b"b", b"b"), dict.fromkeys(range(2), png))
  Reasons(reasons={n: {"explained": 1.0, "map": [[1.0]]} for n in range(2)}).write(directory)
  both = len(previews.uri(png)) + len(ShownReasons(directory).of(0)["map"])
  # Both rows are in the list of mistakes, and again in their cell.
  for room, shown in ((both - 1, 0), (both, 1), (4 * both, 2)):
    monkeypatch.setattr(module, "_MOST_SHOWN", room)
    rows = shown_rows(directory, input_kind="file", data_path="", one_class=True)["pictures"]
    assert sum(row["data_uri"] is not None for row in rows) == shown
