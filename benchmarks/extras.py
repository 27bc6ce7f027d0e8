"""Measures which part of a run's CPU goes into looking at data and model rather than making it.

    python -m benchmarks.extras TASK [options of dlpipe run]

Runs `dlpipe run` in a fork of this process, whose nodes are forks of it, and adds up the CPU
seconds of the functions in `_PARTS`, each without those that it calls for another part.
What a larger graph and further columns cost elsewhere (saving, loading, serving, metrics over sets)
is not in them.
Prints a JSON line: seconds by part and of everything, and the share of the parts. A run that is
ended goes on when it is started again, and its lines may be added up.
"""

from __future__ import annotations

import collections
import functools
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

# By part: where a function is looked up when it is called.
_PARTS = {
  "examples with a name": ["pipeline.rows.predictions.write"],
  "explanations": [
    "pipeline.training.export.explaining.explanation",
    "pipeline.training.export.signatures.ServingModule._traced",
    "pipeline.training.export.signatures.ServingModule.explain",
    "pipeline.rows.predictions._inputs",
  ],
  "sets and familiarity": ["pipeline.training.export.certain.fitted"],
  "behaviour": ["pipeline.behaviour.gate.judge"],
  "a cheap model": [
    "pipeline.suspects.cheap.of_classes",
    "pipeline.suspects.cheap.of_labels",
    "pipeline.suspects.cheap.of_number",
    "pipeline.suspects.cheap.of_text",
  ],
  "wrong labels": ["pipeline.runs.shown_rows._suspected"],
  "pages": ["pipeline.runs.record.shown_rows", "pipeline.execution.local.write_report"],
  "model card": ["pipeline.model_card.files"],
}


def main() -> None:
  """Prints a JSON line."""
  from pipeline.cli.main import cli

  with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as notes:
    for part, names in _PARTS.items():
      for name in names:
        _wrap(name, part, notes.name)
    child = os.fork()  # the command ends its process
    if not child:
      cli.main(["run", *sys.argv[1:]], prog_name="dlpipe", standalone_mode=False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what was spent until then is said
    _, status, usage = os.wait4(child, 0)
    seconds: collections.Counter[str] = collections.Counter()
    for line in notes:
      part, spent = json.loads(line)
      seconds[part] += spent
  # With all processes that the command waited for; the imports were this process's.
  total = usage.ru_utime + usage.ru_stime + time.process_time()
  shown = {part: round(seconds[part], 2) for part in _PARTS}
  share = sum(seconds[part] for part in _PARTS) / total
  code = os.waitstatus_to_exitcode(status)
  told = {"exit": code, "cpu_seconds": round(total, 1), **shown, "share": round(share, 4)}
  print(json.dumps(told))


_open: list[float] = []  # of the calls under way: CPU seconds of the noted calls inside


def _wrap(name: str, part: str, notes: str) -> None:
  """Replaces a function or method by one that notes its own CPU seconds in a file."""
  module, _, attribute = name.rpartition(".")
  try:
    owner: Any = importlib.import_module(module)
  except ModuleNotFoundError:
    module, _, kind = module.rpartition(".")
    owner = getattr(importlib.import_module(module), kind)
  function: Callable[..., Any] = getattr(owner, attribute)

  @functools.wraps(function)
  def noting(*args: Any, **named: Any) -> Any:
    _open.append(0.0)
    started = time.process_time()
    try:
      return function(*args, **named)
    finally:
      spent = time.process_time() - started
      inside = _open.pop()
      if _open:
        _open[-1] += spent
      line = json.dumps([part, spent - inside]) + "\n"
      descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND)
      os.write(descriptor, line.encode())
      os.close(descriptor)

  setattr(owner, attribute, noting)


if __name__ == "__main__":
  main()
