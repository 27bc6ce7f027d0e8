"""Every setting: the documented default is taken; another kind of value and a typo are refused."""

from __future__ import annotations

import pytest
from pydantic_core import to_jsonable_python

from dlpipe.errors import BadInputError
from pipeline import kinds
from pipeline.settings.known_settings import in_yaml, value_of
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

SECTIONS = None  # all


def _make(task_name, *settings, tiny=False):
  return make_config(
    get_task(task_name), data_path="d", workspace="w", settings=settings, tiny=tiny
  )


# Of each section, what its settings need to be read at all.
_NEEDS = {
  "beam.job_server": ["beam.runner=flink"],
  "airflow.pool_nodes": ["airflow.pool=heavy"],
  "airflow.wait_every_s": ["airflow.wait_for=/inbox/mark"],
  "airflow.wait_timeout_s": ["airflow.wait_for=/inbox/mark"],
  "tune.epochs": ["tune.trials=2"],
  "tune.early_stopping": ["tune.trials=2"],
  "translation model.heads": ["model.architecture=transformer"],
  "translation model.inner_units": ["model.architecture=transformer"],
  "notify.events": ["notify.webhook=env:HOOK"],
  "notify.timeout_s": ["notify.webhook=env:HOOK"],
  "notify.retries": ["notify.webhook=env:HOOK"],
  "notify.smtp_security": [
    "notify.email_to=[a@example.com]",
    "notify.email_from=b@example.com",
    "notify.smtp_server=mail.example.com:25",
  ],
  "tracking.openlineage_namespace": ["tracking.openlineage_url=http://marquez:5000"],
  "images model.head_epochs": ["model.backbone=squeezenet"],
  "images model.head_views": ["model.backbone=squeezenet"],
  "images model.head_l2": ["model.backbone=squeezenet"],
  "images model.fine_tune_epochs": ["model.backbone=squeezenet"],
  "images model.fine_tune_factor": ["model.backbone=squeezenet", "model.fine_tune_epochs=2"],
}
_NOT_FOR_EVERY_TASK = {
  ("translation", "data.allow_lost_classes"),
  ("translation", "train.class_weights"),
  ("translation", "train.calibrate"),
  ("translation", "gates.max_coverage_gap"),
}


def _needs(task_name, key):
  return _NEEDS.get(f"{task_name} {key}", _NEEDS.get(key, []))


def test_its_documented_default_is_taken_as_it_is_printed(task_name, setting):
  """`dlpipe settings` and docs/configuration.md print `in_yaml(default)`."""
  if (task_name, setting.key) in _NOT_FOR_EVERY_TASK:
    with pytest.raises(BadInputError, match=r"^\S+ is for .*classes.* has none\."):
      _make(task_name, f"{setting.key}={in_yaml(setting.default)}")
    return
  config = _make(
    task_name, *_needs(task_name, setting.key), f"{setting.key}={in_yaml(setting.default)}"
  )
  assert value_of(setting, get_task(task_name), config) == to_jsonable_python(setting.default)


def test_without_what_it_needs_it_is_refused(task_name, setting):
  needs = _needs(task_name, setting.key)
  if needs and setting.default is not None:  # null sets nothing
    with pytest.raises(BadInputError, match=f"^{setting.key} "):
      _make(task_name, f"{setting.key}={in_yaml(setting.default)}")
  else:
    _make(task_name)


def test_a_value_of_another_kind_is_refused_by_name(task_name, setting):
  wrong = "4" if kinds.is_mapping(setting.kind) else "{a: [1]}"
  with pytest.raises(BadInputError, match=setting.key) as refused:
    _make(task_name, f"{setting.key}={wrong}")
  assert refused.value.exit_code == 2
  assert str(refused.value).startswith((f"--set: {setting.key} must be", setting.key))


def test_a_typo_names_what_was_meant(task_name, setting):
  typo = f"{setting.key[:-1]}{'q' if setting.key[-1] != 'q' else 'z'}"
  with pytest.raises(BadInputError, match=f"Did you mean {setting.key}") as refused:
    _make(task_name, f"{typo}=1")
  assert refused.value.exit_code == 2


def test_a_number_that_cannot_be_is_refused(task_name, setting):
  if "number" not in setting.takes or setting.takes.startswith("a list"):
    return
  # Some numbers have a bound on one side only.
  assert any(_refuses(task_name, setting.key, number) for number in ("-1", "1000000000000"))


def _refuses(task_name, key, number):
  try:
    _make(task_name, *_needs(task_name, key), f"{key}={number}")
  except BadInputError as err:
    return key in str(err)
  return False
