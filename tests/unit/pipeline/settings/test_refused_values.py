"""What `PipelineConfig` refuses, and what the refusal says."""

import pytest

from dlpipe.errors import BadInputError
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task


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
def test_what_cannot_work_is_bad_input(make, setting, message):
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
def test_numbers_that_would_make_a_bound_vacuous_are_bad_input(make, setting):
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
def test_values_that_would_only_fail_in_training_are_bad_input(make, setting, message):
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


def test_every_wrong_value_is_named_at_once(make):
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
def test_a_bad_file_is_named(make, config_file, text, message):
  path = config_file(text)
  with pytest.raises(BadInputError) as refused:
    make(config_file=path)
  assert str(refused.value).startswith(f"--config {path}")
  assert message in str(refused.value)


def test_a_missing_or_binary_file_is_bad_input(make, tmp_path):
  with pytest.raises(BadInputError, match="Cannot read --config .*absent.yaml: No such file"):
    make(config_file=str(tmp_path / "absent.yaml"))
  (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
  with pytest.raises(BadInputError, match="is not YAML"):
    make(config_file=str(tmp_path / "binary"))
