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
_PLAIN = [(kind, None) for kind in _KINDS]
_OTHERS = [(kind, problem) for kind in _CLASSIFIERS for problem in _PROBLEMS]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
  """What `new-task` wrote; `passed` are its tests that do."""

  name: str
  folder: pathlib.Path
  said: str
  cache: pathlib.Path
  passed: list[str]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
  return tmp_path_factory.mktemp("new")


@pytest.fixture(scope="module")
def written(command_in, place):
  """A task for each kind and problem. One process runs the tests of them all."""
  command, found = command_in(place), {}
  for kind, problem in (*_PLAIN, *_OTHERS):
    name = f"own_{kind[0]}{(problem or 'classes')[0]}"  # as long as `my_own`
    asked = ("--problem", problem) if problem else ()
    done = command("new-task", name, "--like", kind, *asked)
    assert done.code == 0, done.stderr
    found[kind, problem] = name, done.stdout
  tested = subprocess.run(
    [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", str(place / "tasks")],
    cwd=_ROOT,
    env={**os.environ, **_environment(place)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert tested.returncode == 0, tested.stdout
  return {
    key: Written(
      name=name,
      folder=place / "tasks" / name,
      said=said,
      cache=place / "cache" / "dlpipe" / name,
      passed=re.findall(rf"^PASSED \S*\b{name}/\S+", tested.stdout, re.MULTILINE),
    )
    for key, (name, said) in found.items()
  }


def _environment(place):
  return {"DLPIPE_TASKS": str(place / "tasks"), "XDG_CACHE_HOME": str(place / "cache")}


@pytest.fixture(scope="module")
def settings(command_in, place):
  """Returns a function that lists a section of a task's settings."""

  def listed(name, section):
    done = command_in(place)("settings", name, section, **_environment(place))
    assert done.code == 0, done.stderr
    assert "the task does not say" not in done.stdout
    return done.stdout

  return listed


@pytest.mark.parametrize("kind", _KINDS)
def test_what_is_written_is_a_task_with_its_own_settings_and_tests(written, place, settings, kind):
  task = written[kind, None]
  assert {path.name for path in task.folder.iterdir()} - {"__pycache__"} == {
    "task.py",
    "model.py",
    "params.py",
    "schema.pbtxt",
    "behaviour.yaml",
    f"test_{task.name}.py",
  }
  assert f"export DLPIPE_TASKS={place / 'tasks'}" in task.said
  assert f"dlpipe run {task.name} --tiny" in task.said
  own = {"images": "blocks = 3", "sentiment": "units = 32", "translation": "source_noise = 0.05"}
  assert own[kind] in settings(task.name, "model")
  assert len(task.passed) == 3


@pytest.mark.parametrize("kind", _CLASSIFIERS)
def test_classes_are_what_a_task_answers_with_if_nothing_is_said(command, written, tmp_path, kind):
  task = written[kind, None]
  assert command("new-task", task.name, "--like", kind, "--problem", "classes").code == 0
  said = tmp_path / "tasks" / task.name
  names = sorted(path.name for path in said.iterdir())
  assert names == sorted(path.name for path in task.folder.iterdir() if path.is_file())
  for name in names:
    assert (said / name).read_text("utf-8") == (task.folder / name).read_text("utf-8")


@pytest.mark.parametrize("key", [*_PLAIN, *_OTHERS])
def test_what_is_written_keeps_to_the_house_style(written, key):
  files = list(written[key].folder.glob("*.py"))
  assert len(files) >= 4
  for file in files:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\b(NAME|KIND|SUMMARY|FOLDER)\b", text)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(("kind", "problem"), _OTHERS)
def test_another_kind_of_answer_comes_with_its_schema_its_sample_and_its_separator(
  written, settings, kind, problem
):
  task = written[kind, problem]
  assert {path.name for path in task.folder.iterdir()} - {"__pycache__"} == {
    *("task.py", "model.py", "params.py", "preprocessing.py", "source.py", "sample.py"),
    *("schema.pbtxt", "behaviour.yaml", f"test_{task.name}.py"),
  }
  schema = text_format.Parse((task.folder / "schema.pbtxt").read_text("utf-8"), schema_pb2.Schema())
  [label] = [feature for feature in schema.feature if feature.name == "label"]
  assert label.HasField("shape") is (problem == "number")
  assert label.type == {"number": schema_pb2.FLOAT, "labels": schema_pb2.BYTES}[problem]
  assert ("label_separator = |" in settings(task.name, "data")) is (problem == "labels")
  assert len(task.passed) == 3
  rows = {"images": 300, "sentiment": 600}[kind]
  [table] = task.cache.rglob("*.csv")
  assert len(table.read_text("utf-8").splitlines()) == rows + 1


def test_every_shipped_task_is_one_to_be_like():
  shipped = {path.parent.name for path in (_ROOT / "pipeline" / "tasks").glob("*/task.py")}
  assert set(_KINDS) == shipped <= set(task_names())


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (("My-Task", "--like", "images"), "NAME must be lower-case letters, digits and _"),
    (("class", "--like", "images"), "NAME must be no word of Python's own, as 'class' is."),
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


@pytest.mark.parametrize(("kind", "problem"), [*_PLAIN, *_OTHERS])
def test_its_tests_of_behaviour_fit_its_answers_and_no_language(written, kind, problem):
  tests = _read(written[kind, problem].folder / "behaviour.yaml", kind, problem)
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
