"""Runs of the command line as a user starts it, in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
_TIMEOUT_S = 1800
_STREAMS = ("stdout", "stderr")


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
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, Finished]:
  """A workspace that nobody changes, after the one tiny run on the shipped digits.

  All processes of the tests share it: the first to ask makes it, and the others wait.
  """
  root = tmp_path_factory.getbasetemp()
  if "PYTEST_XDIST_WORKER" in os.environ:
    root = root.parent
  workspace, ended = root / "digits_run", root / "digits_run.json"
  with _alone(root / "digits_run.lock"):
    if not ended.exists():
      done = dlpipe("run", "images", "--tiny", "--workspace", workspace, "--json")
      ended.write_text(json.dumps(dataclasses.asdict(done)), encoding="utf-8")
  return workspace, Finished(**json.loads(ended.read_text(encoding="utf-8")))


@contextlib.contextmanager
def _alone(lock: pathlib.Path) -> Iterator[None]:
  with lock.open("w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


@pytest.fixture(scope="module")
def first_run(digits_run, tmp_path_factory) -> tuple[pathlib.Path, Finished]:
  """A file's own copy of the workspace of `digits_run`, and what the run said, of the copy."""
  original, done = digits_run
  workspace = tmp_path_factory.mktemp("copied") / "workspace"
  if original.exists():
    shutil.copytree(original, workspace, symlinks=True)
  said = {name: getattr(done, name).replace(str(original), str(workspace)) for name in _STREAMS}
  return workspace, dataclasses.replace(done, **said)


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
