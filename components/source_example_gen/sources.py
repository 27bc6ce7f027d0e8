"""Makes a source's plan, for the driver and the executor."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from components.source_example_gen import relabel
from components.spans import resolving
from dlpipe.dotted_paths import load_function
from dlpipe.records import SourcePlan


def make_plan(exec_properties: Mapping[str, Any]) -> SourcePlan:
  """The source's plan for the input that a `SourceExampleGen` was given.

  Its fingerprint stands for the file of new labels, too, if there is one. That of a window of spans
  has no shards: each span has a plan of its own.
  """
  if exec_properties.get(resolving.SETTING):
    return SourcePlan(shards=(), fingerprint=resolving.resolve(exec_properties).fingerprint)
  plan_fn = load_function(exec_properties["plan_fn"])
  plan = plan_fn(exec_properties["data_path"], json.loads(exec_properties["options"]))
  path = exec_properties.get("relabel")
  if not path:
    return plan
  return dataclasses.replace(plan, fingerprint=f"{plan.fingerprint}-{relabel.digest(path)}")
