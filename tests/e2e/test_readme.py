"""README.md: its shell blocks run as they stand there, in a copy of the repository."""

from __future__ import annotations

import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.e2e

_REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_FOLDERS = (
  "components",
  "constraints",
  "data",
  "dlpipe",
  "docs",
  "pipeline",
  "schemas",
  "scripts",
  "serving",
)
_FILES = ("Makefile", "README.md", "pyproject.toml", "setup.py")
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The lines that are left out here, by what they begin with, and where they are tried.
# tests/unit/docs/test_commands.py holds every one of them to the command line.
_ELSEWHERE = {
  "make ": "installs: every job of the CI does it",
  "dlpipe run translation": "minutes: tests/e2e/test_translation.py",
  "dlpipe serve": "serves until it is stopped: tests/contract/serving/api",
  "dlpipe run images --data my_pictures/ --set model.backbone": "needs a file of weights",
  "dlpipe run images --data my_pictures/ --set train.epochs": "minutes: tests/component/settings",
  "dlpipe run images --data my_pictures/ --set tune": "minutes: tests/e2e/test_images.py",
  "dlpipe run images --data 'inbox/": "needs a folder a day: tests/component/test_spans.py",
  "dlpipe rollback": "needs a second version: tests/e2e/test_images.py",
  "dlpipe watch": "needs logged requests: tests/unit/pipeline/cli/operations",
  "dlpipe replay": "needs a candidate, too: tests/unit/pipeline/cli/operations",
  "dlpipe run images --processes": "minutes: tests/e2e/orchestration",
  "dlpipe run sentiment --data reviews.csv --beam flink": "needs Flink's job server",
  "dlpipe runs why RUN": "RUN stands for a run: tests/unit/pipeline/cli/commands/test_runs.py",
}


@pytest.fixture
def clone(tmp_path):
  """A copy of the repository with this environment as its .venv, and small data beside it."""
  for name in _FOLDERS:
    shutil.copytree(_REPOSITORY / name, tmp_path / name)
  for name in _FILES:
    shutil.copy(_REPOSITORY / name, tmp_path / name)
  (tmp_path / ".venv").symlink_to(sys.prefix)
  _write_data(tmp_path)
  return tmp_path


def _write_data(root: pathlib.Path) -> None:
  from PIL import Image

  # So easy that no gate is in question: what is tried here are the commands.
  random = np.random.default_rng(1)
  for channel, name in enumerate(("red", "green", "blue")):
    (root / "my_pictures" / name).mkdir(parents=True)
    for number in range(200):
      pixels = random.integers(0, 60, (16, 16, 3), "uint8")
      pixels[..., channel] += 150
      Image.fromarray(pixels).save(root / "my_pictures" / name / f"{number}.png")
  words = {"good": "kind warm funny bright", "bad": "dull cold slow empty"}
  rows = [
    (f"A {first} and {second} film, number {number}.", label)
    for label, some in words.items()
    for number, (first, second) in enumerate((a, b) for a in some.split() for b in some.split() * 4)
  ]
  for name, columns in (
    ("reviews.csv", ["text", "label"]),
    ("more.csv", ["text"]),
  ):
    with (root / name).open("w", encoding="utf-8", newline="") as file:
      writer = csv.writer(file)
      writer.writerows([columns, *[row[: len(columns)] for row in rows]])
  page = (root / "docs" / "kubeflow.md").read_text(encoding="utf-8")
  [settings] = re.findall(r"```yaml\n *# kubeflow.yaml\n(.*?)```", page, re.DOTALL)
  (root / "kubeflow.yaml").write_text(settings)
  (root / "dags").mkdir()


@pytest.mark.timeout(1600)
def test_the_blocks_run_as_they_stand(clone):
  lines = [
    line
    for block in _BLOCK.findall((clone / "README.md").read_text(encoding="utf-8"))
    for line in block.splitlines()
  ]
  left_out = {start: [line for line in lines if line.startswith(start)] for start in _ELSEWHERE}
  assert [start for start, found in left_out.items() if not found] == []
  skipped = {line for found in left_out.values() for line in found}
  script = "\n".join(line for line in lines if line not in skipped)
  assert script.count("dlpipe ") > 12
  environment = {k: v for k, v in os.environ.items() if not k.startswith("DLPIPE_")}
  # Nothing but what the system has: the script itself must find `dlpipe`.
  environment |= {
    "PATH": os.defpath,
    "PYTHONPATH": str(clone),
    "HOME": str(clone),
    "XDG_CACHE_HOME": str(clone / "cache"),
  }
  done = subprocess.run(
    ["/bin/sh", "-ex"],
    input=script,
    cwd=clone,
    env=environment,
    capture_output=True,
    text=True,
    timeout=1500,
    check=False,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  assert "Pushed as version 1" in done.stdout
  assert "sentiment, version 1:" in done.stdout
  assert (clone / "labels.csv").read_text(encoding="utf-8").count("\n") == 129
  for name in ("dags/images.py", "images.yaml", "images.json", "tasks/my_images/model.py"):
    assert (clone / name).is_file()
