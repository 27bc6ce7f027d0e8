"""`dlpipe log`: logged requests become rows to label, and labels become data."""

import csv
import json

import pytest
from click.testing import CliRunner

from components.versioned_pusher.publish import publish
from dlpipe.errors import BadInputError
from pipeline.cli.operations.log import log

ROWS = (
  ("a fine film", "pos", 0.9),
  ("dull", "neg", 0.55),
  ("well", "pos", 0.6),
  ("dull", "neg", 0.55),
)


@pytest.fixture
def invoke(tmp_path):
  def run(*arguments):
    return CliRunner().invoke(
      log, [*map(str, arguments), "--workspace", str(tmp_path)], catch_exceptions=False
    )

  return run


@pytest.fixture
def versions(tmp_path):
  """Two versions of a model: the first answers pos to all, the second neg."""
  import tensorflow as tf

  for label in ("pos", "neg"):
    model = tf.Module()
    model.serve = tf.function(
      lambda text, label=label: {
        "label": tf.fill(tf.shape(text), label),
        "score": tf.fill(tf.shape(text), 0.5),
      },
      input_signature=[tf.TensorSpec([None], tf.string, name="text")],
    )
    tf.saved_model.save(model, str(tmp_path / label), signatures=model.serve)
    publish(tmp_path / label, tmp_path / "sentiment" / "serving")


def _table(path):
  with path.open(newline="") as file:
    return list(csv.DictReader(file))


def test_the_unsure_are_written_and_their_labels_joined(write_log, invoke, tmp_path):
  place = ("--log", write_log(*ROWS, client=lambda number: f"order-{number}"))
  picked = tmp_path / "picked.csv"
  done = invoke("pick", "sentiment", "--count", 2, "-o", picked, *place)
  assert "Wrote 2 rows to " in done.stdout
  assert "fill in the column label, then dlpipe run" in done.stdout
  table = _table(picked)
  assert [row["text"] for row in table] == ["dull", "well"]
  labels = tmp_path / "labels.csv"
  labels.write_text(f"id,label\n{table[0]['id']},pos\norder-0,neg\nnobody,pos\n")
  new = tmp_path / "new.csv"
  done = invoke("join", "sentiment", "--labels", labels, "-o", new, "--json", *place)
  assert json.loads(done.stdout) == {
    "task": "sentiment",
    "rows": 2,
    "unknown_ids": 1,
    "output": str(new),
  }
  assert [(row["text"], row["label"]) for row in _table(new)] == [
    ("a fine film", "neg"),
    ("dull", "pos"),
  ]


@pytest.mark.usefixtures("versions")
def test_two_versions_disagree(write_log, invoke, tmp_path):
  place = ("--log", write_log(*ROWS))
  picked = tmp_path / "picked.csv"
  done = invoke("pick", "sentiment", "--by", "disagreement", "-o", picked, *place)
  assert "Compared with the answers of version 1." in done.output
  assert [row["text"] for row in _table(picked)] == ["dull"]
  other = tmp_path / "other.csv"
  invoke("pick", "sentiment", "--by", "disagreement", "--version", 2, "-o", other, *place)
  assert [row["text"] for row in _table(other)] == ["a fine film", "well"]
  with pytest.raises(BadInputError, match=r"No whole version 7 in .* Versions there: 1, 2\."):
    invoke(
      "pick", "sentiment", "--by", "disagreement", "--version", 7, "-o", tmp_path / "x.csv", *place
    )


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("--by", "disagreement", "-o", "x.csv"), "A disagreement takes two versions. Found in"),
    (("-o", "x.xlsx"), "-o takes a file that ends in .csv or .json"),
    (("-o", "nowhere/x.csv"), "There is no folder 'nowhere' to write"),
  ],
)
def test_what_cannot_be_picked_is_refused(write_log, invoke, arguments, message):
  with pytest.raises(BadInputError) as raised:
    invoke("pick", "sentiment", *arguments, "--log", write_log(*ROWS))
  assert message in str(raised.value)


def test_labels_of_nobody_are_refused(write_log, invoke, tmp_path):
  labels = tmp_path / "labels.csv"
  labels.write_text("id,label\nnobody,pos\n")
  with pytest.raises(BadInputError, match=r"None of the 1 labels in .* begin with: nobody"):
    invoke(
      "join", "sentiment", "--labels", labels, "-o", tmp_path / "n.csv", "--log", write_log(*ROWS)
    )


def test_a_version_is_for_a_disagreement(invoke):
  done = invoke("pick", "sentiment", "--version", 1, "-o", "x.csv")
  assert done.exit_code == 2
  assert "--version holds for --by disagreement." in done.stderr


def test_what_somebody_may_have_labelled_is_not_replaced(write_log, invoke, tmp_path):
  place = ("--log", write_log(*ROWS))
  labels = tmp_path / "labels.csv"
  labels.write_text("id,label\norder-0,pos\n")
  with pytest.raises(BadInputError, match=r"labels\.csv' exists\. Name another -o"):
    invoke("pick", "sentiment", "-o", labels, *place)
  with pytest.raises(BadInputError, match=r"labels\.csv' exists\. Name another -o"):
    invoke("join", "sentiment", "--labels", labels, "-o", labels, *place)
  (tmp_path / "new_files").mkdir()
  with pytest.raises(BadInputError, match=r"new_files' exists\. Name another -o"):
    invoke("pick", "images", "-o", tmp_path / "new.csv", *place)
  assert labels.read_text() == "id,label\norder-0,pos\n"
