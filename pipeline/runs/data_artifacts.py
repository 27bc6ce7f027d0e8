"""Finds the data that a run read in the metadata store, whether it was cached or not."""

from __future__ import annotations

import dataclasses
import pathlib

from components.source_example_gen.summary import Summary
from dlpipe import nodes
from pipeline.drift.verdict import Drift
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import connection, open_store
from pipeline.settings.config import PipelineConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataArtifacts:
  """What a run's nodes on data left.

  Attributes:
    examples: directory of the examples.
    quarantine: directory of the records that could not be used.
    drift: how the data differ from those of the served version; None if DriftGate did not say.
  """

  examples: pathlib.Path
  quarantine: pathlib.Path
  drift: Drift | None


def data_artifacts(config: PipelineConfig, run_id: str) -> DataArtifacts | None:
  """Returns the data of a run; None if the run ended before it was read.

  Args:
    config: the run's configuration.
    run_id: the run's name.
  """
  found: dict[str, dict[str, pathlib.Path]] = {}
  with open_store(connection(config)) as handle:
    run = handle.store.get_context_by_type_and_name(executions.PIPELINE_RUN, run_id)
    for execution in handle.store.get_executions_by_context(run.id) if run else ():
      for node in (nodes.SOURCE_EXAMPLE_GEN, nodes.DRIFT_GATE):
        if execution.type.endswith(node.id):
          made = executions.outputs(handle.store, execution.id)
          found.setdefault(node.id, {}).update(
            {name: pathlib.Path(artifact.uri) for name, artifact in made.items()}
          )
  examples, quarantine = (each.find(found) for each in (nodes.EXAMPLES, nodes.QUARANTINE))
  # A failed execution names artifacts that nobody wrote.
  if examples is None or quarantine is None or not (quarantine / Summary.FILE).exists():
    return None
  return DataArtifacts(
    examples=examples,
    quarantine=quarantine,
    drift=Drift.read(nodes.DRIFT_VERDICT.find(found)),
  )
