"""Calls a source's functions by dotted path, as the driver, the executor and Beam workers do."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from components.errors import BadInputError
from components.records import SourcePlan


def load_function(dotted_path: str) -> Callable[..., Any]:
  """The function at `package.module.function`.

  Raises:
    BadInputError: there is no such module or function.
  """
  module, _, name = dotted_path.rpartition(".")
  try:
    return getattr(importlib.import_module(module), name)
  except (ImportError, AttributeError, ValueError) as err:
    raise BadInputError(
      f"Expected the dotted path of a function, package.module.function. Received: "
      f"{dotted_path!r} ({err})"
    ) from err


def make_plan(exec_properties: Mapping[str, Any]) -> SourcePlan:
  """The source's plan for the input that a `SourceExampleGen` was given."""
  plan = load_function(exec_properties["plan_fn"])
  return plan(exec_properties["data_path"], json.loads(exec_properties["options"]))
