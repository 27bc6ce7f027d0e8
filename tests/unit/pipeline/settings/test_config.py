"""`PipelineConfig`: who wins, what is refused, and what the refusal says."""

import datetime
import os
import pathlib
import re

import pydantic
import pytest

from dlpipe.errors import BadInputError
from dlpipe.workspace import Workspace
from pipeline.settings.config import DataConfig, PipelineConfig
from pipeline.settings.known_settings import known_settings
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task
from pipeline.tasks.images.task import TASK


def make(*settings, **options):
  return make_config(TASK, **{"data_path": "d", "workspace": "w", "settings": settings, **options})


@pytest.fixture
def config_file(tmp_path):
  def write(text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return str(path)

  return write


def test_paths_become_absolute_and_name_the_tasks_folders():
  config = make()
  assert config.data_path == os.path.abspath("d")
  assert config.folder == Workspace.of("w").task("images")
  assert config.folder.root == pathlib.Path(os.path.abspath("w")) / "images"


def test_later_origins_win(config_file):
  path = config_file("train: {epochs: 7, batch_size: 8}\nmodel: {dropout: 0.1}\n")
  default, tiny = (make(tiny=each).params(TASK).as_json() for each in (False, True))
  assert (default["epochs"], default["dropout"]) == (16, 0.3)
  assert (tiny["epochs"], tiny["widths"], tiny["batch_size"]) == (6, [8, 16], 64)
  from_file = make(tiny=True, config_file=path).params(TASK).as_json()
  assert (from_file["epochs"], from_file["batch_size"], from_file["dropout"]) == (7, 8, 0.1)
  both = make("train.epochs=9", "train.epochs=11", tiny=True, config_file=path)
  assert both.params(TASK).epochs == 11
  assert both.params(TASK).batch_size == 8


def test_a_schedule_is_written_as_airflow_has_it(config_file):
  assert make("airflow.schedule=@daily").airflow.schedule == "@daily"
  path = config_file("airflow:\n  schedule: @hourly\n  pool: 'a@b'\n")
  read = make(config_file=path).airflow
  assert (read.schedule, read.pool) == ("@hourly", "a@b")


def test_what_was_said_is_told_from_what_is_a_default(config_file):
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
def test_what_the_chosen_model_does_not_read_is_refused(settings, message):
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
def test_what_the_chosen_model_reads_is_taken(settings):
  assert make(*settings, tiny=True).params(TASK).learning_rate == 0.01


def test_data_options_of_the_task_are_set_like_fields_and_kept_apart():
  config = make("data.label_column=class", "data.val_fraction=0.2")
  assert config.data.options == {"label_column": "class"}
  assert config.data.val_fraction == 0.2
  assert config.data_options(TASK) == {**TASK.data_options.defaults(), "label_column": "class"}
  assert make("data.max_pixels=null").data_options(TASK)["max_pixels"] is None


@pytest.mark.parametrize(
  ("written", "value"),
  [
    *((mark, mark) for mark in ";|,:^#&*-\t "),  # YAML has other plans for most of them
    ("semicolon", "semicolon"),
    ("'|'", "|"),
    ("~", None),
  ],
)
def test_a_separator_is_the_mark_that_was_written(written, value):
  assert make(f"data.separator={written}").data.options == {"separator": value}


@pytest.mark.parametrize(
  "written",
  [
    *("2", "007", "010", "1:30", "2.20", "1e3", "2024-01-31", "yes", "no", "true"),
    *("#label", "text #1", "a: b", "- a", "&a", "a:b", "it's #1"),
    *("2026-11-31", "*a", "!a", "%a", "a: b: c"),
  ],
)
def test_a_text_is_what_was_written(written):
  assert make(f"data.label_column={written}").data.options == {"label_column": written}


def test_quotes_hold_what_yaml_means_otherwise():
  assert make("data.label_column='null'").data.options == {"label_column": "null"}
  assert make('data.label_column="a #b"').data.options == {"label_column": "a #b"}


@pytest.mark.parametrize("written", ["", "  ", "\t "])
def test_an_empty_value_is_no_default(written):
  # Such as an unset variable of a shell.
  with pytest.raises(BadInputError, match="train.epochs takes a value. Received an empty text"):
    make(f"train.epochs={written}")


@pytest.mark.parametrize("written", ["010", "0b11", "1:30", "5 # of them"])
def test_a_number_is_not_another_one_than_was_written(written, config_file):
  with pytest.raises(BadInputError, match="train.epochs"):
    make(f"train.epochs={written}")
  if "#" not in written:  # which is a comment in a file
    with pytest.raises(BadInputError, match=f"Received: '{written}'"):
      make(config_file=config_file(f"train: {{epochs: {written}}}\n"))


def test_a_section_of_a_file_may_be_empty(config_file):
  path = config_file("model:\n  # backbone: squeezenet\ntrain:\n  epochs: 3\n")
  assert make(config_file=path).train.epochs == 3


def test_a_column_may_be_called_by_a_number(config_file):
  assert make("data.label_column=2").data.options == {"label_column": "2"}
  path = config_file("data: {label_column: 2, header: false}\n")
  assert make(config_file=path).data.options == {"label_column": "2", "header": False}
  path = config_file("data: {label_column: true}\n")
  with pytest.raises(BadInputError, match="data.label_column must be text, such as 'label'"):
    make(config_file=path)


@pytest.mark.parametrize(
  ("setting", "section", "name", "value"),
  [
    ("train.learning_rate=1e-3", "train", "learning_rate", 0.001),
    ("push.tolerance=1e-5", "push", "tolerance", 0.00001),
    ("push.tolerance=1.5e+3", "push", "tolerance", 1500.0),
    ("push.tolerance=.5E3", "push", "tolerance", 500.0),
    ("train.batch_size=1_000", "train", "batch_size", 1000),
    ("airflow.start_date=2025-02-03", "airflow", "start_date", datetime.date(2025, 2, 3)),
    ("airflow.start_date='2025-02-03'", "airflow", "start_date", datetime.date(2025, 2, 3)),
    ("train.learning_rate=2", "train", "learning_rate", 2.0),
    ("train.mixed_precision=true", "train", "mixed_precision", True),
    ("train.epochs=5", "train", "epochs", 5),
    ("train.epochs=null", "train", "epochs", None),
    ("push.tolerance=0", "push", "tolerance", 0.0),
    ("beam.options=[--a=1, --b]", "beam", "options", ("--a=1", "--b")),
    (" data.source = folder", "data", "source", "folder"),
  ],
)
def test_values_are_read_as_a_person_means_them(setting, section, name, value):
  read = getattr(getattr(make(setting), section), name)
  assert read == value
  assert type(read) is type(value)


@pytest.mark.parametrize(
  ("setting", "value"),
  [
    ("model.dropout=0", 0.0),
    ("model.widths=[4, 8]", [4, 8]),
    ("model.image_size=48", 48),
    ("model.image_size=null", None),
    ("model.weights=a=b.h5", "a=b.h5"),
    ("model.flip=yes", True),
  ],
)
def test_hyperparameters_keep_their_defaults_type(setting, value):
  name = setting.split("=")[0].removeprefix("model.")
  read = getattr(make(setting).params(TASK), name)
  assert read == value
  assert type(read) is type(value)


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    (
      "epochs=5",
      "such as train.epochs=5. Received: 'epochs=5'. Did you mean train.epochs=5?",
    ),
    ("dropot=0.1", "Did you mean model.dropout=0.1?"),
    ("batch-size=8", "Did you mean train.batch_size=8?"),
    ("train.epochs", "--set takes section.name=value"),
    ("train.=5", "--set takes section.name=value"),
    ("train.epoch=5", "unknown name 'train.epoch' for task images. Did you mean train.epochs?"),
    ("model.epochs=5", "Did you mean train.epochs?"),
    ("model.max_pixels=5", "Did you mean data.max_pixels?"),
    (
      "zzz.qqq=5",
      (
        "Sections: data, model, train, tune, gates, push, beam, metadata, keep, notify, tracking, "
        "kubeflow, airflow."
      ),
    ),
    (
      "gates.recall=0.5",
      "Names in gates: accuracy, accuracy.max_regression, beats_baseline, behaviour, drift,",
    ),
    ("data.options={}", "unknown name 'data.options'"),
    ("train.epochs=[1", "--set train.epochs: the value is not readable: '[1'"),
    (
      "train.epochs=0",
      "train.epochs must be null or a whole number of at least 1, such as 16. Received: 0",
    ),
    ("train.epochs=many", "Received: 'many'"),
    ("train.learning_rate=0", "must be null or a number above 0, such as 0.003. Received: 0.0"),
    (
      "data.val_fraction=0.5",
      "data.val_fraction must be a number above 0 and below 0.5, such as 0.1.",
    ),
    (
      "data.min_severity=LOW",
      "data.min_severity must be WARNING or ERROR, such as 'ERROR'. Received: 'LOW'",
    ),
    (
      "gates.skill=high",
      "gates.skill must be null or a number of at most 1, such as 0.3. Received: 'high'",
    ),
    (
      "gates.max_latency_ms=0",
      "gates.max_latency_ms must be null or a number above 0. Received: 0.0",
    ),
    (
      "model.dropout=high",
      "model.dropout must be a number of at least 0 and below 1, such as 0.3. Received: 'high'",
    ),
    ("model.flip=1", "model.flip must be null or true or false. Received: 1"),
    ("model.dropout=1.5", "model.dropout must be a number of at least 0 and below 1"),
    ("model.shift=-1", "model.shift must be a number from 0 to 1, such as 0.08. Received: -1.0"),
    (
      "model.widths=[8, 0]",
      "must be null or a list of whole numbers from 1 to 10,000. Received: [8, 0]",
    ),
    (
      "model.head_epochs=true",
      "model.head_epochs must be a whole number of at least 1, such as 30.",
    ),
    ("model.widths=8", "null or a list of whole numbers from 1 to 10,000. Received: 8"),
    ("data.max_pixels=many", "data.max_pixels must be a whole number of at least 1"),
    (
      "kubeflow.resources={Trainer: {cpu: 0}}",
      "kubeflow.resources.Trainer.cpu must be at least 0.001. Received: 0",
    ),
    (
      "kubeflow.resources={Trainer: {gpu: -1}}",
      "resources.Trainer.gpu must be at least 0",
    ),
    ("kubeflow.resources={Trainer: {gpus: 1}}", "Trainer.gpus: there is no such name"),
    (
      "kubeflow.resources={Trainer: 4}",
      "resources.Trainer must be a mapping. Received: 4",
    ),
    ("kubeflow.resources={Trainer: {gpu: a}}", "Trainer.gpu must be a whole number. Received: 'a'"),
    ("kubeflow.resources=4", "kubeflow.resources must be a mapping. Received: 4"),
    ("train.epochs={a: 1}", "must be null or a whole number of at least 1, such as 16. Received"),
    ("model.dropout={a: 1}", "model.dropout must be a number of at least 0 and below 1"),
    ("beam.runner=slurm", "beam.runner must be direct, flink, spark or dataflow, such as 'direct'"),
    (
      "push.serving_release=2.20",
      "push.serving_release: expected a tag of the image tensorflow/serving, such as 2.16.1",
    ),
  ],
)
def test_what_cannot_work_is_bad_input(setting, message):
  with pytest.raises(BadInputError) as refused:
    make(setting)
  assert message in str(refused.value)


@pytest.mark.parametrize(
  "setting",
  [
    "train.learning_rate=inf",
    "train.learning_rate=.inf",
    "gates.skill=nan",
    "gates.skill=.nan",
    "gates.skill=-inf",
    "push.tolerance=inf",
  ],
)
def test_numbers_that_would_make_a_bound_vacuous_are_bad_input(setting):
  with pytest.raises(BadInputError, match=f"^--set: {setting.split('=')[0]} must be "):
    make(setting)


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    ("model.dropout=null", "below 1, such as 0.3. Received: null"),
    ("model.widths=[8, wide]", "Received: [8, 'wide']"),
    ("model.widths=[8, true]", "Received: [8, True]"),
  ],
)
def test_values_that_would_only_fail_in_training_are_bad_input(setting, message):
  with pytest.raises(BadInputError) as refused:
    make(setting)
  assert message in str(refused.value)


@pytest.mark.parametrize(
  ("task", "setting", "message"),
  [
    ("sentiment", "gates.accuracy=99", "a number of at most 1"),
    ("sentiment", "gates.calibration_error=-0.1", "a number of at least 0"),
    ("translation", "gates.bleu=101", "a number of at most 100"),
  ],
)
def test_a_bound_that_no_model_can_keep_is_bad_input(task, setting, message):
  with pytest.raises(BadInputError, match=message):
    make_config(get_task(task), data_path="d", workspace="w", settings=[setting])


def test_every_wrong_value_is_named_at_once():
  with pytest.raises(BadInputError) as refused:
    make("train.epochs=0", "push.tolerance=-1")
  first, second = str(refused.value).splitlines()
  assert first.startswith("--set: train.epochs must be")
  assert second.startswith("--set: push.tolerance must be")


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("train: 5", "must map sections to names to values"),
    ("- train", "must map sections to names to values"),
    ("train: {epochs: [", "is not YAML"),
    ("train: {epochs: 3}\ntrain: {seed: 1}", "'train' stands there twice"),
    ("train: {epochs: 3, epochs: 5}", "'epochs' stands there twice"),
    ("train: {epoch: 5}", "unknown name 'train.epoch'"),
    ("model: {dropout: high}", "model.dropout must be a number"),
  ],
)
def test_a_bad_file_is_named(config_file, text, message):
  path = config_file(text)
  with pytest.raises(BadInputError) as refused:
    make(config_file=path)
  assert str(refused.value).startswith(f"--config {path}")
  assert message in str(refused.value)


def test_a_missing_or_binary_file_is_bad_input(tmp_path):
  with pytest.raises(BadInputError, match="Cannot read --config .*absent.yaml: No such file"):
    make(config_file=str(tmp_path / "absent.yaml"))
  (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
  with pytest.raises(BadInputError, match="is not YAML"):
    make(config_file=str(tmp_path / "binary"))


def test_a_file_may_have_small_numbers_as_python_writes_them(config_file):
  assert make(config_file=config_file("push: {tolerance: 1e-05}\n")).push.tolerance == 1e-5


def test_an_empty_file_changes_nothing(config_file):
  assert make(config_file=config_file("# nothing\n")) == make()


def test_gates_are_bounds_of_metrics_and_of_latency(config_file):
  path = config_file("gates: {skill: 0.8, max_latency_ms: 20}\n")
  gates = make("gates.accuracy.max_regression=1", config_file=path).gates
  assert gates.bounds == {"skill": 0.8, "accuracy.max_regression": 1.0}
  assert gates.max_latency_ms == 20.0
  assert make("gates.max_latency_ms=null", config_file=path).gates.max_latency_ms is None
  assert make().gates.max_latency_ms is None


def test_a_serving_release_is_an_images_tag():
  assert make("push.serving_release=2.20.0-gpu").push.serving_release == "2.20.0-gpu"
  assert make("push.serving_release=null").push.serving_release is None


def test_the_beam_argument_wins():
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


def test_a_configuration_does_not_change_and_knows_its_names():
  config = make()
  with pytest.raises(pydantic.ValidationError, match="frozen"):
    config.tiny = True
  with pytest.raises(pydantic.ValidationError, match="colour"):
    PipelineConfig(task="images", data_path="d", workspace="w", colour="red")
