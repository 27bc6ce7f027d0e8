"""Loads a task; reports a fault in one sentence with file and line.

Functions that a task names by dotted path are looked up in the source text, not imported, so a
misspelt name is reported before the data is read. Imports no framework.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import importlib
import importlib.util
import os
import pathlib
import re
import traceback
from collections.abc import Iterable

from dlpipe.errors import BadInputError
from dlpipe.own_names import explain
from pipeline.problem import Problem
from pipeline.task import Input, MetricGate, Phase, Source, Task

_RECORDS = {record.__name__: record for record in (Task, Problem, Input, Source, MetricGate, Phase)}
# Former fields of a task that the class of settings replaced.
_IN_PARAMS = (
  "hyperparameters",
  "settings",
  "decoding",
  "tiny",
  "lifted_epochs",
  "unread",
  "preprocessing_hyperparameters",
)
# Former fields of a task that `Problem` replaced.
_IN_PROBLEM = (
  "label_id_key",
  "vocabulary",
  "compile_args",
  "serving_outputs",
  "metrics",
  "prediction_key",
  "compares_raw_label",
  "monitor",
)
_UNKNOWN_FIELD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
_MISSING_FIELDS = re.compile(
  r"(\w+)\.__init__\(\) missing \d+ required keyword-only arguments?: (.*)"
)


def load_task(name: str, folder: pathlib.Path) -> Task:
  """Imports `pipeline.tasks.<name>.task` and returns its `TASK`.

  Args:
    name: name of the folder.
    folder: folder of the task's modules.

  Raises:
    BadInputError: the module cannot be imported, has no valid `TASK`, or names functions that do
      not exist.
  """
  file = folder / "task.py"
  try:
    module = importlib.import_module(f"pipeline.tasks.{name}.task")
  except Exception as err:
    raise BadInputError(
      f"The task {name} cannot be used: {_place(err, folder, file)}: {_what(err)}"
    ) from err
  task = getattr(module, "TASK", None)
  if not isinstance(task, Task):
    found = "Found none." if task is None else f"Received: a {type(task).__name__}."
    raise BadInputError(
      f"The task {name} cannot be used: {_shown(file)} must define TASK = Task(...). {found}"
    )
  if task.name != name:
    raise BadInputError(
      f"The task {name} cannot be used: {_shown(file)} says name={task.name!r}, and its folder is "
      f"called {name!r}. Both must be the same."
    )
  for field, path in task.dotted_paths().items():
    fault = _fault_of_path(path, folder)
    if fault:
      raise BadInputError(
        f"The task {name} cannot be used: {_shown(file)}: {field}={path!r}: {fault}"
      )
  return task


def _place(err: Exception, folder: pathlib.Path, file: pathlib.Path) -> str:
  """Returns file and line: of a syntax error, else of the last frame in the task's folder."""
  if isinstance(err, SyntaxError) and err.filename:
    return f"{_shown(pathlib.Path(err.filename))}, line {err.lineno}"
  frames = traceback.extract_tb(err.__traceback__)
  own = [f for f in frames if pathlib.Path(f.filename).resolve().is_relative_to(folder.resolve())]
  if not own:
    return _shown(file)
  return f"{_shown(pathlib.Path(own[-1].filename))}, line {own[-1].lineno}"


def _what(err: Exception) -> str:
  """Returns the error in a sentence."""
  if isinstance(err, BadInputError):
    return str(err)
  text = str(err)
  if isinstance(err, SyntaxError):
    return f"{err.msg}: {(err.text or '').strip()}" if err.text else str(err.msg)
  if unknown := _UNKNOWN_FIELD.match(text):
    record, field = unknown.groups()
    if record == "Task" and field in _IN_PARAMS:
      return (
        f"Task has no field {field!r}. A model's settings are a class, `class MyParams(Params): "
        "units: int = 32`, which the task names: params=MyParams. See pipeline/params.py"
      )
    if record == "Task" and field in _IN_PROBLEM:
      return (
        f"Task has no field {field!r}. It belongs to the kind of answer: "
        f"problem=PROBLEM.but({field}=...). See pipeline/problem.py"
      )
    if record == "Task" and field == "infer_hyperparameters":
      return "Task has no field 'infer_hyperparameters'. It is called infer, and returns params"
    fields = (
      [each.name for each in dataclasses.fields(_RECORDS[record])] if record in _RECORDS else []
    )
    return f"{record} has no field {field!r}.{_nearest(field, fields)}"
  if missing := _MISSING_FIELDS.match(text):
    return f"{missing[1]} needs {missing[2]}, too."
  if isinstance(err, ImportError) and (hidden := explain(err)):
    return hidden
  # A message of pydantic ends with a link to its manual.
  text = " ".join(text.split("\n\n")[0].split())
  return f"{type(err).__name__}: {text}" if text else type(err).__name__


def _fault_of_path(path: str, folder: pathlib.Path) -> str | None:
  """Returns the fault of a function's dotted path; None if the source text shows no fault."""
  module, _, function = path.rpartition(".")
  try:
    spec = importlib.util.find_spec(module)
  except ModuleNotFoundError:
    spec = None
  if spec is None:
    return f"there is no module {module}.{_nearest_module(module, folder)}"
  if spec.origin is None or not spec.origin.endswith(".py"):
    return None
  source = pathlib.Path(spec.origin)
  try:
    tree = ast.parse(source.read_text(encoding="utf-8"))
  except SyntaxError as err:
    return f"{_shown(source)}, line {err.lineno}: {err.msg}"
  names = _defined(tree)
  if names is None or function in names:
    return None
  return f"{_shown(source)} has no {function}.{_nearest(function, names)}"


def _defined(tree: ast.Module) -> set[str] | None:
  """Returns the names at a module's top level; None if the text does not determine them."""
  found: set[str] = set()
  for node in tree.body:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
      found.add(node.name)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
      names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
      if "*" in names:
        return None
      found |= names
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
      targets = node.targets if isinstance(node, ast.Assign) else [node.target]
      found |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    elif not isinstance(node, ast.Expr):  # an `if` or a `try` may define any name
      return None
  return None if "__getattr__" in found else found


def _nearest_module(module: str, folder: pathlib.Path) -> str:
  stems = [path.stem for path in folder.glob("*.py")]
  return _nearest(module.rpartition(".")[2], stems)


def _nearest(name: str, among: Iterable[str]) -> str:
  close = difflib.get_close_matches(name, sorted(among), n=1)
  return f" Did you mean {close[0]!r}?" if close else ""


def _shown(path: pathlib.Path) -> str:
  """Returns the relative path if it is shorter than the absolute one."""
  relative = os.path.relpath(path)
  return str(path) if relative.startswith(os.pardir) else relative
