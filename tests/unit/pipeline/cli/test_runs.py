"""`dlpipe runs`: what a person and a program are shown of the runs in a workspace."""

import json

import pytest
from click.testing import CliRunner
from tfx.orchestration.pipeline import Pipeline

from components.errors import BadInputError
from components.reviewed_schema import ReviewedSchema
from pipeline.cli.runs import runs
from pipeline.runners import node
from pipeline.runners.metadata_stores import sqlite_connection


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
  """A run `r1` of images, and runs `r1` and `r2` of sentiment."""
  root = tmp_path_factory.mktemp("workspace")
  for task, run_id in (("images", "r1"), ("sentiment", "r1"), ("sentiment", "r2")):
    pipeline = Pipeline(
      pipeline_name=task,
      pipeline_root=str(root / task / "artifacts"),
      components=[ReviewedSchema(text="feature {}")],
    )
    store = sqlite_connection(root / task / "metadata.db")
    node.run_node(node.compile_pipeline(pipeline, run_id), "ReviewedSchema", store)
  return root


@pytest.fixture
def invoke(workspace):
  """Returns a function that runs the command and returns what it prints."""

  def run(*arguments, where=("--workspace", workspace)):
    done = CliRunner().invoke(runs, [*arguments, *map(str, where)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output

  return run


def test_list_shows_all_tasks_or_one(invoke):
  assert {line.split()[1] for line in invoke("list").splitlines()} == {"images", "sentiment"}
  lines = [line.split() for line in invoke("list", "sentiment").splitlines()]
  assert [(line[0], line[1], line[4]) for line in lines] == [
    ("r2", "sentiment", "done"),
    ("r1", "sentiment", "done"),
  ]


def test_list_reads_a_connection_file(invoke, workspace, tmp_path):
  file = tmp_path / "db"
  file.write_text(f'sqlite {{ filename_uri: "{workspace / "images" / "metadata.db"}" }}')
  listed = json.loads(invoke("list", "--json", where=("--mlmd", file)))["runs"]
  assert [(run["task"], run["run_id"], run["pushed_version"]) for run in listed] == [
    ("images", "r1", None)
  ]
  assert listed[0]["metrics"] == {}


def test_an_empty_workspace_says_what_to_do(invoke, tmp_path):
  said = invoke("list", where=("--workspace", tmp_path))
  assert said == "There are no runs yet. dlpipe run TASK makes one.\n"


def test_show_names_the_artifacts(invoke, workspace):
  said = invoke("show", "r2").splitlines()
  assert said[0].startswith("sentiment  run r2  started 20")
  assert said[1].split()[:2] == ["ReviewedSchema", "COMPLETE"]
  assert said[2].startswith(f"  schema: {workspace}/sentiment/artifacts/ReviewedSchema/schema/")
  shown = json.loads(invoke("show", "r1", "--task", "images", "--json"))
  assert (shown["task"], shown["nodes"][0]["id"]) == ("images", "ReviewedSchema")


@pytest.mark.parametrize(
  ("run_id", "message"),
  [
    ("r9", "There is no run 'r9'. `dlpipe runs list` lists what there is."),
    ("r1", "Several tasks have a run 'r1': images, sentiment. Choose one with --task."),
  ],
)
def test_a_run_that_is_not_to_be_told_is_bad_input(invoke, run_id, message):
  with pytest.raises(BadInputError, match=message):
    invoke("show", run_id)
