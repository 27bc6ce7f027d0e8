"""`dlpipe runs`: what a person and a program are shown of the runs in a workspace."""

import json
import shutil

import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline

from components.reviewed_schema import ReviewedSchema
from components.versioned_pusher.publish import publish, rollback
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder
from pipeline.cli.commands.runs import runs
from pipeline.execution import at_work, node
from pipeline.runs import run_files
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
  """A run `r1` of images, and runs `r1`, `r2` and `r3` of sentiment, the last of another text."""
  root = tmp_path_factory.mktemp("workspace")
  for task, run_id, text in (
    ("images", "r1", "feature {}"),
    ("sentiment", "r1", "feature {}"),
    ("sentiment", "r2", "feature {}"),
    ("sentiment", "r3", 'feature { name: "a-rather-long-name-of-a-feature" }'),
  ):
    pipeline = Pipeline(
      pipeline_name=task,
      pipeline_root=str(root / task / "artifacts"),
      components=[ReviewedSchema(text=text)],
      enable_cache=True,
    )
    store = sqlite_connection(root / task / "metadata.db")
    node.run_node(node.compile_pipeline(pipeline, run_id), "ReviewedSchema", store)
  for run_id, epochs in (("r2", 12), ("r3", 3)):
    config = make_config(
      get_task("sentiment"),
      data_path="d",
      workspace=str(root),
      settings=[f"train.epochs={epochs}"],
    )
    run_files.write(config, run_id)
    config.folder.report(run_id).parent.mkdir(exist_ok=True)
    config.folder.report(run_id).touch()  # it came to its end
  for number in (1, 2):
    (root / f"model{number}").mkdir()
    (root / f"model{number}" / "saved_model.pb").write_text(f"graph {number}")
    publish(root / f"model{number}", root / "images" / "serving")
  rollback(root / "images" / "serving")
  return root


@pytest.fixture
def invoke(workspace):
  """Returns a function that runs the command and returns what it prints."""

  def run(*arguments, where=("--workspace", workspace)):
    done = CliRunner().invoke(runs, [*arguments, *map(str, where)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output

  return run


def test_list_shows_a_rollback_at_its_time_and_what_is_served(invoke):
  lines = invoke("list", "images").splitlines()
  assert lines[0].split()[:2] == ["-", "images"]
  assert lines[0].split()[4:] == ["rolled_back", "version", "3", "is", "version", "1", "again"]
  assert lines[1].startswith("r1 ")
  assert lines[2].startswith("Served now: images version 3, which is version 1 again, since 20")
  listed = json.loads(invoke("list", "--json"))
  assert [(each["task"], each["version"]) for each in listed["rollbacks"]] == [("images", 3)]
  assert listed["served"]["images"]["rollback_of"] == 1
  assert len(listed["runs"]) == 4


def test_runs_of_a_task_that_is_not_known_here_are_listed_with_a_word_about_it(workspace, tmp_path):
  shutil.copytree(workspace / "sentiment", tmp_path / "my_task")
  done = CliRunner().invoke(runs, ["list", "--workspace", str(tmp_path)], catch_exceptions=False)
  assert len(done.stdout.splitlines()) == 3
  assert "No task of this name is known here: my_task. DLPIPE_TASKS names folders" in done.stderr


def test_a_task_with_an_underscore_has_its_report_and_log(tmp_path):
  pipeline = Pipeline(
    pipeline_name="value-kinds",
    pipeline_root=str(tmp_path / "value_kinds" / "artifacts"),
    components=[ReviewedSchema(text="feature {}")],
  )
  store = sqlite_connection(tmp_path / "value_kinds" / "metadata.db")
  node.run_node(node.compile_pipeline(pipeline, "r1"), "ReviewedSchema", store)
  for name in ("reports/r1.html", "logs/r1.log"):
    (tmp_path / "value_kinds" / name).parent.mkdir()
    (tmp_path / "value_kinds" / name).touch()
  done = CliRunner().invoke(
    runs,
    ["show", "r1", "--task", "value_kinds", "--workspace", str(tmp_path)],
    catch_exceptions=False,
  )
  lines = done.stdout.splitlines()
  assert lines[0].startswith("value_kinds  run r1 ")
  assert [line.split() for line in lines[-2:]] == [
    ["Report", str(tmp_path / "value_kinds" / "reports" / "r1.html")],
    ["Log", str(tmp_path / "value_kinds" / "logs" / "r1.log")],
  ]


def test_list_shows_all_tasks_or_one(invoke):
  shown = {line.split()[1] for line in invoke("list").splitlines() if line.startswith("r")}
  assert shown == {"images", "sentiment"}
  lines = [line.split() for line in invoke("list", "sentiment").splitlines()]
  assert [(line[0], line[1], line[4]) for line in lines] == [
    ("r3", "sentiment", "done"),
    ("r2", "sentiment", "done"),
    ("r1", "sentiment", "done"),
  ]


def test_a_run_that_was_killed_is_told_from_one_at_work(invoke, workspace):
  store = sqlite_connection(workspace / "sentiment" / "metadata.db")
  with open_store(store) as handle:
    [execution] = [
      e
      for context in handle.store.get_contexts_by_type("pipeline_run")
      if context.name == "r3"
      for e in handle.store.get_executions_by_context(context.id)
    ]
    state = execution.last_known_state
    execution.last_known_state = metadata_store_pb2.Execution.RUNNING
    handle.store.put_executions([execution])

  def said():
    listed = [line.split()[4] for line in invoke("list", "sentiment").splitlines()]
    return listed, json.loads(invoke("show", "r3", "--json"))["state"]

  try:
    assert said() == (["unfinished", "done", "done"], "unfinished")
    with at_work.alone(TaskFolder(workspace / "sentiment"), "r3"):
      assert said() == (["at_work", "done", "done"], "at_work")
    with at_work.alone(TaskFolder(workspace / "sentiment"), "r2"):
      assert said() == (["unfinished", "done", "done"], "unfinished")
  finally:
    execution.last_known_state = state
    with open_store(store) as handle:
      handle.store.put_executions([execution])


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


def test_show_names_what_was_told_and_the_artifacts(invoke, workspace):
  said = invoke("show", "r2").splitlines()
  assert said[0].startswith("sentiment  run r2  started 20")
  assert said[1] == "Told     train.epochs=12"
  assert said[2].split()[:2] == ["ReviewedSchema", "CACHED"]
  assert said[3].startswith(f"  schema: {workspace}/sentiment/artifacts/ReviewedSchema/schema/")
  shown = json.loads(invoke("show", "r1", "--task", "images", "--json"))
  assert (shown["task"], shown["nodes"][0]["id"]) == ("images", "ReviewedSchema")
  assert (shown["told"], shown["phases"]) == ({}, [])
  assert json.loads(invoke("show", "r2", "--json"))["told"] == {"train.epochs": 12}


def test_why_says_what_a_node_was_compared_with(invoke):
  assert invoke("why", "r1", "--task", "sentiment").splitlines()[1:] == [
    "ReviewedSchema      COMPLETE  for the first time"
  ]
  assert invoke("why", "r2").splitlines()[1:] == ["ReviewedSchema      CACHED    as in run r1"]
  assert invoke("why", "r3").splitlines()[1:] == [
    "ReviewedSchema      COMPLETE  differs from run r2 in",
    '  setting text: feature {} -> feature { name: "a-rather-long-name-o...',
  ]
  [node_] = json.loads(invoke("why", "r3", "--json"))["nodes"]
  assert (node_["compared_with"], node_["changes"][0]["before"]) == ("r2", "feature {}")


def test_diff_compares_two_runs_of_a_task(invoke):
  said = invoke("diff", "r2", "r3").splitlines()
  assert [line.split()[2] for line in said[:2]] == ["r2", "r3"]
  assert said[2:5] == ["Told differently", "  setting train.epochs: 12 -> 3", "ReviewedSchema"]
  assert said[5].startswith("  setting text: feature {} -> ")
  same = invoke("diff", "r1", "r2", "--task", "sentiment").splitlines()
  assert same[2:] == ["Code, data, settings and inputs are the same."]
  both = json.loads(invoke("diff", "r3", "r2", "--json"))
  assert (both["before"]["run_id"], both["after"]["run_id"]) == ("r3", "r2")
  assert [(each["name"], each["after"]) for each in both["said"]] == [("train.epochs", 12)]
  assert both["nodes"]["ReviewedSchema"][0]["after"] == "feature {}"


def test_diff_needs_two_runs_of_one_task(invoke):
  with pytest.raises(BadInputError, match="There is no run 'r9' of sentiment beside r2."):
    invoke("diff", "r2", "r9")


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
