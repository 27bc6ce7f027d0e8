"""The front door: what it offers, how light it is, and that its types are the code's."""

from __future__ import annotations

import ast
import inspect
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import dlpipe
from pipeline.settings.known_settings import known_settings
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEAVY = ("apache_beam", "keras", "numpy", "pydantic", "tensorflow", "tfx")


def test_every_name_is_there_and_is_listed():
  assert set(dlpipe.__all__) <= set(dir(dlpipe))
  for name in dlpipe.__all__:
    assert getattr(dlpipe, name) is not None


def test_a_name_that_is_not_there_is_told_as_of_any_module():
  with pytest.raises(AttributeError, match="module 'dlpipe' has no attribute 'trian'"):
    _ = dlpipe.trian


def test_a_kind_of_problem_is_found_by_its_name():
  assert dlpipe.problems.number.PROBLEM.name == "number"
  with pytest.raises(AttributeError, match="has no attribute 'colour'"):
    _ = dlpipe.problems.colour


def test_every_public_function_and_class_says_what_it_is():
  for name in dlpipe.__all__:
    assert inspect.getdoc(getattr(dlpipe, name)), name


def _imported(statements: str) -> dict[str, list[str]]:
  """What a new interpreter has imported after the statements."""
  script = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
  done = subprocess.run(
    [sys.executable, "-c", script],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  return json.loads(done.stdout)


def test_importing_loads_next_to_nothing():
  own = set(_imported("import dlpipe")) - set(_imported("import importlib, typing"))
  assert own == {"dlpipe"}


def test_what_describes_a_task_loads_no_framework():
  names = "Task, Input, Source, Phase, Gate, Ruling, Record, Rejected, errors, events"
  assert not set(_HEAVY[:3]) & set(_imported(f"from dlpipe import {names}"))


def test_functions_are_found_without_loading_a_framework():
  frameworks = set(_HEAVY) - {"pydantic"}
  assert not frameworks & set(_imported("from dlpipe import run, check, load, runs, compile"))


def test_the_types_are_those_of_the_code(tmp_path):
  """A checker reads `__init__.pyi`; the interpreter runs what it stands for."""
  # `load` makes models; Python 3.13 gives every dataclass a `__replace__`, which mypy knows itself.
  (tmp_path / "allowed.txt").write_text("dlpipe.Model.__init__\ndlpipe\\..*\\.__replace__\n")
  done = _mypy(
    "mypy.stubtest",
    "dlpipe",
    "--mypy-config-file=pyproject.toml",
    f"--allowlist={tmp_path / 'allowed.txt'}",
    "--ignore-unused-allowlist",
    "--concise",
    cwd=_ROOT,
  )
  assert done.returncode == 0, done.stdout


def test_a_users_script_is_checked(tmp_path):
  (tmp_path / "script.py").write_text(
    """import pathlib

import dlpipe


def told(event: dlpipe.events.Event) -> None:
  if isinstance(event, dlpipe.events.Progress):
    print(event.message)


run = dlpipe.run("images", data=pathlib.Path("pictures"), train={"epochs": 3}, progress=told)
accuracy: float = run.metrics["accuracy"]
reasons: list[str] = [verdict.reason for verdict in run.verdicts if not verdict.passed]
with dlpipe.load(run.task, version=run.version) as model:
  label: str = model.predict(["a.jpg"])[0]["label"]
gate = dlpipe.Gate(metric="accuracy", bound=0.9, reason="worse cannot be used")
try:
  page: pathlib.Path = dlpipe.compile("images", target="kubeflow")
except dlpipe.errors.BadInputError as err:
  print(err.exit_code)

dlpipe.check("images", dta="pictures")
dlpipe.compile("images", target="kubflow")
run.metric
dlpipe.load("images").predict("a.jpg", 3)
gate.bound = "0.9"
""",
    encoding="utf-8",
  )
  done = _mypy("mypy", "--strict", "--follow-imports=silent", "script.py", cwd=tmp_path)
  found = re.findall(r"^script\.py:(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
  assert found == [
    ("22", "arg-type"),
    ("23", "arg-type"),
    ("24", "attr-defined"),
    ("25", "call-arg"),
    ("26", "misc"),
    ("26", "assignment"),
  ], done.stdout


def _pages() -> list[str]:
  """The blocks of Python in the pages about the front door."""
  pages = (_ROOT / "README.md", _ROOT / "docs" / "python-api.md")
  return [
    block
    for page in pages
    for block in re.findall(
      r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
  ]


def test_the_code_of_the_pages_is_checked(tmp_path):
  for number, block in enumerate(_pages()):
    (tmp_path / f"block{number}.py").write_text(block, encoding="utf-8")
  assert number >= 4
  files = [f"block{each}.py" for each in range(number + 1)]
  done = _mypy("mypy", "--strict", "--follow-imports=silent", *files, cwd=tmp_path)
  assert done.returncode == 0, done.stdout


def test_the_settings_of_the_pages_exist():
  found = [
    keyword
    for block in _pages()
    for call in ast.walk(ast.parse(block))
    if isinstance(call, ast.Call) and ast.unparse(call.func) in ("dlpipe.run", "dlpipe.check")
    for keyword in _settings_of(call)
  ]
  assert len(found) >= 5
  for task, key, value in found:
    assert key in {each.key for each in known_settings(get_task(task))}, key
    make_config(get_task(task), data_path="d", workspace="w", values={key: value})


def _settings_of(call: ast.Call) -> Iterator[tuple[str, str, object]]:
  """Task, full name and value of each setting in a call."""
  task = ast.literal_eval(call.args[0])
  for keyword in call.keywords:
    if isinstance(keyword.value, ast.Dict):
      prefix = "" if keyword.arg == "settings" else f"{keyword.arg}."
      for name, value in ast.literal_eval(keyword.value).items():
        yield task, f"{prefix}{name}", value


def test_every_name_has_its_row_in_the_page():
  page = (_ROOT / "docs" / "python-api.md").read_text("utf-8")
  rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
  named = {name for row in rows for name in re.findall(r"`(\w+)(?:\(.*?\))?`", row)}
  assert set(dlpipe.__all__) <= named


def _mypy(module: str, *arguments: str, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
  return subprocess.run(
    [sys.executable, "-m", module, *arguments],
    cwd=cwd,
    env={**os.environ, "MYPYPATH": str(_ROOT), "MYPY_CACHE_DIR": str(cwd / ".mypy_cache")},
    capture_output=True,
    text=True,
    timeout=300,
    check=False,
  )


def test_python_m_dlpipe_is_the_command_line():
  done = subprocess.run(
    [sys.executable, "-m", "dlpipe", "run", "imagse"],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )
  assert done.returncode == 2
  assert done.stderr.startswith("Error: Unknown task 'imagse'. Did you mean 'images'?")
