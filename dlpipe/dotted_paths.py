"""Loads functions by dotted path, for components, Beam workers and the pipeline."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from dlpipe.errors import BadInputError


def load_function(dotted_path: str) -> Callable[..., Any]:
  """Imports the function at `package.module.function`.

  An error that the module raises while it is imported is not caught.

  Raises:
    BadInputError: there is no such module or function.
  """
  module, _, name = dotted_path.rpartition(".")
  try:
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
  except (AttributeError, ModuleNotFoundError, ValueError) as err:
    missing = err.name if isinstance(err, ModuleNotFoundError) else module
    if missing and not f"{module}.".startswith(f"{missing}."):
      raise
    raise BadInputError(
      f"Expected the dotted path of a function, package.module.function. Received: "
      f"{dotted_path!r} ({err})"
    ) from err
  return found
