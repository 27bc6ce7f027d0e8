"""Runs dlpipe's own command line, for figures that a user would get."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
_REFUSED = 4  # exit code if a gate refuses; the model was evaluated


def dlpipe(
  command: str,
  task: str,
  *more: str,
  workspace: pathlib.Path,
  data: pathlib.Path | None = None,
  settings: Sequence[str] = (),
) -> dict[str, Any]:
  """Runs `dlpipe COMMAND TASK --json`; ends this process with its message if it fails.

  Args:
    command: the command.
    task: the task.
    *more: further arguments.
    workspace: of `--workspace`.
    data: of `--data`; None for the task's shipped data.
    settings: each `section.name=value`, of `--set`.

  Returns:
    The JSON that it prints last. A model that a gate refuses is no failure.
  """
  arguments = [command, task, "--json", "--workspace", str(workspace), *more]
  if data is not None:
    arguments += ["--data", str(data)]
  for setting in settings:
    arguments += ["--set", setting]
  done = subprocess.run(
    [sys.executable, "-m", "pipeline.cli.main", *arguments],
    cwd=_REPOSITORY,
    env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode not in (0, _REFUSED):
    said = done.stderr[-4000:]
    sys.exit(f"dlpipe {' '.join(arguments)} exited with {done.returncode}:\n{said}")
  found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
  return found
