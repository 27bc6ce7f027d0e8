"""Runs that were killed where no node was at work: before the first one, or between two."""

import pytest
from click.testing import CliRunner
from tfx.orchestration.pipeline import Pipeline

from components.reviewed_schema import ReviewedSchema
from dlpipe.errors import BadInputError
from pipeline.api import history
from pipeline.cli.commands.runs import runs
from pipeline.execution import at_work, node
from pipeline.runs import run_files
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

_KILLED = "20260102-030405-abcd"


@pytest.fixture
def begin(tmp_path):
  """Returns a function that does what a run does before its first node."""

  def begin_run(run_id, **values):
    config = make_config(
      get_task("images"), data_path="/data", workspace=str(tmp_path), values=values
    )
    config.folder.root.mkdir(exist_ok=True)
    with open_store(sqlite_connection(config.folder.metadata)):
      run_files.write(config, run_id)
    return config.folder

  return begin_run


def _listed(tmp_path):
  return [(run.run_id, run.state) for run in history.past_runs(None, str(tmp_path), None)]


def test_a_run_that_was_killed_before_its_first_node_is_listed(begin, tmp_path):
  folder = begin(_KILLED)
  [run] = history.past_runs("images", str(tmp_path), None)
  assert (run.state, run.started, run.nodes) == ("unfinished", "2026-01-02T03:04:05+00:00", ())
  with at_work.alone(folder, _KILLED):
    assert _listed(tmp_path) == [(_KILLED, "at_work")]
  [of_python] = history.runs("images", workspace=tmp_path)
  assert (of_python.state, str(of_python.data)) == ("unfinished", "/data")


def test_it_is_shown_with_what_it_was_told(begin, tmp_path):
  begin(_KILLED, **{"train.epochs": 7})
  shown = CliRunner().invoke(
    runs, ["show", _KILLED, "--workspace", str(tmp_path)], catch_exceptions=False
  )
  assert shown.exit_code == 0
  assert "unfinished" in shown.output
  assert "train.epochs=7" in shown.output
  absent = history.opened("20260102-030405-ffff", None, str(tmp_path), None)
  with pytest.raises(BadInputError, match="There is no run"), absent:
    pass


def test_the_latest_run_needs_no_name(begin, tmp_path):
  def invoke(*args):
    return CliRunner().invoke(runs, [*args, "--workspace", str(tmp_path)])

  assert "There is no run yet" in str(invoke("show", "latest").exception)
  begin("20260101-030405-abcd", **{"train.epochs": 3})
  begin(_KILLED, **{"train.epochs": 7})
  shown = invoke("show", "latest", "--task", "images")
  assert _KILLED in shown.output
  assert "train.epochs=7" in shown.output
  assert _KILLED in invoke("why", "latest").output


def test_what_another_store_has_or_an_orchestrator_began_is_not_missed(begin, tmp_path):
  begin("scheduled__2026-01-02")
  begin("20260103-000000-abcd", **{"metadata.connection_file": str(tmp_path / "mlmd.json")})
  ended = begin("20260104-000000-abcd")
  ended.report("20260104-000000-abcd").parent.mkdir()
  ended.report("20260104-000000-abcd").touch()
  assert _listed(tmp_path) == []


def test_a_run_that_was_killed_between_two_nodes_is_not_done(begin, tmp_path):
  folder = begin(_KILLED)
  pipeline = Pipeline(
    pipeline_name="images",
    pipeline_root=str(tmp_path / "artifacts"),
    components=[ReviewedSchema(text="feature {}")],
  )
  compiled = node.compile_pipeline(pipeline, _KILLED)
  node.run_node(compiled, "ReviewedSchema", sqlite_connection(folder.metadata))
  assert _listed(tmp_path) == [(_KILLED, "unfinished")]
  with at_work.alone(folder, _KILLED):
    assert _listed(tmp_path) == [(_KILLED, "at_work")]
  folder.report(_KILLED).parent.mkdir()
  folder.report(_KILLED).touch()
  assert _listed(tmp_path) == [(_KILLED, "done")]


def test_it_stands_on_the_page_of_all_runs(begin, tmp_path):
  begin(_KILLED)
  done = CliRunner().invoke(
    runs,
    ["page", "-o", str(tmp_path / "runs.html"), "--workspace", str(tmp_path)],
    catch_exceptions=False,
  )
  assert done.exit_code == 0
  assert _KILLED in (tmp_path / "runs.html").read_text("utf-8")
