"""Finds the data that a run read in the metadata store, whether it was cached or not."""

from __future__ import annotations

import dataclasses
import pathlib

from components.source_example_gen.summary import Summary
from dlpipe import nodes
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import connection, open_store
from pipeline.settings.config import PipelineConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataArtifacts:
  """The directories that `SourceExampleGen` wrote."""

  examples: pathlib.Path
  quarantine: pathlib.Path


def data_artifacts(config: PipelineConfig, run_id: str) -> DataArtifacts | None:
  """The data of a run; None if the run ended before it was read.

  Args:
    config: the run's configuration.
    run_id: the run's name.
  """
  with open_store(connection(config)) as handle:
    run = handle.store.get_context_by_type_and_name("pipeline_run", run_id)
    for execution in handle.store.get_executions_by_context(run.id) if run else ():
      if not execution.type.endswith(nodes.SOURCE_EXAMPLE_GEN.id):
        continue
      found = executions.outputs(handle.store, execution.id)
      named = (nodes.EXAMPLES.name, nodes.QUARANTINE.name)
      if set(named) <= set(found):
        examples, quarantine = (pathlib.Path(found[name].uri) for name in named)
        # A failed execution names artifacts that nobody wrote.
        if (quarantine / Summary.FILE).exists():
          return DataArtifacts(examples=examples, quarantine=quarantine)
  return None
