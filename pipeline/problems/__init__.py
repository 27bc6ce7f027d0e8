"""The kinds of answers, one module each: a class, several labels, a number, a text.

The `Problem` of a module defines how a source reads an answer, the loss, the outputs of a served
model, the metrics, and what the report shows. `new-task --problem` names a kind by its module.
"""

from __future__ import annotations

import importlib
from types import ModuleType

_KINDS = ("classes", "labels", "number", "text")


def __getattr__(name: str) -> ModuleType:
  """Returns the module of a kind, as in `dlpipe.problems.classes`; loaded when it is asked for."""
  if name not in _KINDS:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  return importlib.import_module(f"{__name__}.{name}")
