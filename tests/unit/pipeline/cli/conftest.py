"""The command line in a process of its own, and what it imported there."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[4]
_HEAVY = (
  "apache_beam",
  "keras",
  "ml_metadata",
  "numpy",
  "pandas",
  "pyarrow",
  "tensorflow",
  "tensorflow_data_validation",
  "tensorflow_transform",
  "tfx",
)
# Exits as main does, and says on the last line of stdout which heavy modules it took.
_SCRIPT = f"""
import json, sys
from pipeline.cli.main import main
try:
  main(sys.argv[1:])
finally:
  print()
  print(json.dumps(sorted(set({_HEAVY!r}) & set(sys.modules))))
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finished:
  """A command that ended; `heavy` names the big libraries it imported."""

  code: int
  stdout: str
  stderr: str
  heavy: list[str]


@pytest.fixture(scope="session")
def command_in():
  """Returns a function from a folder to `dlpipe` run there, without the user's environment."""

  def command_of(folder):
    def run(*arguments, **environment) -> Finished:
      done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *map(str, arguments)],
        cwd=folder,
        env={
          **{k: v for k, v in os.environ.items() if not k.startswith(("DLPIPE_", "TF_CPP_"))},
          "PYTHONPATH": str(_ROOT),
          "XDG_CACHE_HOME": str(folder / "cache"),
          **environment,
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
      )
      assert done.stdout, done.stderr
      stdout, _, heavy = done.stdout.rstrip("\n").rpartition("\n")
      return Finished(
        code=done.returncode,
        stdout=stdout.strip(),
        stderr=done.stderr.strip(),
        heavy=json.loads(heavy),
      )

    return run

  return command_of


@pytest.fixture
def command(command_in, tmp_path):
  """Returns a function that runs `dlpipe` in `tmp_path`."""
  return command_in(tmp_path)
