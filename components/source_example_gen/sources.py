"""Makes a source's plan, for the driver and the executor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dlpipe.dotted_paths import load_function
from dlpipe.records import SourcePlan


def make_plan(exec_properties: Mapping[str, Any]) -> SourcePlan:
  """The source's plan for the input that a `SourceExampleGen` was given."""
  plan = load_function(exec_properties["plan_fn"])
  return plan(exec_properties["data_path"], json.loads(exec_properties["options"]))
