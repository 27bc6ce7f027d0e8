"""The models of one task in the order in which they were made, and which of them are blessed.

One JSON file, replaced as a whole: `[{"uri": ..., "blessed": true}, ...]`, the oldest first. A
model is known by its URI: artifacts are never written twice. Imports the standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import BadInputError, DlpipeError

# Stands for no model: a node that looked for one and found none has an output all the same.
NO_MODEL_FILE = "NO_MODEL"


def previous_blessed(path: str | os.PathLike[str], candidate: str) -> str | None:
  """Returns the latest blessed model that is older than the candidate.

  A candidate that is new is added, so that its age is known from then on, blessed or not.

  Args:
    path: the history's file; made if it is missing.
    candidate: URI of the model to compare.

  Returns:
    A model's URI, or None if there is no such model yet.

  Raises:
    DlpipeError: the file cannot be read or written.
  """
  with _opened(path) as models:
    position = next((i for i, m in enumerate(models) if m["uri"] == candidate), len(models))
    if position == len(models):
      models.append({"uri": candidate, "blessed": False})
    return next((m["uri"] for m in reversed(models[:position]) if m["blessed"]), None)


def record_blessing(path: str | os.PathLike[str], model: str, *, blessed: bool) -> None:
  """Records whether the Evaluator blessed a model.

  Raises:
    DlpipeError: the file cannot be read or written.
  """
  with _opened(path) as models:
    for entry in models:
      if entry["uri"] == model:
        entry["blessed"] = blessed
        return
    models.append({"uri": model, "blessed": blessed})


def read(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
  """Returns the models, the oldest first; none if there is no history.

  Raises:
    BadInputError: the file is damaged.
  """
  return _read(pathlib.Path(path))


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[list[dict[str, Any]]]:
  """Yields the history, written back if it changed; held for one process at a time."""
  file = pathlib.Path(path)
  try:
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{file}.lock", "a", encoding="utf-8") as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      models = _read(file)
      before = json.dumps(models)
      yield models
      if json.dumps(models) != before:
        write_whole(file, json.dumps(models, indent=2) + "\n")
  except OSError as err:
    raise DlpipeError(
      f"Cannot keep the history of models in {file}: {err.strerror or err}. Expected a folder on a "
      "mounted volume that may be written."
    ) from err


def _read(file: pathlib.Path) -> list[dict[str, Any]]:
  if not file.exists():
    return []
  try:
    models = json.loads(file.read_text(encoding="utf-8"))
    if all(isinstance(m["uri"], str) and isinstance(m["blessed"], bool) for m in models):
      return models
  except (ValueError, TypeError, KeyError):
    pass
  raise BadInputError(
    f'Expected a list of {{"uri": ..., "blessed": true or false}} in {file}. Mend it, or delete '
    "it: the next model is then compared with none."
  )
