"""dlpipe: from pictures, reviews or sentence pairs to a served Keras model.

    import dlpipe

    run = dlpipe.run("images", data="my_pictures/", train={"epochs": 3})
    run.state, run.metrics["accuracy"], run.verdicts, run.report

    model = dlpipe.load("images")
    model.predict(["a.jpg", "b.jpg"])

A public name is loaded at its first use, so importing this package loads no framework. The modules
of this package are the base that all others import: errors, records, progress, names of nodes.
"""

from __future__ import annotations

import importlib
from typing import Any

# Public name to its location, `module` or `module:name`. They are strings, because this package
# imports no package above it. `__init__.pyi` holds the same names for type checkers.
_PUBLIC = {
  "run": "pipeline.api.running:run",
  "check": "pipeline.api.running:check",
  "Run": "pipeline.api.run:Run",
  "runs": "pipeline.api.history:runs",
  "load": "pipeline.api.models:load",
  "Model": "pipeline.api.models:Model",
  "compile": "pipeline.api.compiling:compile",
  "watch": "pipeline.api.operations.watching:watch",
  "Task": "pipeline.task:Task",
  "Input": "pipeline.task:Input",
  "Source": "pipeline.task:Source",
  "Phase": "pipeline.task:Phase",
  "Gate": "pipeline.task:MetricGate",
  "Ruling": "dlpipe.verdicts:Ruling",
  "Record": "dlpipe.records:Record",
  "Rejected": "dlpipe.records:Rejected",
  "errors": "dlpipe.errors",
  "events": "pipeline.execution.events",
  "problems": "pipeline.problems",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
  if name not in _PUBLIC:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  module, _, attribute = _PUBLIC[name].partition(":")
  found: Any = importlib.import_module(module)
  if attribute:
    found = getattr(found, attribute)
  globals()[name] = found
  return found


def __dir__() -> list[str]:
  return sorted({*globals(), *_PUBLIC})
