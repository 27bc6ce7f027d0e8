"""What runs were told, written and found again."""

import json

import pytest

from dlpipe.errors import BadInputError
from dlpipe.workspace import Workspace
from pipeline.runs import run_files
from pipeline.settings.config import DataConfig, GatesConfig, PipelineConfig, TrainConfig


@pytest.fixture
def config(tmp_path):
  return PipelineConfig(
    task="images",
    data_path="/data",
    workspace=str(tmp_path),
    tiny=True,
    data=DataConfig(options={"max_pixels": 100}),
    model={"widths": [8, 16], "weights": None},
    train=TrainConfig(learning_rate=0.1),
    gates=GatesConfig(accuracy=0.9),
  )


def test_what_is_written_is_found(config, tmp_path):
  path = run_files.write(config, "r1")
  assert path == tmp_path / "images" / "runs" / "r1.json"
  assert [each.name for each in path.parent.iterdir()] == ["r1.json"]
  found = run_files.find(Workspace.of(tmp_path), "r1", ["sentiment", "images"])
  assert found.config == config
  assert found.config.gates.bounds == {"accuracy": 0.9}
  assert found.run_id == "r1"
  assert found.versions["tensorflow"].startswith("2.")


def test_a_run_without_a_file_cannot_be_repeated(config, tmp_path):
  run_files.write(config, "r1")
  for run_id, tasks in (("r2", ["images"]), ("r1", ["sentiment"])):
    with pytest.raises(BadInputError, match=f"does not say what the run '{run_id}' was told"):
      run_files.find(Workspace.of(tmp_path), run_id, tasks)


def test_runs_of_one_name_are_told_apart_by_their_task(config, tmp_path):
  run_files.write(config, "r1")
  run_files.write(config.model_copy(update={"task": "sentiment"}), "r1")
  with pytest.raises(BadInputError, match="Several tasks have a run 'r1'. Choose one with --task."):
    run_files.find(Workspace.of(tmp_path), "r1", ["images", "sentiment"])
  assert run_files.find(Workspace.of(tmp_path), "r1", ["sentiment"]).config.task == "sentiment"


@pytest.mark.parametrize("damage", ["{", '{"run_id": "r1"}', None])
def test_a_file_that_is_damaged_or_of_another_release_is_said_to_be(config, tmp_path, damage):
  path = run_files.write(config, "r1")
  if damage is None:
    told = json.loads(path.read_text())
    told["config"]["train"]["unknown_to_this_release"] = 1
    damage = json.dumps(told)
  path.write_text(damage)
  with pytest.raises(BadInputError, match=r"r1\.json cannot be used"):
    run_files.find(Workspace.of(tmp_path), "r1", ["images"])
