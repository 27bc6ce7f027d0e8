"""The bounds of the house: how many files a folder holds, how long they are, how wide a task is."""

import ast
import dataclasses
import pathlib

import pytest

from pipeline.task import Task

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PACKAGES = ("components", "data", "dlpipe", "pipeline", "serving")
_MOST_FILES, _MOST_LINES = 15, 400
# Folders that hold more, and why.
_WIDER: dict[str, str] = {}
# What gives files and folders their names itself, and why; every other record is written by
# `write_whole`.
_RENAMES = {
  "components/serving_gate/scratch.py": "a folder",
  "components/spans/kept.py": "a folder",
  "components/versioned_pusher/candidates.py": "folders, and a record that lies beside its own",
  "components/versioned_pusher/version_folders.py": "folders, and the mark of their numbers",
  "dlpipe/disk/whole_files.py": "it is the one",
  "dlpipe/remote/copying.py": "a folder",
  "pipeline/batch/outputs.py": "tables, which are joined first",
  "pipeline/batch/predict.py": "tables, which are no text",
  "pipeline/orchestrators/kubeflow/run_notes.py": "a folder",
  "pipeline/runs/retention/cleaning.py": "moves away what is deleted",
  "pipeline/training/callbacks.py": "weights, which are written as a stream",
}


def _modules() -> list[pathlib.Path]:
  return [
    path.relative_to(_ROOT)
    for package in _PACKAGES
    for path in sorted((_ROOT / package).rglob("*.py"))
    if "__pycache__" not in path.parts
  ]


def test_a_folder_can_be_taken_in_at_a_glance():
  held: dict[str, int] = {}
  for path in _modules():
    if path.name not in ("__init__.py", "__main__.py"):  # a door is no thought of its own
      held[str(path.parent)] = held.get(str(path.parent), 0) + 1
  assert {folder: n for folder, n in held.items() if n > _MOST_FILES and folder not in _WIDER} == {}


def test_a_file_can_be_read_in_one_sitting():
  lines = {str(path): len((_ROOT / path).read_text("utf-8").splitlines()) for path in _modules()}
  assert {path: n for path, n in lines.items() if n > _MOST_LINES} == {}


def test_a_task_is_described_in_22_fields():
  assert len(dataclasses.fields(Task)) <= 22


@pytest.mark.parametrize("package", _PACKAGES)
def test_every_folder_of_code_says_what_it_is_for(package):
  bare = [
    str(path)
    for path in _modules()
    if path.parts[0] == package
    and path.name == "__init__.py"
    and not (_ROOT / path).read_text("utf-8").startswith('"""')
    and any(other.parent == path.parent and other != path for other in _modules())
  ]
  assert bare == []


def test_records_are_written_by_one_function():
  found = {
    str(path)
    for path in _modules()
    if path.parts[0] in ("components", "dlpipe", "pipeline")
    for call in ast.walk(ast.parse((_ROOT / path).read_text("utf-8")))
    if isinstance(call, ast.Call) and _renames(call)
  }
  assert found == set(_RENAMES)


def _renames(call: ast.Call) -> bool:
  """Whether it is `os.replace`, `os.rename`, `path.rename` or `path.replace` with a path alone."""
  if not isinstance(call.func, ast.Attribute) or call.keywords:
    return False
  on_os = isinstance(call.func.value, ast.Name) and call.func.value.id == "os"
  return (call.func.attr, len(call.args)) in (
    {("replace", 2), ("rename", 2)} if on_os else {("replace", 1), ("rename", 1)}
  )


def test_docstrings_of_functions_begin_with_a_verb_and_of_properties_with_what_they_are():
  nouns = {"The", "A", "An", "Whether", "How", "What", "Why", "Every", "Each"}
  verbs = {"Returns", "Returns,", "Describes", "Says", "Maps", "Names"}
  found = []
  for path in _modules():
    for each in ast.walk(ast.parse((_ROOT / path).read_text("utf-8"))):
      if not isinstance(each, ast.FunctionDef) or not (said := ast.get_docstring(each)):
        continue
      by = [ast.unparse(decorator) for decorator in each.decorator_list]
      wrong = verbs if any(name.endswith("property") for name in by) else nouns
      is_help = any(name.startswith("click.group") for name in by)  # a screen's title
      if said.split()[0] in wrong and not is_help:
        found.append(f"{path}:{each.lineno} {each.name}")
  assert found == []
