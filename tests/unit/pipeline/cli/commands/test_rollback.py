"""`dlpipe rollback`: its effect, its output, its refusals, and what importing it costs."""

import json
import pathlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

import pipeline.tasks
from components.versioned_pusher.publish import publish
from components.versioned_pusher.version_folders import content_digest, list_versions
from dlpipe.errors import BadInputError
from pipeline.cli.commands.rollback import rollback

# The command asks a task for its name and nothing else.
_TOY = """
import dataclasses

from pipeline.tasks.sentiment.task import TASK as SENTIMENT

TASK = dataclasses.replace(SENTIMENT, name="toy")
"""


@pytest.fixture
def serving_dir(tmp_path, monkeypatch):
  """Two versions of a model of the task `toy`, in the workspace `tmp_path`."""
  (tmp_path / "tasks" / "toy").mkdir(parents=True)
  (tmp_path / "tasks" / "toy" / "task.py").write_text(_TOY)
  places = [*pipeline.tasks.__path__, str(tmp_path / "tasks")]
  monkeypatch.setattr(pipeline.tasks, "__path__", places)
  monkeypatch.delitem(sys.modules, "pipeline.tasks.toy.task", raising=False)
  monkeypatch.delitem(sys.modules, "pipeline.tasks.toy", raising=False)
  base = tmp_path / "toy" / "serving"
  for text in ("one", "two"):
    (tmp_path / text).mkdir()
    (tmp_path / text / "saved_model.pb").write_text(text)
    publish(tmp_path / text, base)
  return base


def _run(*arguments):
  return CliRunner().invoke(rollback, [str(a) for a in arguments], catch_exceptions=True)


def test_json_is_one_object_and_the_version_is_there(serving_dir, tmp_path):
  result = _run("toy", "--workspace", tmp_path, "--json")
  assert result.exit_code == 0
  assert json.loads(result.stdout) == {
    "task": "toy",
    "version": 3,
    "rollback_of": 1,
    "serving_dir": str(serving_dir),
  }
  assert content_digest(serving_dir / "3") == content_digest(serving_dir / "1")


def test_to_names_the_version_and_text_says_what_happened(serving_dir, tmp_path):
  _run("toy", "--workspace", tmp_path)
  result = _run("toy", "--workspace", tmp_path, "--to", 2)
  assert result.stdout.splitlines() == [
    "toy: version 2 is served again, as version 4.",
    f"In {serving_dir}",
  ]
  assert list_versions(serving_dir) == [1, 2, 3, 4]


def test_workspace_comes_from_the_environment(serving_dir, tmp_path, monkeypatch):
  monkeypatch.setenv("DLPIPE_WORKSPACE", str(tmp_path))
  assert json.loads(_run("toy", "--json").stdout)["version"] == 3
  assert list_versions(serving_dir) == [1, 2, 3]


def test_relative_workspace_is_reported_absolute(serving_dir, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  result = json.loads(_run("toy", "--workspace", ".", "--json").stdout)
  assert result["serving_dir"] == str(serving_dir)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("toy", "--to", 9), "No version 9 to roll back to. Known versions in "),
    (("tyo",), "Unknown task 'tyo'. Did you mean 'toy'? Known tasks: images, sentiment, toy"),
  ],
)
def test_refusals_are_bad_input(serving_dir, tmp_path, arguments, message):
  result = _run(*arguments, "--workspace", tmp_path)
  assert isinstance(result.exception, BadInputError)
  assert str(result.exception).startswith(message)
  assert list_versions(serving_dir) == [1, 2]


def test_empty_workspace_is_bad_input_and_stays_empty(serving_dir, tmp_path):
  result = _run("toy", "--workspace", tmp_path / "elsewhere")
  assert isinstance(result.exception, BadInputError)
  assert "Found none: push a model first." in str(result.exception)
  assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("value", ["0", "-1", "one"])
def test_a_version_is_a_positive_whole_number(serving_dir, tmp_path, value):
  result = _run("toy", "--workspace", tmp_path, "--to", value)
  assert result.exit_code == 2
  assert "--to" in result.stderr
  assert list_versions(serving_dir) == [1, 2]


def test_importing_it_loads_no_heavy_module():
  code = (
    "import resource, sys\n"
    "import pipeline.cli.commands.rollback\n"
    "heavy = {'tensorflow', 'tfx', 'keras', 'numpy', 'apache_beam', 'ml_metadata'}\n"
    "print(sorted(heavy & set(sys.modules)), resource.getrusage(resource.RUSAGE_SELF).ru_utime)\n"
  )
  root = pathlib.Path(__file__).parents[5]
  ran = subprocess.run(
    [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
  )
  loaded, seconds = ran.stdout.rsplit(" ", 1)
  assert loaded == "[]"
  assert float(seconds) < 0.5
