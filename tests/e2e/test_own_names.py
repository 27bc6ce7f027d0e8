"""Every command from a folder whose modules bear our names, as PYTHONPATH=. has it in IDEs."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.e2e

_MODULES = (
  "pipeline.py",
  *(f"{name}/__init__.py" for name in ("components", "data", "dlpipe", "schemas", "serving")),
)
_CRY = "a module of the user was imported"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """A user's project: modules that cry when they are imported, pictures of three colours."""
  root = tmp_path_factory.mktemp("project")
  for name in _MODULES:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(f"raise RuntimeError({_CRY!r})\n")
  random = np.random.default_rng(3)
  for channel, name in enumerate(("red", "green", "blue")):
    (root / "pictures" / name).mkdir(parents=True)
    for number in range(100):
      pixels = random.integers(0, 60, (16, 16, 3), "uint8")
      pixels[..., channel] += 150
      Image.fromarray(pixels).save(root / "pictures" / name / f"{number}.png")
  return root


@pytest.fixture(scope="module", params=[False, True], ids=["dlpipe", "python -m with PYTHONPATH=."])
def call(request, folder):
  """The command line as a user starts it there: a function from arguments to (code, output)."""
  environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DLPIPE_TASKS")}
  command = [str(pathlib.Path(sys.executable).with_name("dlpipe"))]
  if request.param:
    environment["PYTHONPATH"] = "."
    command = [sys.executable, "-m", "dlpipe"]
  environment["DLPIPE_WORKSPACE"] = str(folder / "workspace")

  def run(*arguments, command=command):
    done = subprocess.run(
      [*command, *arguments],
      cwd=folder,
      env=environment,
      capture_output=True,
      text=True,
      timeout=1200,
      check=False,
    )
    assert _CRY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    return done.returncode, done.stdout + done.stderr

  return run


@pytest.mark.parametrize(
  ("arguments", "code"),
  [
    *(((name, "--help"), 0) for name in ("check", "serve", "node", "worker", "join", "compile")),
    (("data", "list"), 0),
    (("settings", "images"), 0),
    (("new-task", "my_task", "--help"), 0),
    (("runs", "list", "images"), 0),
    (("status",), 0),
    (("predict", "sentiment", "--sample"), 2),
    (("rollback", "sentiment"), 2),
    (("serve", "sentiment"), 2),
    (("batch", "sentiment", "--input", "pictures", "--output", "labels.csv"), 2),
  ],
  ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_commands(call, arguments, code):
  assert call(*arguments)[0] == code


def test_doctor(call):
  assert call("doctor")[0] in (0, 1)


# The other way in runs all of the pipeline, below.
@pytest.mark.parametrize("call", [False], indirect=True)
def test_check(call):
  code, said = call("check", "images", "--data", "pictures")
  assert (code, "300" in said) == (0, True)


def test_the_model_server_started_by_its_module(call):
  code, said = call("--version", command=[sys.executable, "-m", "serving"])
  assert (code, said.startswith("TensorFlow ModelServer: dlpipe")) == (0, True)


# The console script has no folder of the user on its path, and is no worse off.
@pytest.mark.parametrize("call", [True], indirect=True)
def test_a_run_and_what_follows(call):
  code, said = call("run", "images", "--data", "pictures", "--tiny")
  assert code == 0, said[-3000:]
  assert "Pushed as version 1" in said
  assert call("predict", "images", "pictures/red/1.png")[0] == 0
  assert call("batch", "images", "--input", "pictures", "--output", "labels.csv")[0] == 0
  assert call("compile", "images", "--for", "ir", "-o", "images.json")[0] == 0
