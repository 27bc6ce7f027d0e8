"""The data nodes of one task's pipeline, up to Transform, in a process of their own.

python data_nodes.py TASK DATA WORKSPACE: prints `{node: {"seconds", "peak_rss_mb"}}` as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_LAST = "Transform"


def run(pipeline: Any) -> dict[str, dict[str, float]]:
  """Seconds and peak memory (of the process, in MB) of each node up to Transform.

  Nodes run one after another, as `dlpipe run` runs them.
  """
  from pipeline.execution import node

  compiled = node.compile_pipeline(pipeline, "measured")
  measured: dict[str, dict[str, float]] = {}
  for node_id in node.node_ids(compiled):
    outcome = node.run_node(compiled, node_id)
    if outcome.error:
      raise outcome.error
    measured[node_id] = {
      "seconds": round(outcome.seconds, 2),
      "peak_rss_mb": outcome.peak_rss_mb,
    }
    if node_id == _LAST:
      break
  return measured


def draw(task: str, data: str, workspace: str) -> Any:
  """The pipeline of `dlpipe run TASK --data DATA --workspace WORKSPACE`."""
  from pipeline.api.inputs import prepare
  from pipeline.assembly import create_pipeline

  inputs = prepare(
    task=task,
    data=data,
    workspace=workspace,
    config_file=None,
    settings=(),
    tiny=False,
    beam=None,
  )
  inputs.config.folder.root.mkdir(parents=True, exist_ok=True)
  return create_pipeline(
    inputs.task,
    inputs.config,
    source=inputs.source,
    params=inputs.params,
  )


if __name__ == "__main__":
  print(json.dumps(run(draw(*sys.argv[1:4]))))
