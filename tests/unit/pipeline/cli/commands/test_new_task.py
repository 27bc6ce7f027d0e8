"""`dlpipe new-task`: what it writes is a task at once."""

import dataclasses
import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.behaviour.reading import read_suite
from pipeline.behaviour.suite import OnlyIf
from pipeline.cli.commands.new_task import _CLASSIFIERS, _KINDS, _PROBLEMS
from pipeline.tasks import get_task, task_names

_ROOT = pathlib.Path(__file__).resolve().parents[5]


@pytest.mark.parametrize("kind", _KINDS)
def test_what_is_written_is_a_task_with_its_own_settings_and_tests(command, tmp_path, kind):
  done = command("new-task", "my_own", "--like", kind)
  assert done.code == 0, done.stderr
  folder = tmp_path / "tasks" / "my_own"
  assert {path.name for path in folder.iterdir()} == {
    "task.py",
    "model.py",
    "params.py",
    "schema.pbtxt",
    "behaviour.yaml",
    "test_my_own.py",
  }
  assert f"export DLPIPE_TASKS={tmp_path / 'tasks'}" in done.stdout
  assert "dlpipe run my_own --tiny" in done.stdout
  tasks = {"DLPIPE_TASKS": str(tmp_path / "tasks")}
  listed = command("settings", "my_own", "model", **tasks)
  assert listed.code == 0, listed.stderr
  own = {"images": "blocks = 3", "sentiment": "units = 32", "translation": "source_noise = 0.05"}
  assert own[kind] in listed.stdout
  assert "the task does not say" not in listed.stdout
  tested = subprocess.run(
    [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
    cwd=_ROOT,
    env={**os.environ, **tasks, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )
  assert tested.returncode == 0, tested.stdout
  assert "3 passed" in tested.stdout


_ALL = [(kind, "classes") for kind in _KINDS if kind in _CLASSIFIERS]
_ALL += [(kind, problem) for kind in _CLASSIFIERS for problem in _PROBLEMS]


@pytest.mark.parametrize(("kind", "problem"), [*_ALL, ("translation", None)])
def test_what_is_written_keeps_to_the_house_style(command, tmp_path, kind, problem):
  asked = ("--problem", problem) if problem else ()
  assert command("new-task", "my_own", "--like", kind, *asked).code == 0
  for file in (tmp_path / "tasks" / "my_own").glob("*.py"):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\b(NAME|KIND|SUMMARY|FOLDER)\b", text)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("kind", _CLASSIFIERS)
@pytest.mark.parametrize("problem", _PROBLEMS)
def test_another_kind_of_answer_comes_with_its_schema_its_sample_and_its_separator(
  command, tmp_path, kind, problem
):
  done = command("new-task", "my_own", "--like", kind, "--problem", problem)
  assert done.code == 0, done.stderr
  folder = tmp_path / "tasks" / "my_own"
  assert {path.name for path in folder.iterdir()} == {
    *("task.py", "model.py", "params.py", "preprocessing.py", "source.py", "sample.py"),
    *("schema.pbtxt", "behaviour.yaml", "test_my_own.py"),
  }
  schema = text_format.Parse((folder / "schema.pbtxt").read_text("utf-8"), schema_pb2.Schema())
  [label] = [feature for feature in schema.feature if feature.name == "label"]
  assert label.HasField("shape") is (problem == "number")
  assert label.type == {"number": schema_pb2.FLOAT, "labels": schema_pb2.BYTES}[problem]
  environment = {"DLPIPE_TASKS": str(tmp_path / "tasks"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
  listed = command("settings", "my_own", "data", **environment)
  assert ("label_separator = |" in listed.stdout) is (problem == "labels")
  assert "the task does not say" not in listed.stdout
  tested = subprocess.run(
    [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
    cwd=_ROOT,
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )
  assert tested.returncode == 0, tested.stdout
  assert "3 passed" in tested.stdout
  rows = {"images": 300, "sentiment": 600}[kind]
  [table] = (tmp_path / "cache").rglob("*.csv")
  assert len(table.read_text("utf-8").splitlines()) == rows + 1


def test_every_shipped_task_is_one_to_be_like():
  shipped = {path.parent.name for path in (_ROOT / "pipeline" / "tasks").glob("*/task.py")}
  assert set(_KINDS) == shipped <= set(task_names())


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("My-Task", "--like", "images"), "NAME must be lower-case letters, digits and _"),
    (("images", "--like", "images"), "There is a task 'images' already."),
    (("taken", "--like", "images"), "taken' is there already. Choose another NAME or --into."),
    (("a", "--like", "imges"), "'imges' is not one of"),
    (("a", "--like", "images", "--into", "file"), "Cannot write to"),
    (("a", "--like", "images", "--into", "gs://b"), "--into takes a path on this machine"),
    (("a",), "Missing option '--like'"),
    (("a", "--like", "translation", "--problem", "number"), "answers with a text; leave --problem"),
    (("a", "--like", "images", "--problem", "text"), "'text' is not one of"),
  ],
)
def test_what_cannot_be_written_is_bad_input(command, tmp_path, arguments, message):
  (tmp_path / "file").touch()
  (tmp_path / "tasks" / "taken").mkdir(parents=True)
  done = command("new-task", *arguments)
  assert done.code == 2
  assert message in done.stderr
  assert "Traceback" not in done.stderr
  assert list((tmp_path / "tasks" / "taken").iterdir()) == []


def test_it_goes_where_dlpipe_tasks_says(command, tmp_path):
  (tmp_path / "here").mkdir()
  done = command("new-task", "my_own", "--like", "images", DLPIPE_TASKS=str(tmp_path / "here"))
  assert done.code == 0, done.stderr
  assert (tmp_path / "here" / "my_own" / "task.py").is_file()
  assert "export" not in done.stdout


@pytest.mark.parametrize(("kind", "problem"), [*_ALL, ("translation", None)])
def test_its_tests_of_behaviour_fit_its_answers_and_no_language(command, tmp_path, kind, problem):
  asked = ("--problem", problem) if problem else ()
  assert command("new-task", "my_own", "--like", kind, *asked).code == 0
  tests = _read(tmp_path / "tasks" / "my_own" / "behaviour.yaml", kind, problem)
  assert tests
  assert all(test.optional and test.only_if == OnlyIf() for test in tests)


def _read(path, kind, problem):
  """Reads the file as for a task of such inputs and answers, which is not loaded here."""
  task = get_task(kind)
  if problem in _PROBLEMS:
    task = dataclasses.replace(
      task, problem=importlib.import_module(f"pipeline.problems.{problem}").PROBLEM, gates=()
    )
  return read_suite(path, task).tests
