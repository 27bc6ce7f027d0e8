"""Sends the events of a run to an OpenLineage backend, by OpenLineage's own client.

Source: the specification 2-0-2, https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

from __future__ import annotations

import datetime
import logging
import os
import uuid
from collections.abc import Mapping
from typing import Any

from dlpipe.artifact_files import finite
from pipeline.announcing.notices import NotToldError
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import FAILED, REFUSED_DATA, REFUSED_MODEL
from pipeline.settings.config import PipelineConfig

# The specification asks for an address; its client, for one with a host.
_PRODUCER = "dlpipe://dlpipe"
_FACET = "dlpipe_run"
_TIMEOUT_S, _TRIES = 10.0, 3


def emit(data: ReportData, config: PipelineConfig, *, key: str | None) -> None:
  """Sends that a run began, and how it ended.

  Args:
    data: the run's record.
    config: its configuration.
    key: the API key, or None.

  Raises:
    NotToldError: the backend did not take the events.
  """
  from openlineage.client import OpenLineageClient
  from openlineage.client.transport.http import HttpConfig, HttpTransport

  # The client's own variables, which may name another backend, have no say.
  options: dict[str, Any] = {
    "url": config.tracking.openlineage_url,
    "timeout": _TIMEOUT_S,
    "retry": {"total": _TRIES, "connect": _TRIES, "read": _TRIES, "backoff_factor": 0.3},
  }
  if key is not None:
    options["auth"] = {"type": "api_key", "apiKey": key}
  logging.getLogger("openlineage").setLevel(logging.WARNING)
  try:
    transport = HttpTransport(HttpConfig.from_dict(options))
    client = OpenLineageClient(transport=transport)
    for event in events(data, config):
      client.emit(event)
  except Exception as err:  # of requests, or of the client
    said = str(err).splitlines()[0] if str(err) else ""
    said = said.replace(key, "***") if key else said
    raise NotToldError(f"{type(err).__name__}: {said}") from err


def events(data: ReportData, config: PipelineConfig) -> list[Any]:
  """Returns the events of a run: START, and COMPLETE or FAIL.

  The job is the task. Its input is the data with the number of its rows and the verdicts on them,
  its output the served directory with the version that was pushed.

  Args:
    data: the run's record.
    config: its configuration.
  """
  from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

  result = data.result
  state = (
    RunState.FAIL if result.state in (FAILED, REFUSED_DATA, REFUSED_MODEL) else (RunState.COMPLETE)
  )
  run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"dlpipe:{config.folder.root}:{result.run_id}"))
  job = Job(namespace=config.tracking.openlineage_namespace, name=result.task, facets=_of_job())
  now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
  shared: dict[str, Any] = {"job": job, "producer": _PRODUCER}
  return [
    RunEvent(
      eventType=RunState.START,
      eventTime=data.started,
      run=Run(runId=run_id, facets=_of_engine(data)),
      inputs=[_input(data, {})],
      **shared,
    ),
    RunEvent(
      eventType=state,
      eventTime=now,
      run=Run(runId=run_id, facets={**_of_engine(data), **_of_end(data)}),
      inputs=[_input(data, _counts(data))],
      outputs=_outputs(data),
      **shared,
    ),
  ]


def _of_job() -> dict[str, Any]:
  from openlineage.client.facet_v2 import job_type_job

  return {
    "jobType": job_type_job.JobTypeJobFacet(
      processingType="BATCH", integration="DLPIPE", jobType="PIPELINE", producer=_PRODUCER
    )
  }


def _of_engine(data: ReportData) -> dict[str, Any]:
  from openlineage.client.facet_v2 import processing_engine_run

  return {
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
      name="dlpipe", version=data.versions.get("dlpipe", "unknown"), producer=_PRODUCER
    )
  }


def _of_end(data: ReportData) -> dict[str, Any]:
  """Returns what became of the run: its own facet, and the error if there was one."""
  from openlineage.client.facet_v2 import RunFacet, error_message_run

  result = data.result
  facet = RunFacet(producer=_PRODUCER).with_additional_properties(
    **finite(
      {
        "runId": result.run_id,
        "state": result.state,
        "version": result.pushed_version,
        "metrics": result.metrics,
        "gates": [gate.to_json() for gate in result.gates],
        "warnings": [str(finding["what"]) for finding in result.warnings],
        "report": result.report,
      }
    )
  )
  found: dict[str, Any] = {_FACET: facet}
  if result.error is not None:
    found["errorMessage"] = error_message_run.ErrorMessageRunFacet(
      message=result.error, programmingLanguage="PYTHON", producer=_PRODUCER
    )
  return found


def _input(data: ReportData, facets: Mapping[str, Any]) -> Any:
  from openlineage.client.event_v2 import InputDataset

  return InputDataset(namespace="file", name=data.data_path, inputFacets=dict(facets))


def _counts(data: ReportData) -> dict[str, Any]:
  from openlineage.client.facet_v2 import (
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
  )

  found: dict[str, Any] = {}
  if data.result.examples:
    found["dataQualityMetrics"] = (
      data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
        columnMetrics={}, rowCount=sum(data.result.examples.values()), producer=_PRODUCER
      )
    )
  if data.data_checks:
    found["dataQualityAssertions"] = (
      data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
        assertions=[
          data_quality_assertions_dataset.Assertion(
            assertion=f"{check.name} {check.bound}", success=check.passed
          )
          for check in data.data_checks
        ],
        producer=_PRODUCER,
      )
    )
  return found


def _outputs(data: ReportData) -> list[Any]:
  from openlineage.client.event_v2 import OutputDataset
  from openlineage.client.facet_v2 import dataset_version_dataset

  result = data.result
  if result.pushed_version is None:
    return []
  version = dataset_version_dataset.DatasetVersionDatasetFacet(
    datasetVersion=str(result.pushed_version), producer=_PRODUCER
  )
  name = os.path.abspath(result.serving_dir)
  return [OutputDataset(namespace="file", name=name, facets={"version": version})]
