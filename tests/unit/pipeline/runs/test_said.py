"""What two runs were told differently, in the user's words, and in place of TFX's."""

import pytest

from pipeline.runs import said
from pipeline.runs.changes import CODE, INPUT, SETTING, Change
from pipeline.runs.run_files import RunFile, told, write
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

TASK = get_task("images")


def run_file(*settings, data="d", tiny=False):
  config = make_config(TASK, data_path=data, workspace="w", tiny=tiny, settings=settings)
  return RunFile(run_id="r", config=config, versions={})


@pytest.mark.parametrize(
  ("before", "after", "expected"),
  [
    ((), (), []),
    ((), ("train.epochs=3",), [("train.epochs", 16, 3)]),
    (("gates.skill=0.5",), (), [("gates.skill", 0.5, 0.3)]),
    (("train.epochs=16",), (), []),  # the default, said or not
    (("data.max_pixels=5",), ("data.max_pixels=6",), [("data.max_pixels", 5, 6)]),
    (
      ("model.widths=[8]",),
      ("push.tolerance=1",),
      [("model.widths", [8], None), ("push.tolerance", 1e-5, 1.0)],
    ),
  ],
)
def test_settings_are_compared_with_the_tasks_defaults(before, after, expected):
  found = said.differences(run_file(*before), run_file(*after), TASK)
  assert [(each.name, each.before, each.after) for each in found] == expected


def test_options_are_named_as_on_the_command_line():
  found = said.differences(run_file(), run_file(data="e", tiny=True), TASK)
  names = [each.name for each in found]
  assert names[:2] == ["--data", "--tiny"]
  assert "train.epochs" in names


def test_what_was_said_stands_once_in_place_of_what_follows_from_it():
  code = Change(CODE, "code_fingerprint", "a", "b")
  other = Change(SETTING, "custom_config.transformed_slices", [], ["a"])
  inputs = Change(INPUT, "model", ["m/1"], ["m/2"])
  epochs = Change(SETTING, "train.epochs", 12, 3)
  skill = Change(SETTING, "gates.skill", 0.3, 0.5)
  fall = Change(SETTING, "gates.accuracy.max_regression", 0.01, 0.02)
  thresholds = "eval_config.metrics_specs.0.metrics.4.per_slice_thresholds.0.threshold"
  assert said.in_users_words(
    [
      code,
      Change(SETTING, "custom_config.hyperparameters.epochs", 12, 3),
      Change(SETTING, "custom_config.train.epochs", None, 3),
      other,
      inputs,
    ],
    [epochs, skill],
  ) == [code, epochs, other, inputs]
  assert said.in_users_words(
    [
      Change(SETTING, f"{thresholds}.value_threshold.lower_bound", 0.3, 0.5),
      Change(SETTING, f"{thresholds}.change_threshold.absolute", -0.01, -0.02),
    ],
    [epochs, skill, fall],
  ) == [skill, fall]
  assert said.in_users_words([other], [epochs, skill]) == [other]


def test_a_run_without_a_file_or_with_another_releases_was_told_nothing_known(tmp_path):
  config = make_config(TASK, data_path="d", workspace=str(tmp_path))
  path = write(config, "r1")
  assert told(config.folder, "r1").config == config
  assert told(config.folder, "r2") is None
  path.write_text("{}")
  assert told(config.folder, "r1") is None
