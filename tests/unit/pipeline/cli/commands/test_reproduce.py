"""`dlpipe runs reproduce`: what it refuses, and how it ends; the run itself is a stand-in."""

import json
import sys

import pytest
from click.testing import CliRunner

from dlpipe.errors import BadInputError
from pipeline.cli.commands.runs import runs
from pipeline.execution.output import RealStreams
from pipeline.runs import run_files
from pipeline.runs.lineage import PastRun
from pipeline.runs.result import RunResult
from pipeline.settings.config import PipelineConfig


@pytest.fixture
def reproduce(tmp_path):
  """Returns a function that repeats the run `r1`, whose data is gone."""
  config = PipelineConfig(
    task="images", data_path=str(tmp_path / "gone"), workspace=str(tmp_path / "workspace")
  )
  run_files.write(config, "r1")

  def repeat(*arguments):
    given = ["reproduce", "--workspace", config.workspace, *map(str, arguments)]
    return CliRunner().invoke(runs, given, catch_exceptions=False)

  return repeat


def test_a_run_that_nobody_wrote_down(reproduce):
  with pytest.raises(BadInputError, match="does not say what the run 'r2' was told"):
    reproduce("r2")
  with pytest.raises(BadInputError, match="does not say what the run 'r1' was told"):
    reproduce("r1", "--task", "sentiment")


def test_a_folder_that_holds_something_is_not_written_to(reproduce, tmp_path):
  (tmp_path / "file").write_text("mine")
  with pytest.raises(BadInputError, match="is not empty: a repetition starts from nothing"):
    reproduce("r1", "--into", tmp_path)
  assert (tmp_path / "file").read_text() == "mine"


def test_data_that_is_gone_is_named_before_anything_is_loaded(reproduce, tmp_path):
  with pytest.raises(BadInputError, match=f"There is no '{tmp_path / 'gone'}'"):
    reproduce("r1")
  assert not (tmp_path / "workspace" / "images" / "reproduced").exists()


@pytest.fixture
def repeated(tmp_path, class_folders, monkeypatch):
  """Returns a function that repeats `r1` in a stand-in for a run; its end and what it was told.

  It takes the loss of both.
  """
  config = PipelineConfig(
    task="images",
    data_path=str(class_folders("cat", "dog")),
    workspace=str(tmp_path / "workspace"),
    train={"seed": 7},
  )
  run_files.write(config, "r1")
  told = []

  def carry_out(inputs, *, run_id, show, **_):
    told.append(inputs.config)
    with show(RealStreams(stdout=sys.stdout, stderr=sys.stderr)):
      return RunResult(
        run_id=run_id,
        task="images",
        state="pushed",
        pushed_version=1,
        serving_dir="",
        metrics={},
        gates=[],
        components=[],
        examples={},
        report=None,
      )

  monkeypatch.setattr("pipeline.cli.commands.run.carry_out", carry_out)
  monkeypatch.setattr("pipeline.cli.commands.run.end_now", sys.exit)

  def repeat(before, after):
    def show_run(handle, run_id, task):
      return PastRun(
        run_id=run_id,
        task=task,
        started="",
        state="pushed",
        metrics={"loss": before if run_id == "r1" else after},
        pushed_version=1,
        nodes=(),
      )

    monkeypatch.setattr("pipeline.runs.lineage.show_run", show_run)
    arguments = ["reproduce", "r1", "--workspace", config.workspace, "--json"]
    done = CliRunner().invoke(runs, arguments)
    return done, told[-1]

  return repeat


@pytest.mark.parametrize(
  ("after", "code", "said"),
  [(0.5, 0, "Reproduced  r1"), (0.75, 1, "Differs     from r1")],
)
def test_a_repetition_is_told_the_same_and_fails_where_it_differs(repeated, after, code, said):
  done, config = repeated(0.5, after)
  assert done.exit_code == code, done.output
  assert said in done.stderr
  assert config.train.seed == 7
  found = json.loads(done.stdout.splitlines()[-1])["reproduces"]
  assert (found["is_equal"], found["metrics"]) == (code == 0, {"loss": [0.5, after]})
