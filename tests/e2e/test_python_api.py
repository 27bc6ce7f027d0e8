"""The front door: a notebook, and the examples of every docstring, with nothing but `dlpipe`.

One process runs them in one workspace, as a person would: only the notebook's tiny run trains.
"""

from __future__ import annotations

import ast
import json
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_NOTEBOOK = _REPOSITORY / "docs" / "notebooks" / "first-run.ipynb"
_TIMEOUT_S = 1500

# Executes the cells in IPython's own shell, which both worlds have, and shows what a cell's last
# line comes to as a notebook does; then runs the examples.
_SCRIPT = r"""
import doctest, inspect, json, pathlib, shutil, sys

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

shell = InteractiveShell.instance()
shell.config.IPKernelApp = Config()  # by which Beam knows a notebook
shell.display_pub = CapturingDisplayPublisher()
notebook = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
shown = []
for cell in notebook["cells"]:
  if cell["cell_type"] == "code":
    done = shell.run_cell("".join(cell["source"]), store_history=True)
    done.raise_error()
    shown.append(shell.display_formatter.format(done.result)[0])

import dlpipe

for name, picture in zip(("a.png", "b.png"), shell.user_ns["pictures"]):
  shutil.copy(picture, name)
flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
finder = doctest.DocTestFinder(exclude_empty=True)
runner = doctest.DocTestRunner(optionflags=flags)
tried = {}
for name in dlpipe.__all__:
  value = getattr(dlpipe, name)
  if inspect.isclass(value) or inspect.isfunction(value):
    for test in finder.find(value, name, module=False, globs={"dlpipe": dlpipe}):
      tried[test.name] = runner.run(test)
pathlib.Path("shown.json").write_text(
  json.dumps({
    "cells": shown,
    "published": [sorted(each["data"]) for each in shell.display_pub.outputs],
    "tried": sorted(name for name, found in tried.items() if found.attempted),
    "failed": sorted(name for name, found in tried.items() if found.failed),
  })
)
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
  """What the notebook's cells showed, and which examples were tried and failed."""
  folder = tmp_path_factory.mktemp("notebook")
  done = subprocess.run(
    [sys.executable, "-c", _SCRIPT, str(_NOTEBOOK)],
    cwd=folder,
    env={
      **{k: v for k, v in os.environ.items() if not k.startswith("DLPIPE_")},
      "PYTHONPATH": str(_REPOSITORY),
      "IPYTHONDIR": str(folder / "ipython"),
    },
    capture_output=True,
    text=True,
    timeout=_TIMEOUT_S,
    check=False,
  )
  assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
  return {**json.loads((folder / "shown.json").read_text()), "output": done}


def test_the_notebook_needs_nothing_but_dlpipe():
  notebook = json.loads(_NOTEBOOK.read_text(encoding="utf-8"))
  code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
  tree = ast.parse("\n".join("".join(cell["source"]) for cell in code))
  imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
  assert [ast.unparse(node) for node in imports] == ["import dlpipe"]
  assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.timeout(_TIMEOUT_S + 60)
def test_a_run_shows_its_report_in_a_frame_of_its_own(shown):
  checked, run = (cell["text/html"] for cell in shown["cells"] if "text/html" in cell)
  assert "of images: done" in checked
  assert "of images: pushed, version 1" in run
  for page in (checked, run):
    assert page.count("<iframe srcdoc=") == 1
    assert "<style" not in page  # of the report, it is escaped
    assert "&lt;style" in page


def test_the_notebook_comes_to_a_model_that_answers(shown):
  texts = [cell["text/plain"] for cell in shown["cells"] if "text/plain" in cell]
  assert any(text.startswith("('pushed', 1, 0.") for text in texts)
  assert any(text.startswith("{'error': ") for text in texts)
  assert texts[-1].count("<Run ") == 2
  assert "Pushed as version 1" in shown["output"].stdout
  assert shown["output"].stdout.count("is taken for") == 5


def test_nothing_is_said_beside(shown):
  """No framework's words; nor TensorFlow's complaints where it is taken apart after its modules."""
  assert shown["output"].stderr == ""


def test_no_script_is_put_into_the_page(shown):
  """Beam would load jQuery from the internet into a notebook that it meets."""
  assert shown["published"] == []


def test_the_examples_hold(shown):
  assert shown["failed"] == [], shown["output"].stdout[-4000:]
  wanted = {"run", "check", "compile", "load", "runs", "Run", "Model", "Model.predict"}
  wanted |= {"Model.explain"}
  wanted |= {"Gate", "Input", "Phase", "Record", "Rejected", "Source", "Task", "Ruling"}
  assert wanted <= set(shown["tried"])
