"""Rows as a person asks for them: sorted, cut, as JSON and as CSV."""

import json

import pyarrow as pa
import pytest

from dlpipe.errors import BadInputError
from pipeline.problems.rows import LABELS
from pipeline.rows import table as tables

TABLE = pa.table(
  {
    "label": pa.array(["b", "a", "é,1"], pa.string()),
    "loss": pa.array([1.0, float("inf"), 0.5]),
    "right": pa.array([True, False, True]),
    "scores": pa.array([[0.5, 0.25], [1, 0], [0, 1]], pa.list_(pa.float32())),
  }
).replace_schema_metadata({LABELS: json.dumps(["x", "y"])})


@pytest.mark.parametrize(
  ("sort", "labels"),
  [
    ("loss", ["a", "b", "é,1"]),
    ("loss:asc", ["é,1", "b", "a"]),
    ("label", ["a", "b", "é,1"]),
    ("label:desc", ["é,1", "b", "a"]),
    ("right:asc", ["a", "b", "é,1"]),
  ],
)
def test_the_order(sort, labels):
  assert tables.asked(TABLE, sort=sort)["label"].to_pylist() == labels


def test_the_worst_row_that_fulfils_a_condition():
  found = tables.asked(TABLE, where="right", sort="loss", limit=1)
  assert found["label"].to_pylist() == ["b"]


@pytest.mark.parametrize(
  ("sort", "why"),
  [("los", "Did you mean 'loss'"), ("loss:up", "loss:desc"), ("scores", "which holds lists")],
)
def test_what_cannot_be_sorted_by(sort, why):
  with pytest.raises(BadInputError, match=why):
    tables.asked(TABLE, sort=sort)


def test_json_names_the_scores_and_has_no_infinity():
  [_, row, _] = tables.as_rows(TABLE)
  assert row == {"label": "a", "loss": None, "right": False, "scores": {"x": 1.0, "y": 0.0}}


def test_csv():
  assert tables.as_csv(TABLE.slice(2)).splitlines() == [
    "label,loss,right,scores",
    '"é,1",0.5,True,"{""x"": 0.0, ""y"": 1.0}"',
  ]


def test_a_file_that_is_gone_is_named(tmp_path):
  with pytest.raises(BadInputError, match=r"predictions\.parquet is gone"):
    tables.read(tmp_path)
