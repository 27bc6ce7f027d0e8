"""The pipeline's nodes, by name and by state, known without loading TFX."""

from __future__ import annotations

import difflib

from dlpipe.errors import BadInputError

# What became of a node.
COMPLETE, CACHED, FAILED, SKIPPED = "COMPLETE", "CACHED", "FAILED", "SKIPPED"
# In the order in which `assembly.create_pipeline` draws them.
DATA_NODES = (
  "SourceExampleGen",
  "ReviewedSchema",
  "StatisticsGen",
  "SchemaGen",
  "ExampleValidator",
  "DataGate",
)
TUNER = "Tuner"
NODES = (
  *DATA_NODES,
  "Transform",
  TUNER,
  "Trainer",
  "PreviousModel",
  "Evaluator",
  "ServingGate",
  "VersionedPusher",
)


def check_node(option: str, name: str | None, *, trials: int) -> None:
  """Refuses a name that no node of a run has.

  Args:
    option: what it was given with, such as `--from`.
    name: the node's; None for an option that is not given.
    trials: those of the Tuner; without any there is no such node.

  Raises:
    BadInputError: naming the nearest node.
  """
  nodes = [node for node in NODES if node != TUNER or trials]
  if name is None or name in nodes:
    return
  if name == TUNER:
    raise BadInputError(
      f"{option} {name}: this run has no Tuner. --set tune.trials=10 gives it one."
    )
  same = {node.lower(): node for node in nodes}
  close = difflib.get_close_matches(name.lower(), same, n=1)
  hint = f" Did you mean {same[close[0]]}?" if close else ""
  raise BadInputError(
    f"{option} {name}: the pipeline has no such node.{hint} Its nodes: {', '.join(nodes)}."
  )
