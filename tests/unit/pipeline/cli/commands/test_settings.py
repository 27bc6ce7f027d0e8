"""`dlpipe settings`: every setting with its value, what it may be, and its meaning."""

import json

import pytest
from click.testing import CliRunner

from dlpipe.errors import BadInputError
from pipeline.cli.commands.settings import settings
from pipeline.settings.known_settings import known_settings
from pipeline.tasks import get_task


@pytest.fixture
def invoke():
  def run(*arguments):
    done = CliRunner().invoke(settings, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output

  return run


def test_all_are_listed_as_json_with_the_facts_of_the_code(invoke):
  said = json.loads(invoke("images", "--json"))
  known = known_settings(get_task("images"))
  assert said["task"] == "images"
  assert [each["name"] for each in said["settings"]] == [each.key for each in known]
  found = {each["name"]: each for each in said["settings"]}
  assert found["model.dropout"] == {
    "name": "model.dropout",
    "value": 0.3,
    "default": 0.3,
    "tiny": None,
    "takes": "a number of at least 0 and below 1",
    "meaning": "before the last layer",
    "documented": "docs/configuration.md",
  }
  assert (found["train.epochs"]["value"], found["train.epochs"]["tiny"]) == (16, 6)
  assert found["gates.skill"]["value"] == 0.3


def test_values_are_those_of_a_run_with_the_same_options(invoke, tmp_path):
  file = tmp_path / "mine.yaml"
  file.write_text("data: {max_pixels: 100}\ngates: {skill: 0.8}\n")
  options = ("--tiny", "--config", str(file), "--set", "model.dropout=0.1", "--json")
  values = {e["name"]: e["value"] for e in json.loads(invoke("images", *options))["settings"]}
  assert values["train.epochs"] == 6
  assert values["model.widths"] == [8, 16]
  assert values["model.dropout"] == 0.1
  assert values["data.max_pixels"] == 100
  assert values["gates.skill"] == 0.8


def test_a_person_reads_value_bounds_and_meaning(invoke):
  assert invoke("images", "model.dropout", "--set", "model.dropout=0.5").splitlines() == [
    "model",
    "  dropout = 0.5  (default 0.3; a number of at least 0 and below 1)",
    "      before the last layer",
    "",
    "Set one with --set section.name=value. More in docs/configuration.md",
  ]
  assert "  trials = 0  (a whole number of at least 0)" in invoke("images", "tune")
  assert max(len(line) for line in invoke("sentiment").splitlines()) <= 100


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("drpout", "no setting 'drpout'. Did you mean model.dropout?"),
    ("zzz", "no setting 'zzz'. `dlpipe settings images` lists all of them."),
  ],
)
def test_a_name_that_is_none_is_bad_input(invoke, name, message):
  with pytest.raises(BadInputError, match=message):
    invoke("images", name)
