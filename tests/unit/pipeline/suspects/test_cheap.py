"""A cheap model of each kind of answer, and what a network is worth beside it."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.problems import intervals
from pipeline.suspects import cheap
from pipeline.suspects.baseline import Baseline

_ROWS = 300  # every third is in eval
_TOLD = {"input_key": "text", "label_key": "label", "is_text": True}


def _said(**columns):
  return pa.table(columns)


def _of_eval(values):
  return [value for n, value in enumerate(values) if n % 3 == 2]


@pytest.fixture
def texts():
  """Texts of a word that tells the class, the number and the labels, and of others."""
  random = np.random.default_rng(0)
  numbers = random.integers(0, 4, _ROWS)
  others = [" ".join(f"w{n}" for n in random.integers(0, 40, 5)) for _ in range(_ROWS)]
  return [f"{rest} kind{n}".encode() for rest, n in zip(others, numbers, strict=True)], numbers


def test_a_network_is_compared_row_by_row(write_examples, texts):
  inputs, numbers = texts
  examples = write_examples(inputs, [[f"c{n}"] for n in numbers], "text")
  right = np.arange(100) % 10 != 0
  found = cheap.of_classes(examples, _TOLD, _said(right=pa.array(right)))
  assert (found.measure, found.train_rows, found.eval_rows) == ("accuracy", 200, 100)
  assert found.cheap == 1
  assert found.network == pytest.approx(0.9)
  assert found.constant < 0.5
  assert found.gain == pytest.approx(-0.1)
  assert found.interval == pytest.approx(intervals.paired_shares(0, 10, 100))


def test_rows_without_a_label_are_left_out_on_both_sides(write_examples, texts):
  inputs, numbers = texts
  labels = [[f"c{n}"] if row % 6 != 2 else [] for row, n in enumerate(numbers)]
  right = np.arange(100) % 2 == 1  # those that keep their label
  found = cheap.of_classes(
    write_examples(inputs, labels, "text"), _TOLD, _said(right=pa.array(right))
  )
  assert (found.eval_rows, found.network) == (50, 1)


def test_numbers_are_compared_by_their_error(write_examples, texts):
  inputs, numbers = texts
  examples = write_examples(inputs, [[float(10 * n)] for n in numbers], "text")
  truth = np.array(_of_eval(numbers)) * 10.0
  found = cheap.of_number(examples, _TOLD, _said(predicted=pa.array(truth + 1)))
  assert (found.measure, found.network) == ("error", 1)
  assert 1 < found.cheap < found.constant
  assert found.gain == pytest.approx((found.cheap - 1) / found.constant, abs=1e-6)
  assert found.interval[0] < found.gain < found.interval[1]


def test_several_labels_are_compared_by_their_f1(write_examples, texts):
  inputs, numbers = texts
  # Labels that look like two, or like none, are one each.
  labels = [[f"c{n} | (none)", "(none)"] for n in numbers]
  given = [["(none)", f"c{n} | (none)"] for n in _of_eval(numbers)]
  said = _said(predicted_list=pa.array(given), label_list=pa.array(given))
  found = cheap.of_labels(write_examples(inputs, labels, "text"), _TOLD, said)
  assert (found.measure, found.network) == ("f1", 1)
  assert 0.8 < found.cheap <= 1
  assert found.constant == pytest.approx(2 / 3)
  none = _said(
    predicted_list=pa.array([[]] * 100, pa.list_(pa.string())), label_list=pa.array(given)
  )
  assert cheap.of_labels(write_examples(inputs, labels, "text"), _TOLD, none).network == 0


def test_a_translation_is_compared_with_its_source(write_examples):
  inputs = [f"the house {n}".encode() for n in range(_ROWS)]
  labels = [[f"la maison {n}"] for n in range(_ROWS)]
  said = _said(loss=pa.array([0.0] * 50 + [50.0] * 50))
  found = cheap.of_text(write_examples(inputs, labels, "text"), _TOLD, said)
  assert (found.measure, found.network, found.constant) == ("chrf", 0.75, None)
  assert 0 < found.cheap < 0.5
  assert found.gain == pytest.approx(0.75 - found.cheap)


def test_the_rows_are_those_that_a_sample_of_several_files_has(write_examples, texts, monkeypatch):
  inputs, numbers = texts
  monkeypatch.setattr(cheap, "EVAL_ROWS", 20)
  examples = write_examples(inputs, [[f"c{n}"] for n in numbers], "text", files=4)
  found = cheap.of_classes(examples, _TOLD, _said(right=pa.array([True] * 20)))
  assert found.eval_rows == 20


def _baseline(**changes):
  values = {
    "model": "words", "train_rows": 3_000, "eval_rows": 1_000, "cheap": 0.8, "network": 0.95,
    "constant": 0.125, "gain": 0.15, "interval": (0.12, 0.18),
  }  # fmt: skip
  return Baseline(**{**values, **changes})


@pytest.mark.parametrize(
  ("changes", "expected"),
  [
    (
      {},
      (
        "On 1,000 rows of eval the network is right about 95.0%; a cheap model of words, trained "
        "on 3,000 rows, about 80.0%; always the commonest label, 12.5%. The network is worth +15.0 "
        "(+12.0 to +18.0) points."
      ),
    ),
    (
      {"measure": "chrf", "model": "copying the input", "constant": None, "interval": None},
      (
        "On 1,000 rows of eval the network has a chrF of 95.0 a row; copying the input, 80.0. The "
        "network is worth +15.0 points."
      ),
    ),
    (
      {"measure": "error", "cheap": 4.0, "network": 3.0, "constant": 6.5, "interval": None},
      (
        "On 1,000 rows of eval the network is off by 3; a cheap model of words, trained on 3,000 "
        "rows, by 4; always the median, by 6.5. The network is worth +15.0 % of the error of the "
        "median."
      ),
    ),
    ({"cheap": None}, ""),
  ],
)
def test_what_a_network_is_worth_is_a_sentence(changes, expected):
  assert _baseline(**changes).sentence == expected


def test_a_file_of_an_older_release_is_read():
  old = {"model": "words", "accuracy": 0.8, "majority": 0.5, "train_rows": 3, "eval_rows": 2}
  assert Baseline.from_json(old).sentence == ""
