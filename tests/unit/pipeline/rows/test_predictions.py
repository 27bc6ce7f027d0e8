"""`predictions.parquet`: what an exported model says of each example, and where that came from."""

import base64
import json

import pytest

from dlpipe.errors import BadInputError
from pipeline.rows import predictions
from pipeline.rows import table as tables
from pipeline.rows.examples import read_some

SPLITS = {
  "train": [[(b"never read", b"cat")]],
  "val": [[(b"v", b"cat")]],
  "eval": [[(b"x" * 10, b"cat"), (b"x" * 50, b"dog")], [(b"x" * 100, b"dog")]],
}


def test_every_row_has_its_origin_its_label_and_the_models_answer(predicted):
  rows = tables.as_rows(tables.read(predicted(SPLITS)))
  assert [(row["split"], row["number"], row["origin"]) for row in rows] == [
    ("val", 0, "val0.csv, row 2"),
    ("eval", 0, "eval0.csv, row 2"),
    ("eval", 1, "eval0.csv, row 3"),
    ("eval", 2, "eval1.csv, row 2"),
  ]
  assert (rows[2]["file"], rows[2]["row"], rows[2]["id"]) == (
    "eval0.csv",
    3,
    "id of eval0.csv, row 3",
  )
  assert [(row["label"], row["predicted"], row["right"]) for row in rows[1:]] == [
    ("cat", "cat", True),
    ("dog", "cat", False),
    ("dog", "cat", False),
  ]
  assert rows[2]["scores"] == {"cat": 0.75, "dog": 0.25}
  assert rows[1]["input"] == "x" * 10


def test_more_rows_than_a_batch_and_a_group(predicted):
  texts = [(b"x" * (n % 90), b"dog") for n in range(2_100)]
  table = tables.read(predicted({"val": [], "eval": [texts]}))
  assert table["number"].to_pylist() == list(range(2_100))
  assert table["score"].to_pylist() == pytest.approx([0.5 + n % 90 / 200 for n in range(2_100)])


def test_inputs_of_the_worst_rows_are_kept_for_the_report(predicted):
  large = b"BM" + b"y" * 60_000  # no picture that could be made smaller
  mistakes = [(b"BM" + b"x" * n, b"dog") for n in range(1, 40)]
  rows = [(b"right", b"cat"), *mistakes, (large, b"cow")]
  directory = predicted({"val": [[(b"v", b"dog")]], "eval": [rows]}, is_text=False)
  shown = json.loads((directory / "shown.json").read_text())
  table = tables.read(directory)
  assert table["input"].null_count == len(rows) + 1
  # The label that no model knows is the worst of all, but its input is too large to show.
  assert [len(base64.b64decode(value)) for value in shown.values()] == list(range(41, 18, -1))
  assert all(
    len(shown[str(1 + n)]) == len(base64.b64encode(b"BM" + b"x" * n)) for n in range(17, 40)
  )


def test_examples_without_origins_have_empty_ones(predicted):
  [row] = tables.as_rows(
    tables.read(predicted({"val": [], "eval": [SPLITS["val"][0]]}, named=False))
  )
  assert (row["origin"], row["file"], row["row"], row["id"]) == ("", None, None, None)


def test_a_file_of_origins_that_is_cut_short_is_no_silent_shift(predicted, tmp_path):
  predicted(SPLITS)
  from components.source_example_gen import origins
  from pipeline.rows.examples import read_examples

  file = str(tmp_path / "examples" / "Split-eval" / "data-0.gz")
  origins.write(origins.path_beside(file), [origins.line(origins.Origin("one"))])
  with pytest.raises(ValueError, match="shorter"):
    list(read_examples(tmp_path / "examples"))


def test_a_report_takes_texts_from_the_table(predicted):
  assert json.loads((predicted(SPLITS) / "shown.json").read_text()) == {}


def test_an_answer_without_what_the_rows_need_is_told(predicted):
  with pytest.raises(BadInputError, match="'translation', and the model answers with label, lab"):
    predicted(SPLITS, rows="pipeline.problems.rows.of_text")


_ASKED = {}


def remember(examples, told, said):
  """A cheap model, found by its dotted path, that only looks at what it is given."""
  rows = read_some(examples, "eval", predictions.SAMPLED)
  _ASKED["inputs"] = [each.values("text")[0][0] for each in rows]
  _ASKED["labels"] = said["label"].to_pylist()


@pytest.mark.parametrize(("most", "kept"), [(1_000, "abcde"), (4, "abde"), (2, "ad")])
def test_a_cheap_model_gets_the_answers_to_the_rows_that_it_samples(
  predicted, monkeypatch, most, kept
):
  monkeypatch.setattr(predictions, "SAMPLED", most)
  files = [[(name.encode(), name.encode()) for name in names] for names in ("abc", "de")]
  predicted({"val": [[(b"v", b"v")]], "eval": files}, baseline=f"{__name__}.remember")
  assert _ASKED["labels"] == list(kept)
  assert _ASKED["inputs"] == [name.encode() for name in kept]
