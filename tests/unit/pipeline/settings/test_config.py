"""`PipelineConfig`: who wins, what was said, and what may be set."""

import os
import pathlib
import re

import pydantic
import pytest

from dlpipe.errors import BadInputError
from dlpipe.workspace import Workspace
from pipeline.settings.config import DataConfig, PipelineConfig
from pipeline.settings.known_settings import known_settings
from pipeline.tasks.images.task import TASK


def test_paths_become_absolute_and_name_the_tasks_folders(make):
  config = make()
  assert config.data_path == os.path.abspath("d")
  assert config.folder == Workspace.of("w").task("images")
  assert config.folder.root == pathlib.Path(os.path.abspath("w")) / "images"


def test_later_origins_win(make, config_file):
  path = config_file("train: {epochs: 7, batch_size: 8}\nmodel: {dropout: 0.1}\n")
  default, tiny = (make(tiny=each).params(TASK).as_json() for each in (False, True))
  assert (default["epochs"], default["dropout"]) == (16, 0.3)
  assert (tiny["epochs"], tiny["widths"], tiny["batch_size"]) == (6, [8, 16], 64)
  from_file = make(tiny=True, config_file=path).params(TASK).as_json()
  assert (from_file["epochs"], from_file["batch_size"], from_file["dropout"]) == (7, 8, 0.1)
  both = make("train.epochs=9", "train.epochs=11", tiny=True, config_file=path)
  assert both.params(TASK).epochs == 11
  assert both.params(TASK).batch_size == 8


def test_what_was_said_is_told_from_what_is_a_default(make, config_file):
  assert make().fixed_epochs(TASK) == make(tiny=True).fixed_epochs(TASK) == []
  # Said is said, even where it is the default.
  assert make("train.epochs=12").fixed_epochs(TASK) == ["epochs"]
  assert make("train.epochs=12", "train.epochs=null").fixed_epochs(TASK) == []
  path = config_file("train: {epochs: 7}\nmodel: {dropout: 0.1}\n")
  from_file = make("train.batch_size=8", config_file=path)
  assert from_file.fixed_epochs(TASK) == ["epochs"]
  assert from_file.said == {"epochs", "dropout", "batch_size"}
  # As `runs reproduce` reads it.
  again = PipelineConfig.model_validate_json(from_file.model_dump_json())
  assert again.fixed_epochs(TASK) == ["epochs"]
  head = make("model.backbone=squeezenet", "model.head_epochs=3")
  assert head.fixed_epochs(TASK) == ["head_epochs"]


_BACKBONE = "model.backbone=squeezenet"


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    (
      [_BACKBONE, "train.epochs=3"],
      "train.epochs is the cnn's. A backbone's epochs are model.head_epochs",
    ),
    ([_BACKBONE, "model.widths=[8]"], "model.widths is the cnn's, and a backbone has its own."),
    (["model.head_epochs=3"], "model.head_epochs is a backbone's, and the cnn has none."),
    (
      [_BACKBONE, "model.fine_tune_epochs=0", "model.fine_tune_factor=0.1"],
      "model.fine_tune_factor needs fine-tuning. Set model.fine_tune_epochs to more than 0.",
    ),
    (
      ["train.epochs=3", "model.min_steps=50"],
      "model.min_steps lifts only epochs that are not set, and all that count here are.",
    ),
    ([_BACKBONE, "model.head_epochs=3", "model.min_steps=50"], "model.min_steps lifts only"),
  ],
)
def test_what_the_chosen_model_does_not_read_is_refused(make, settings, message):
  with pytest.raises(BadInputError, match=f"^{re.escape(message)}"):
    make(*settings)


@pytest.mark.parametrize(
  "settings",
  [
    ["train.epochs=3", "model.min_steps=0"],
    ["model.min_steps=50"],
    [_BACKBONE, "train.epochs=null", "model.min_steps=50"],
    [_BACKBONE, "model.fine_tune_epochs=1", "model.fine_tune_factor=0.1"],
  ],
)
def test_what_the_chosen_model_reads_is_taken(make, settings):
  assert make(*settings, tiny=True).params(TASK).learning_rate == 0.01


def test_data_options_of_the_task_are_set_like_fields_and_kept_apart(make):
  config = make("data.label_column=class", "data.val_fraction=0.2")
  assert config.data.options == {"label_column": "class"}
  assert config.data.val_fraction == 0.2
  assert config.data_options(TASK) == {**TASK.data_options.defaults(), "label_column": "class"}
  assert make("data.max_pixels=null").data_options(TASK)["max_pixels"] is None


def test_an_empty_file_changes_nothing(make, config_file):
  assert make(config_file=config_file("# nothing\n")) == make()


def test_gates_are_bounds_of_metrics_and_of_latency(make, config_file):
  path = config_file("gates: {skill: 0.8, max_latency_ms: 20}\n")
  gates = make("gates.accuracy.max_regression=1", config_file=path).gates
  assert gates.bounds == {"skill": 0.8, "accuracy.max_regression": 1.0}
  assert gates.max_latency_ms == 20.0
  assert make("gates.max_latency_ms=null", config_file=path).gates.max_latency_ms is None
  assert make().gates.max_latency_ms is None


def test_a_serving_release_is_an_images_tag(make):
  assert make("push.serving_release=2.20.0-gpu").push.serving_release == "2.20.0-gpu"
  assert make("push.serving_release=null").push.serving_release is None


def test_the_beam_argument_wins(make):
  assert make("beam.runner=spark", beam="flink").beam.runner == "flink"
  assert make("beam.runner=spark").beam.runner == "spark"


def test_known_settings_are_what_may_be_set():
  names = {}
  for setting in known_settings(TASK):
    names.setdefault(setting.section, []).append(setting.name)
  assert list(names) == [
    "data",
    "model",
    "train",
    "tune",
    "gates",
    "push",
    "beam",
    "metadata",
    "keep",
    "notify",
    "tracking",
    "kubeflow",
    "airflow",
  ]
  assert names["gates"] == [
    "skill",
    "skill.max_regression",
    "accuracy",
    "accuracy.max_regression",
    "worst_recall",
    "worst_recall.max_regression",
    "max_latency_ms",
    "max_coverage_gap",
    "min_examples",
    "behaviour",
    "beats_baseline",
    "drift",
    "least_drift",
  ]
  assert set(names["data"]) == set(DataConfig.model_fields) - {"options"} | set(
    TASK.data_options.model_fields
  )
  assert not set(names["model"]) & {"epochs", "batch_size", "learning_rate"}


def test_a_configuration_does_not_change_and_knows_its_names(make):
  config = make()
  with pytest.raises(pydantic.ValidationError, match="frozen"):
    config.tiny = True
  with pytest.raises(pydantic.ValidationError, match="colour"):
    PipelineConfig(task="images", data_path="d", workspace="w", colour="red")
