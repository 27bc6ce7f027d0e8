"""Every path below a task's folder is spelled once."""

import ast
import doctest
import os
import pathlib

import pytest

from dlpipe import workspace
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder, Workspace, default_workspace

_REPOSITORY = pathlib.Path(__file__).parents[3]
_FOLDER = TaskFolder(pathlib.Path("/w/images"))
# What is elsewhere called the same.
_OTHERS = {
  ("dlpipe/own_names.py", "serving"),
  ("pipeline/batch/outputs.py", ".lock"),
  ("pipeline/beam/job_server.py", "artifacts"),
}


def _paths():
  """Every path that a task's folder knows."""
  of_kind = [getattr(_FOLDER, name) for name, what in vars(TaskFolder).items() if _is_path(what)]
  methods = (
    *(_FOLDER.run_file, _FOLDER.report, _FOLDER.log, _FOLDER.quarantine),
    *(_FOLDER.compiled, _FOLDER.notes),
  )
  return [*of_kind, *(method("r1") for method in (*methods, _FOLDER.reproduction))]


def _is_path(what):
  return isinstance(what, property) and what.fget.__annotations__["return"] == "pathlib.Path"


def _joined(source):
  """The texts that are joined to a path."""
  for node in ast.walk(ast.parse(source)):
    parts = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
      parts = [node.right]
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("join", "joinpath"):
      parts = node.args
    for part in parts:
      if isinstance(part, ast.Constant) and isinstance(part.value, str):
        yield part.value


def test_the_places_of_a_task():
  assert [str(path.relative_to(_FOLDER.root)) for path in sorted(_paths())] == [
    ".cleaning",
    ".lock",
    "artifacts",
    "checkpoints",
    "checks",
    "compiled/r1.json",
    "copies",
    "drift.json",
    "logs/r1.log",
    "metadata.db",
    "models.config",
    "models.json",
    "node_memory.json",
    "notes/r1",
    "quarantine/r1",
    "replays",
    "reports/r1.html",
    "reproduced/r1",
    "requests",
    "runs",
    "runs/r1.json",
    "serving",
    "spans",
    "stages.json",
    "trials",
    "watch.html",
  ]
  assert TaskFolder.of_serving(str(_FOLDER.serving)) == _FOLDER
  assert workspace.running(_FOLDER.artifacts) == _FOLDER.artifacts / ".running"


def test_no_path_of_a_workspace_is_spelled_elsewhere():
  names = {path.relative_to(_FOLDER.root).parts[0] for path in _paths()}
  found = {
    (path.relative_to(_REPOSITORY).as_posix(), text)
    for room in ("components", "dlpipe", "pipeline")
    for path in (_REPOSITORY / room).rglob("*.py")
    if path != pathlib.Path(workspace.__file__)
    for text in _joined(path.read_text(encoding="utf-8"))
    if text in names
  }
  assert found == _OTHERS


def test_a_task_is_in_a_workspace_once_something_ran_or_is_served(tmp_path):
  here = Workspace.of(tmp_path)
  assert Workspace.of(tmp_path / "absent").tasks() == []
  for name, sign in (("b", "serving"), ("a", "metadata.db"), ("c", "runs"), ("d", "checks")):
    (tmp_path / name / sign).mkdir(parents=True)
  (tmp_path / "file").touch()
  assert [folder.task for folder in here.tasks()] == ["a", "b", "c"]


def test_a_command_to_copy_names_only_a_workspace_that_is_not_the_default(tmp_path, monkeypatch):
  monkeypatch.setenv("DLPIPE_WORKSPACE", str(tmp_path))
  assert Workspace.of(None) == Workspace.of(tmp_path)
  assert Workspace.of(tmp_path).option == ""
  assert Workspace.of(tmp_path / "my runs").option == f" --workspace '{tmp_path}/my runs'"


def test_the_workspace_comes_from_the_environment_where_it_says_one():
  assert default_workspace({}) == "workspace"
  assert default_workspace({"DLPIPE_WORKSPACE": ""}) == "workspace"
  assert default_workspace({"DLPIPE_WORKSPACE": "/there"}) == "/there"
  assert default_workspace({"DLPIPE_WORKSPACE": "~/ws"}) == os.path.expanduser("~/ws")


def test_a_home_folder_may_be_written_as_shells_have_it():
  assert str(Workspace.of("~/runs").path) == os.path.expanduser("~/runs")


def test_a_bucket_is_no_workspace(monkeypatch):
  monkeypatch.setenv("DLPIPE_WORKSPACE", "gs://bucket/runs")
  with pytest.raises(BadInputError, match="DLPIPE_WORKSPACE takes a path on this machine"):
    Workspace.of(None)


def test_the_examples_hold():
  assert doctest.testmod(workspace).attempted == 3
  assert doctest.testmod(workspace).failed == 0
