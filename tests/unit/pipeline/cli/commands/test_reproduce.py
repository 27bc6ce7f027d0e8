"""`dlpipe runs reproduce`, as far as it goes before anything is run."""

import pytest
from click.testing import CliRunner

from dlpipe.errors import BadInputError
from pipeline.cli.commands.runs import runs
from pipeline.runs import run_files
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
