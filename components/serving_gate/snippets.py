"""Executes the example requests that lie beside an export, as a user would, and reads the answers.

Each asks for the first recorded row and prints the answer as JSON: TensorFlow Serving's
`{"predictions": [...]}`, or output name to values by columns.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from components.serving_gate import example_files
from components.serving_gate.compare import PathResult, compare, failed

_COMMANDS = {
  example_files.CURL: ["sh"],
  example_files.REST: [sys.executable],
  example_files.GRPC: [sys.executable],
}
_SIGNATURE = "serving_default"
_TIMEOUT_S = 600.0  # importing TensorFlow on a busy machine takes its time
_LOCAL = "127.0.0.1,localhost"


class Snippets:
  """The examples of one export, running side by side; `with` starts them and leaves none.

  Attributes:
    skipped: sentences on those that cannot be executed on this machine.
  """

  def __init__(self, folder: pathlib.Path, *, rest_url: str, grpc_target: str):
    """Starts nothing yet.

    Args:
      folder: the one that contains them.
      rest_url: the server's REST address, `http://host:port`.
      grpc_target: its gRPC address, `host:port`.
    """
    self._folder = folder
    self._environment = {
      **os.environ,
      example_files.REST_ADDRESS: rest_url,
      example_files.GRPC_ADDRESS: grpc_target,
      "NO_PROXY": _LOCAL,
      "no_proxy": _LOCAL,
      # The pushed folder must be the one that was executed, without another file.
      "PYTHONDONTWRITEBYTECODE": "1",
      "PYTHONIOENCODING": "utf-8",
      "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    self._processes: dict[str, subprocess.Popen[bytes]] = {}
    self.skipped: tuple[str, ...] = ()

  def __enter__(self) -> Snippets:
    try:
      for name, command in _COMMANDS.items():
        if name == example_files.CURL and shutil.which("curl") is None:
          self.skipped = (f"{name} was not executed: this machine has no curl.",)
        elif (self._folder / name).is_file():
          self._processes[name] = subprocess.Popen(
            [*command, str(self._folder / name)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
          )
    except BaseException:
      self._kill()
      raise
    return self

  def __exit__(self, *exc_info: object) -> None:
    self._kill()

  def results(
    self, expected: Mapping[str, np.ndarray], *, tolerance: float
  ) -> Iterator[PathResult]:
    """Waits for each and compares its answer.

    Args:
      expected: output name to array `[1, ...]`, the answer to the first recorded row.
      tolerance: the largest difference of numbers that passes; of an output whose numbers are
        larger than 1, as a part of the largest.
    """
    for name in _COMMANDS:
      if name in self._processes:
        try:
          answer = read_answer(self._printed(name), expected)
        except (ValueError, subprocess.TimeoutExpired) as err:
          yield failed(name, _SIGNATURE, 1, f"fails: {err}")
          continue
        yield from compare(
          answer, expected, loader=name, signature=_SIGNATURE, batch=1, tolerance=tolerance
        )
      elif not (self._folder / name).is_file():
        yield failed(name, _SIGNATURE, 1, f"fails: the export has no {example_files.FOLDER}/{name}")

  def _printed(self, name: str) -> str:
    process = self._processes[name]
    out, err = process.communicate(timeout=_TIMEOUT_S)
    if process.returncode:
      raise ValueError(
        f"it ends with exit code {process.returncode}: {_last_line(err) or _last_line(out)}"
      )
    return out.decode("utf-8", "replace")

  def _kill(self) -> None:
    for process in self._processes.values():
      if process.poll() is None:
        process.kill()
      process.communicate()


def read_answer(printed: str, expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Maps output name to array `[1, ...]` of what an example printed.

  Args:
    printed: JSON.
    expected: the right answer; gives the one output's name where the answer has none, and tells
      strings from numbers.

  Raises:
    ValueError: it is no answer to one row.
  """
  try:
    document = json.loads(printed)
  except ValueError as err:
    raise ValueError(f"it prints no JSON: {printed[:200]!r}") from err
  if not isinstance(document, dict) or "error" in document:
    raise ValueError(f"it prints no answer: {printed[:200]!r}")
  if "predictions" in document:
    rows = document["predictions"]
    if not isinstance(rows, list) or len(rows) != 1:
      raise ValueError(f"it prints no answer to one row: {printed[:200]!r}")
    if not isinstance(rows[0], dict) or rows[0].keys() == {"b64"}:
      document = dict.fromkeys(expected, rows)
    else:
      document = {name: [value] for name, value in rows[0].items()}
  return {
    name: np.array(
      _decoded(value),
      object if name in expected and expected[name].dtype.kind in "SUO" else None,
    )
    for name, value in document.items()
  }


def _decoded(value: Any) -> Any:
  if isinstance(value, list):
    return [_decoded(item) for item in value]
  if isinstance(value, dict) and value.keys() == {"b64"}:
    return base64.b64decode(value["b64"])
  return value


def _last_line(output: bytes) -> str:
  lines = output.decode("utf-8", "replace").strip().splitlines()
  return lines[-1].strip() if lines else ""
