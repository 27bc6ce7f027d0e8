"""`dlpipe runs rows`: examples of a run with predictions, from the metadata store."""

import csv
import json
import pathlib

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.pipeline import Pipeline

from components.artifacts import Predictions
from components.reviewed_schema import ReviewedSchema
from dlpipe import nodes
from dlpipe.errors import BadInputError
from pipeline.api import history
from pipeline.cli.commands.runs import runs
from pipeline.execution import node
from pipeline.rows.files import FILE
from pipeline.runs.store.metadata_stores import sqlite_connection


@component
def Predicts(predictions: OutputArtifact[Predictions]):  # noqa: N802
  """Writes predictions as the Evaluator does."""
  rows = {
    "origin": [f"cats/{n} \x1b[31m.jpg" if n == 29 else f"cats/{n}.jpg" for n in range(30)],
    "file": [f"cats/{n}.jpg" for n in range(30)],
    "id": pa.array([None] * 30, pa.string()),
    "split": ["val"] * 5 + ["eval"] * 25,
    "input": ["a long text " * 9] * 30,
    "label": ["cat"] * 30,
    "predicted": ["cat"] * 28 + ["dog"] * 2,
    "loss": [n / 10 for n in range(30)],
    "right": [True] * 28 + [False] * 2,
  }
  parquet.write_table(pa.table(rows), pathlib.Path(predictions.uri) / FILE)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
  """A run `r1` with predictions, and a later run `r2` that was not evaluated."""
  root = tmp_path_factory.mktemp("workspace")
  for run_id, made in (("r1", Predicts().with_id(nodes.EVALUATOR.id)), ("r2", None)):
    pipeline = Pipeline(
      pipeline_name="images",
      pipeline_root=str(root / "images" / "artifacts"),
      components=[made or ReviewedSchema(text="feature {}")],
    )
    store = sqlite_connection(root / "images" / "metadata.db")
    only = made.id if made is not None else "ReviewedSchema"
    node.run_node(node.compile_pipeline(pipeline, run_id), only, store)
  return root


@pytest.fixture
def invoke(workspace):
  """Returns a function that runs the command and returns what it prints."""

  def run(*arguments):
    command = ["rows", *arguments, "--workspace", str(workspace)]
    done = CliRunner().invoke(runs, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output

  return run


def test_the_worst_rows_by_their_files(invoke):
  lines = invoke("latest", "--where", "not right", "--sort", "loss").splitlines()
  assert lines[0] == "images  run r1  2 rows"
  assert lines[1].split() == ["origin", "split", "label", "predicted", "loss", "right", "input"]
  assert lines[2].split()[:7] == ["cats/29", "[31m.jpg", "eval", "cat", "dog", "2.9", "no"]
  assert lines[3].split()[:7] == ["cats/28.jpg", "eval", "cat", "dog", "2.8", "no", "a"]
  assert len(lines) == 4


def test_of_many_rows_some_are_shown_and_the_rest_is_counted(invoke):
  lines = invoke("r1").splitlines()
  assert len(lines) == 23
  assert lines[-1] == "10 more: --limit N shows N, --output FILE.csv writes all."
  assert len(invoke("r1", "--limit", "25").splitlines()) == 28


def test_json_has_all_rows(invoke):
  found = json.loads(invoke("r1", "--where", "split == 'eval'", "--json"))
  assert (found["run_id"], found["task"], found["count"]) == ("r1", "images", 25)
  assert found["rows"][0]["origin"] == "cats/5.jpg"
  assert len(found["rows"]) == 25


def test_csv_has_all_rows(invoke, tmp_path):
  file = tmp_path / "new folder" / "rows.csv"
  assert f"30 rows to {file}" in invoke("r1", "--output", str(file))
  with file.open(newline="") as content:
    rows = list(csv.DictReader(content))
  assert [row["file"] for row in rows] == [f"cats/{n}.jpg" for n in range(30)]
  assert "2 rows" in invoke("r1", "--where", "not right", "--output", str(file))
  assert len(file.read_text().splitlines()) == 3


@pytest.mark.parametrize("header", ["text,label", "{},new_label", ""])
def test_a_review_and_other_files_are_not_replaced(invoke, tmp_path, header):
  invoke("r1", "--output", str(tmp_path / "rows.csv"))
  own = (tmp_path / "rows.csv").read_text().partition("\n")[0]
  (tmp_path / "kept.csv").write_text(header.format(own) + "\nfine,good\n")
  with pytest.raises(BadInputError, match="exists and has other columns"):
    invoke("r1", "--output", str(tmp_path / "kept.csv"))
  assert (tmp_path / "kept.csv").read_text().endswith("fine,good\n")
  with pytest.raises(BadInputError, match="is no writable folder"):
    invoke("r1", "--output", str(tmp_path / "rows.csv" / "rows.csv"))


@pytest.mark.parametrize(
  ("arguments", "why"),
  [
    (["r1", "--where", "lable == 'cat'"], "Did you mean 'label'?"),
    (["r1", "--sort", "los"], "Did you mean 'loss'?"),
    (["r1", "--output", "rows.xlsx"], "a name that ends in .csv"),
    (["r2"], "The run r2 has no predictions"),
    (["r3"], "There is no run 'r3'"),
    (["latest", "--task", "sentiment"], "No run of sentiment has predictions yet"),
  ],
)
def test_what_cannot_be_answered(workspace, arguments, why):
  command = ["rows", *arguments, "--workspace", str(workspace)]
  with pytest.raises(BadInputError) as refused:
    CliRunner().invoke(runs, command, catch_exceptions=False)
  assert why in str(refused.value)


def test_a_run_in_python_has_the_same_rows(workspace):
  later, run = history.runs("images", workspace=workspace)
  assert [row["file"] for row in run.rows("not right", sort="loss", limit=1)] == ["cats/29.jpg"]
  assert run.predictions.name == FILE
  assert later.predictions is None
  with pytest.raises(BadInputError, match="r2 has no predictions"):
    later.rows()
  with pytest.raises(BadInputError, match="limit takes a whole number"):
    run.rows(limit=-1)
