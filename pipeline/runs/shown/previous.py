"""Finds the predictions of the model with which the Evaluator compared a run's model."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_component_specs

from dlpipe import nodes
from pipeline.rows.files import FILE
from pipeline.runs.store import executions


@dataclasses.dataclass(frozen=True, kw_only=True)
class Previous:
  """The predictions of an earlier model.

  Attributes:
    run_id: the run that evaluated it.
    predictions: directory of its `Predictions` artifact.
  """

  run_id: str
  predictions: pathlib.Path


def previous_predictions(
  store: MetadataStore, artifacts: Mapping[str, Mapping[str, metadata_store_pb2.Artifact]]
) -> Previous | None:
  """Returns the predictions of the model before a run's; None if there are none.

  Args:
    store: the metadata store.
    artifacts: node id to output name to artifact, of the run's nodes.
  """
  mine = nodes.PREDICTIONS.find(artifacts)
  if mine is None:
    return None
  made = [e for e in store.get_events_by_artifact_ids([mine.id]) if e.type not in executions.INPUTS]
  told = store.get_events_by_execution_ids([event.execution_id for event in made])
  baselines = {
    event.artifact_id
    for event in told
    if event.type in executions.INPUTS
    and _key(event) == standard_component_specs.BASELINE_MODEL_KEY
  }
  evaluated = {
    event.execution_id
    for event in store.get_events_by_artifact_ids(sorted(baselines))
    if event.type in executions.INPUTS and _key(event) == standard_component_specs.MODEL_KEY
  }
  # The latest evaluation of a model has today's columns.
  for execution in sorted(evaluated, reverse=True):
    found = executions.outputs(store, execution).get(nodes.PREDICTIONS.name)
    if found is not None and (pathlib.Path(found.uri) / FILE).is_file():
      runs = [
        c.name
        for c in store.get_contexts_by_execution(execution)
        if c.type == executions.PIPELINE_RUN
      ]
      return Previous(run_id=min(runs, default=""), predictions=pathlib.Path(found.uri))
  return None


def _key(event: metadata_store_pb2.Event) -> str:
  return event.path.steps[0].key if event.path.steps else ""
