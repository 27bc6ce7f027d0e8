"""Where a run left the data it read: looked up in the metadata store, cached or new alike."""

from __future__ import annotations

import dataclasses
import pathlib

from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import connection, open_store
from pipeline.settings.config import PipelineConfig

_NODE = "SourceExampleGen"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataArtifacts:
  """Directories of what `SourceExampleGen` wrote."""

  examples: pathlib.Path
  quarantine: pathlib.Path


def data_artifacts(config: PipelineConfig, run_id: str) -> DataArtifacts | None:
  """The data of a run; None where the run did not come so far.

  Args:
    config: the run's configuration.
    run_id: the run's name.
  """
  with open_store(connection(config)) as handle:
    run = handle.store.get_context_by_type_and_name("pipeline_run", run_id)
    for execution in handle.store.get_executions_by_context(run.id) if run else ():
      if not execution.type.endswith(_NODE):
        continue
      found = executions.outputs(handle.store, execution.id)
      if {"examples", "quarantine"} <= set(found):
        examples, quarantine = (pathlib.Path(found[k].uri) for k in ("examples", "quarantine"))
        # A failed execution names artifacts that nobody wrote.
        if (quarantine / "summary.json").exists():
          return DataArtifacts(examples=examples, quarantine=quarantine)
  return None
