"""Draws the nodes that measure a run's data and compare them with those of the served version."""

from __future__ import annotations

import json

from tfx.dsl.components.base.base_node import BaseNode

from components.drift_gate import DataProfile, DriftGate
from dlpipe.fingerprint import code_fingerprint
from pipeline.drift import examples, gate
from pipeline.drift.verdict import NONE
from pipeline.settings.config import PipelineConfig
from pipeline.task import Task

_PROFILE = "pipeline.drift.examples.files"
_COMPARISON = "pipeline.drift.gate.judge"
_COMPONENTS = "components.drift_gate"


def draw_drift(
  task: Task,
  config: PipelineConfig,
  data: BaseNode,
  schema: BaseNode,
  *,
  after: BaseNode,
  remembers: bool,
) -> list[BaseNode]:
  """Returns DataProfile and, unless `gates.drift` is none, DriftGate.

  Args:
    task: the task.
    config: the run's configuration.
    data: SourceExampleGen.
    schema: ReviewedSchema.
    after: the node that must have accepted the data.
    remembers: whether the comparison becomes a part of the past.
  """
  profile = DataProfile(
    examples=data.outputs["examples"],
    quarantine=data.outputs["quarantine"],
    profile_fn=_PROFILE,
    told=json.dumps(examples.parameters(task)),
    code_fingerprint=code_fingerprint(_COMPONENTS, _PROFILE),
  )
  profile.add_upstream_node(after)
  if config.gates.drift == NONE:
    return [profile]
  compared = DriftGate(
    profile=profile.outputs["profile"],
    examples=data.outputs["examples"],
    schema=schema.outputs["schema"],
    judge_fn=_COMPARISON,
    served_from=str(config.folder.serving),
    past_file=str(config.folder.drift),
    told=json.dumps(
      gate.parameters(
        task,
        severity=config.gates.drift,
        least=config.gates.least_drift,
        remembers=remembers,
      )
    ),
    code_fingerprint=code_fingerprint(_COMPONENTS, _COMPARISON),
  )
  return [profile, compared]
