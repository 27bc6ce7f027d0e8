"""The columns of `predictions.parquet` of each kind of problem, from labels and outputs."""

import json
import math

import numpy as np
import pytest

from pipeline.problems import classes, labels, number, rows, text
from pipeline.problems.translation_metrics import row_chrf
from pipeline.rows.table import as_csv, as_rows
from pipeline.rows.where import matching

NAMES = np.array([[b"cat", b"dog"]] * 3, object)


def _columns(table):
  return {name: table[name].to_pylist() for name in table.column_names}


def test_one_class():
  scores = np.array([[0.75, 0.25], [0.75, 0.25], [0.5, 0.5]], np.float32)
  outputs = {
    "label": np.array([b"cat"] * 3, object),
    "score": scores.max(1),
    "scores": scores,
    "labels": NAMES,
  }
  table = rows.of_classes([[b"cat"], [b"dog"], ["é".encode()]], outputs)
  found = _columns(table)
  assert found["label"] == ["cat", "dog", "é"]
  assert found["predicted"] == ["cat"] * 3
  assert found["right"] == [True, False, False]
  assert found["scores"][0] == [0.75, 0.25]
  assert found["loss"] == pytest.approx([-math.log(0.75), -math.log(0.25), math.inf])
  assert json.loads(table.schema.metadata[rows.LABELS]) == ["cat", "dog"]


def test_several_labels():
  scores = np.array([[0.75, 0.25], [0.75, 0.25], [0.75, 0.9]], np.float32)
  outputs = {"scores": scores, "labels": NAMES}
  found = _columns(rows.of_labels([[b"cat"], [], [b"cat", b"dog", b"cow"]], outputs))
  assert found["label"] == ["cat", "(none)", "cat | cow | dog"]
  assert found["predicted"] == ["cat", "cat", "cat | dog"]
  assert found["label_list"] == [["cat"], [], ["cat", "cow", "dog"]]
  assert found["predicted_list"] == [["cat"], ["cat"], ["cat", "dog"]]
  assert found["right"] == [True, False, False]
  # The surest wrong label; one that the model does not know is as wrong as can be.
  assert found["score"] == [0, 0.75, 1]
  assert found["loss"] == pytest.approx(
    [-math.log(0.75), -(math.log(0.25) + math.log(0.75)) / 2, math.inf]
  )


def test_a_number():
  outputs = {"value": np.array([2.5, -1, np.nan], np.float32)}
  found = _columns(rows.of_number([[2.5], [1.0], [0.0]], outputs))
  assert (found["label"], found["right"]) == ([2.5, 1.0, 0.0], [True, False, False])
  assert found["off"][:2] == [0, 2]
  assert found["loss"] == [0, 4, math.inf]


def test_numbers_are_found_by_what_the_data_say():
  outputs = {"value": np.array([19.99, 0.1], np.float32)}
  found = rows.of_number([[float(np.float32(19.99))], [float(np.float32(0.1))]], outputs)
  assert matching(found, "label == 19.99 and predicted == 19.99").num_rows == 1
  assert matching(found, "label in [0.1, 3]").num_rows == 1
  assert [row["label"] for row in as_rows(found)] == [19.99, 0.1]
  assert as_csv(found).splitlines()[1].startswith("19.99,19.99,")


def test_a_text():
  outputs = {
    "translation": np.array([b"un chat", b"un chien"], object),
    "score": np.array([-0.1, -0.5], np.float32),
  }
  found = _columns(rows.of_text([[b"un chat"], [b"un chat noir"]], outputs))
  assert found["right"] == [True, False]
  assert found["chrf"] == [100, row_chrf("un chien", "un chat noir")]
  assert found["loss"] == [0, 100 - found["chrf"][1]]
  assert found["score"] == pytest.approx([-0.1, -0.5])


@pytest.mark.parametrize("kind", [classes, labels, number, text])
def test_every_kind_has_its_rows(kind):
  module, _, name = kind.PROBLEM.rows.rpartition(".")
  assert (module, callable(getattr(rows, name))) == (rows.__name__, True)
