"""Kinds of answers: classes, several labels at once, a number, a text; a module for each.

What a kind knows stands in its module, in one `Problem`: how a source reads an answer, what is
learnt, how the model answers, what is measured, and what a person is shown. `new-task --problem`
names a kind by its module.
"""

from __future__ import annotations

import importlib
from types import ModuleType

_KINDS = ("classes", "labels", "number", "text")


def __getattr__(name: str) -> ModuleType:
  """The module of a kind, as in `dlpipe.problems.classes`; loaded when it is asked for."""
  if name not in _KINDS:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  return importlib.import_module(f"{__name__}.{name}")
