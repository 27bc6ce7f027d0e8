"""Writes a run to MLflow, and its pushed version to MLflow's model registry, by MLflow's client."""

from __future__ import annotations

import contextlib
import datetime
import math
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from components.versioned_pusher.candidates import CANDIDATES
from components.versioned_pusher.stages import CANARY, CANDIDATE, STABLE
from pipeline.announcing.notices import NotToldError
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import FAILED, PUSHED, RunResult
from pipeline.settings.config import PipelineConfig

_VERSION = "dlpipe.version"
_MODEL = "model"
_PATIENCE_S = 30
_MOST_CHARACTERS = 500  # of a parameter, in every release of MLflow
_SETTINGS = {
  "MLFLOW_DISABLE_TELEMETRY": "true",
  "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
  "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}
_TOKEN = "MLFLOW_TRACKING_TOKEN"


def write(data: ReportData, config: PipelineConfig, *, token: str | None) -> None:
  """Writes a run: its settings, metrics and report, and the version that it pushed.

  Args:
    data: the run's record.
    config: its configuration.
    token: the bearer token of the server, or None.

  Raises:
    NotToldError: MLflow did not take it.
  """
  with _asked(config, token) as client:
    name = config.tracking.mlflow_experiment or f"dlpipe/{config.task}"
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found is not None else client.create_experiment(name)
    run = client.create_run(
      experiment, start_time=_milliseconds(data.started), tags=_tags(data.result)
    )
    run_id = run.info.run_id
    _log(client, run_id, data)
    if data.result.report is not None and os.path.isfile(data.result.report):
      client.log_artifact(run_id, data.result.report)
    if config.tracking.mlflow_model is not None and data.result.state == PUSHED:
      _register(client, run, data.result, config.tracking.mlflow_model)
    status = "FAILED" if data.result.state == FAILED else "FINISHED"
    client.set_terminated(run_id, status=status)


def move(config: PipelineConfig, version: int, alias: str, *, token: str | None) -> None:
  """Gives an alias to the model that was first pushed as a version.

  Args:
    config: the configuration of a run with `tracking.mlflow_model`.
    version: the number under which the model was first pushed.
    alias: `stable`, `canary` or `candidate`; another version loses it, and this one all others.
    token: the bearer token of the server, or None.

  Raises:
    NotToldError: MLflow did not take it, or does not have the version.
  """
  model = config.tracking.mlflow_model
  with _asked(config, token) as client:
    registered = client.search_model_versions(f"name = '{model}'")
    own = [each for each in registered if each.tags.get(_VERSION) == str(version)]
    if not own:
      raise NotToldError(f"the registered model {model!r} has no version of version {version}")
    latest = max(own, key=lambda each: int(each.version))
    client.set_registered_model_alias(model, alias, latest.version)
    aliases = client.get_registered_model(model).aliases
    for other in {STABLE, CANARY, CANDIDATE} - {alias}:
      if str(aliases.get(other)) == str(latest.version):
        client.delete_registered_model_alias(model, other)


def _log(client: Any, run_id: str, data: ReportData) -> None:
  from mlflow.entities import Metric, Param

  now = int(time.time() * 1000)
  counts = {f"examples.{split}": count for split, count in data.result.examples.items()}
  seconds = {f"seconds.{each.id}": each.seconds for each in data.result.components}
  values = {**data.result.metrics, **counts, **seconds}
  params = {"data": data.data_path, **data.hyperparameters}
  client.log_batch(
    run_id,
    metrics=[
      Metric(name, float(value), now, 0) for name, value in values.items() if math.isfinite(value)
    ],
    params=[Param(name, str(value)[:_MOST_CHARACTERS]) for name, value in params.items()],
  )


def _tags(result: RunResult) -> dict[str, str]:
  tags = {"mlflow.runName": result.run_id, "dlpipe.state": result.state, "dlpipe.task": result.task}
  if result.pushed_version is not None:
    tags[_VERSION] = str(result.pushed_version)
  failed = [gate.metric for gate in result.gates if not gate.passed]
  if failed:
    tags["dlpipe.refused_by"] = ", ".join(dict.fromkeys(failed))
  return tags


def _register(client: Any, run: Any, result: RunResult, model: str) -> None:
  """Copies the pushed version to the run's artifacts, and makes a version of the model of it."""
  from mlflow.exceptions import MlflowException

  place = pathlib.Path(result.serving_dir)
  place = place / CANDIDATES if result.candidate else place
  client.log_artifacts(run.info.run_id, str(place / str(result.pushed_version)), _MODEL)
  with contextlib.suppress(MlflowException):  # it is there
    client.create_registered_model(model)
  made = client.create_model_version(
    model,
    source=f"{run.info.artifact_uri}/{_MODEL}",
    run_id=run.info.run_id,
    tags={_VERSION: str(result.pushed_version)},
    await_creation_for=_PATIENCE_S,
  )
  alias = CANDIDATE if result.candidate else STABLE
  client.set_registered_model_alias(model, alias, made.version)


@contextlib.contextmanager
def _asked(config: PipelineConfig, token: str | None) -> Iterator[Any]:
  """Yields a client; turns its errors into one sentence without the token.

  MLflow reads its token and its patience from the environment, which is as before afterwards.
  """
  values = {**_SETTINGS, **({_TOKEN: token} if token is not None else {})}
  before = {name: os.environ.get(name) for name in values}
  os.environ.update(values)
  try:
    from mlflow.tracking import MlflowClient

    uri = config.tracking.mlflow_uri
    yield MlflowClient(tracking_uri=uri, registry_uri=uri)
  except NotToldError:
    raise
  except Exception as err:  # of MLflow, of requests, or of its stores
    said = str(err).splitlines()[0] if str(err) else ""
    said = said.replace(token, "***") if token else said
    raise NotToldError(f"{type(err).__name__}: {said}") from err
  finally:
    for name, value in before.items():
      if value is None:
        os.environ.pop(name, None)
      else:
        os.environ[name] = value


def _milliseconds(moment: str) -> int:
  return int(datetime.datetime.fromisoformat(moment).timestamp() * 1000)
