"""`Tuner` in a pipeline of its own: what it leaves, and what `dlpipe runs show` says of it."""

import json

import pytest
from click.testing import CliRunner
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts

from components.recorded_tuner import Tuner
from pipeline.cli.commands.runs import runs
from pipeline.execution import node
from pipeline.runs.store.metadata_stores import sqlite_connection

_MODULE = """
import keras_tuner
from tfx.components.tuner.component import TunerFnResult

from pipeline.training.tuning.search import Search

SCORES = {0: 0.5, 1: None, 2: 0.25}


def train(values, of, after_epoch):
  if SCORES[values["width"]] is None:
    raise ValueError("too wide")
  return [{"val_loss": SCORES[values["width"]]}, {"val_loss": 9.0}]


def tuner_fn(fn_args):
  space = keras_tuner.HyperParameters()
  space.Choice("width", list(SCORES), default=0)
  search = Search(
    train, space, monitor=("val_loss", "min"), trials=3, seed=1, directory=fn_args.working_dir
  )
  return TunerFnResult(tuner=search, fit_kwargs={})
"""


@pytest.fixture
def shown(tmp_path, monkeypatch):
  """Runs the Tuner as run `r1` of the task images; returns what `runs show` prints."""
  (tmp_path / "own_tuner.py").write_text(_MODULE)
  monkeypatch.syspath_prepend(tmp_path)
  examples = Importer(
    source_uri=str(tmp_path / "examples"),
    artifact_type=standard_artifacts.Examples,
    properties={"split_names": '["train", "val"]'},
  ).with_id("Examples")
  tuner = Tuner(
    examples=examples.outputs["result"],
    tuner_fn="own_tuner.tuner_fn",
    train_args=trainer_pb2.TrainArgs(splits=["train"]),
    eval_args=trainer_pb2.EvalArgs(splits=["val"]),
    custom_config={},
  )
  (tmp_path / "examples").mkdir()
  root = tmp_path / "images"
  root.mkdir()
  pipeline = node.compile_pipeline(
    Pipeline(
      pipeline_name="images",
      pipeline_root=str(root / "artifacts"),
      components=[examples, tuner],
    ),
    "r1",
  )
  for name in ("Examples", "Tuner"):
    outcome = node.run_node(pipeline, name, sqlite_connection(root / "metadata.db"))
    assert outcome.error is None

  def show(*options):
    arguments = ["show", "r1", "--workspace", str(tmp_path), *options]
    return CliRunner().invoke(runs, arguments, catch_exceptions=False).output

  return show


def test_the_trials_are_kept_and_shown(shown, tmp_path):
  [kept] = (tmp_path / "images/artifacts/Tuner/tuner_results").glob("*/trials.json")
  record = json.loads(kept.read_text())
  assert json.loads(shown("--json"))["tuning"] == record
  assert sorted(row["hyperparameters"]["width"] for row in record["trials"]) == [0, 1, 2]
  assert {row["hyperparameters"]["width"]: row["error"] for row in record["trials"]} == {
    0: None,
    1: "ValueError: too wide",
    2: None,
  }
  lines = shown().splitlines()
  start = lines.index("Trials, by val_loss; the Trainer takes the best one's values")
  best, second, failed = lines[start + 1 : start + 4]
  number = record["best"]
  assert best.strip().startswith(f"{number}* width 2  0.25  (2 epochs, ")
  assert second.strip().startswith("1  width 0  0.5  (2 epochs, ")
  assert "width 1  failed: ValueError: too wide  (0 epochs, " in failed
  [best_values] = (tmp_path / "images/artifacts/Tuner/best_hyperparameters").glob("*/*.txt")
  assert json.loads(best_values.read_text())["values"] == {"width": 2}
