"""Runs of the command line as a user starts it, in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_TIMEOUT_S = 1800


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
  """A command that ended."""

  code: int
  stdout: str
  stderr: str

  @property
  def result(self) -> dict[str, Any]:
    """The JSON object on the last line of stdout."""
    return json.loads(self.stdout.splitlines()[-1])

  def states(self) -> dict[str, str]:
    """Component id to state."""
    return {c["id"]: c["state"] for c in self.result["components"]}


def dlpipe(*arguments: str | os.PathLike[str], source: pathlib.Path = REPOSITORY) -> Finished:
  """Runs `dlpipe` from the sources in `source`."""
  done = subprocess.run(
    [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)],
    cwd=source,
    env={**os.environ, "PYTHONPATH": str(source)},
    capture_output=True,
    text=True,
    timeout=_TIMEOUT_S,
    check=False,
  )
  return Finished(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture(scope="session")
def run_dlpipe() -> Callable[..., Finished]:
  """The command line, as a function."""
  return dlpipe


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, Finished]:
  """A workspace after one tiny run on the shipped digits."""
  workspace = tmp_path_factory.mktemp("workspace")
  return workspace, dlpipe("run", "images", "--tiny", "--workspace", workspace, "--json")


@pytest.fixture(scope="session")
def write_digits() -> Callable[[pathlib.Path, Sequence[int]], pathlib.Path]:
  """Writes the digits into class folders, each under the label at its place in `labels`."""
  from PIL import Image
  from sklearn.datasets import load_digits

  def write(target: pathlib.Path, labels: Sequence[int]) -> pathlib.Path:
    images = load_digits().images
    for index, label in enumerate(labels):
      folder = target / str(label)
      folder.mkdir(parents=True, exist_ok=True)
      picture = Image.fromarray((images[index] * 255 / 16).astype("uint8"))
      picture.save(folder / f"{index:04d}.png")
    return target

  return write
