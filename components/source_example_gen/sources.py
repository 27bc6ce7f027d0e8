"""Makes a source's plan, for the driver and the executor."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from components.source_example_gen import relabel
from components.spans import resolving, window
from components.spans.pattern import Pattern
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.records import SourcePlan
from dlpipe.remote import copying
from dlpipe.remote.addresses import is_remote

# The parameter with the folder for copies of input from stores.
COPIES = "copies"


def make_plan(exec_properties: Mapping[str, Any]) -> SourcePlan:
  """Returns the source's plan for the input that a `SourceExampleGen` was given.

  Its fingerprint stands for the file of new labels, too, if there is one. That of a window of spans
  has no shards: each span has a plan of its own. Input in a store is copied here first.

  Raises:
    BadInputError: the source cannot use the input, or it cannot be read.
    DlpipeError: the connection to the store was lost.
  """
  if exec_properties.get(resolving.SETTING):
    return SourcePlan(shards=(), fingerprint=resolving.resolve(exec_properties).fingerprint)
  plan_fn = load_function(exec_properties["plan_fn"])
  path, copies = exec_properties["data_path"], exec_properties.get(COPIES)
  if is_remote(path) and not copies:
    raise BadInputError(
      f"This pipeline was compiled for data on a disk, and cannot read {path}. Begin the run with "
      "`dlpipe begin --data`, or compile the pipeline with that address."
    )
  here = copying.local(path, copies or "")
  with copying.named(path, here):
    plan = plan_fn(here, json.loads(exec_properties["options"]))
  path = exec_properties.get("relabel")
  if not path:
    return plan
  return dataclasses.replace(plan, fingerprint=f"{plan.fingerprint}-{relabel.digest(path)}")


def last_span(exec_properties: Mapping[str, Any]) -> int:
  """Returns the number of the window's last span; 0 for data without spans."""
  said = exec_properties.get(resolving.SETTING)
  if not said:
    return 0
  pattern = Pattern(exec_properties["data_path"])
  return window.choose(pattern, window.Settings.from_text(said)).spans[-1].number
