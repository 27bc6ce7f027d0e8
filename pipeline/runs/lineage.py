"""Lists the runs in a metadata store, whoever started them, with their nodes and results.

Reads SQLite, PostgreSQL and MySQL alike, and needs no records but those of TFX.
"""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.trials import Trials
from dlpipe import nodes
from dlpipe.errors import BadInputError, DataRefusedError
from dlpipe.workspace import TaskFolder
from pipeline import evaluation
from pipeline.runs import result, run_files
from pipeline.runs.pushes import pushed_version
from pipeline.runs.store import executions as stored
from pipeline.task import task_of

# States that a run of ours does not end with, but that one seen from outside may be in.
UNFINISHED, AT_WORK, DONE = result.UNFINISHED, result.AT_WORK, result.DONE


@dataclasses.dataclass(frozen=True, kw_only=True)
class PastRun:
  """A run in a metadata store.

  Attributes:
    run_id: the run's name.
    task: the task's name.
    started: when its first node began, ISO 8601 in UTC.
    state: pushed, cached, refused_data, refused_model or failed, as `dlpipe run` has them; done
      if nothing was to be pushed, unfinished if a node was killed or is missing, or if the run left
      no report, and at_work if a process on this machine runs it.
    metrics: the evaluation's overall metrics; empty without an evaluation or its files.
    pushed_version: the version that the run pushed, or found to be pushed; None if none.
    nodes: each node that has an execution, in the order of their beginning, with the URIs of its
      `outputs` and, but in a list of runs, of its `inputs`.
    tuning: the trials of its Tuner; None if it had none, and in a list of runs.
    cleaned: when its files were deleted, ISO 8601 in UTC; None if they were not.
    intervals: the 95 % intervals of its metrics, as far as they are known.
  """

  run_id: str
  task: str
  started: str
  state: str
  metrics: Mapping[str, float]
  pushed_version: int | None
  nodes: Sequence[Mapping[str, Any]]
  tuning: Trials | None = None
  cleaned: str | None = None
  intervals: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

  def to_json(self, *, with_nodes: bool) -> dict[str, Any]:
    """Returns the object `--json` prints."""
    values = dataclasses.asdict(self)
    if not with_nodes:
      del values["nodes"], values["tuning"]
    return values


def killed_apart(run: PastRun, folder: TaskFolder) -> PastRun:
  """Returns the run, unfinished and not done if it was killed while no node was at work.

  Args:
    run: a run whose report was not deleted by us.
    folder: that of its task.
  """
  if run.state == DONE and not run_files.was_ended(folder, run.run_id):
    return dataclasses.replace(run, state=UNFINISHED)
  return run


def told_apart(run: PastRun, at_work: Collection[str]) -> PastRun:
  """Returns the run, at work and not unfinished if its name is among those at work."""
  if run.state == UNFINISHED and run.run_id in at_work:
    return dataclasses.replace(run, state=AT_WORK)
  return run


def list_runs(handle: metadata.Metadata, task: str | None = None) -> list[PastRun]:
  """Returns every run, the latest first.

  Args:
    handle: the open store.
    task: the task's name; None for all that the store holds.
  """
  found = []
  for pipeline in stored.contexts(handle.store, stored.PIPELINE):
    if task is None or task_of(pipeline.name) == task:
      found += _runs_of(handle, pipeline, None)
  return sorted(found, key=lambda run: (run.started, run.run_id), reverse=True)


def show_run(handle: metadata.Metadata, run_id: str, task: str | None = None) -> PastRun | None:
  """Returns one run with the artifacts of its nodes; None if the store does not have it.

  Args:
    handle: the open store.
    run_id: the run's name.
    task: the task's name, for runs of several tasks with the same name.

  Raises:
    BadInputError: runs of several tasks have this name.
  """
  found = []
  for pipeline in stored.contexts(handle.store, stored.PIPELINE):
    if task is None or task_of(pipeline.name) == task:
      found += _runs_of(handle, pipeline, run_id)
  if len(found) > 1:
    tasks = ", ".join(run.task for run in found)
    raise BadInputError(f"Several tasks have a run {run_id!r}: {tasks}. Choose one with --task.")
  return found[0] if found else None


def _runs_of(
  handle: metadata.Metadata, pipeline: metadata_store_pb2.Context, run_id: str | None
) -> list[PastRun]:
  """Returns a pipeline's runs, or the one of a name, which then has its artifacts."""
  executions = {e.id: e for e in handle.store.get_executions_by_context(pipeline.id)}
  prefix = f"{pipeline.name}."
  names: dict[int, str] = {}
  for context in stored.contexts(handle.store, stored.NODE):
    if context.name.startswith(prefix):
      for execution in handle.store.get_executions_by_context(context.id):
        names[execution.id] = context.name.removeprefix(prefix)
  runs = []
  for context in stored.contexts(handle.store, stored.PIPELINE_RUN):
    if run_id is not None and context.name != run_id:
      continue
    # Pipelines that share a store may have given the same name to a run of theirs.
    own = [
      executions[e.id]
      for e in handle.store.get_executions_by_context(context.id)
      if e.id in executions and e.id in names
    ]
    if own:
      runs.append(
        _past_run(handle, task_of(pipeline.name), context.name, own, names, run_id is not None)
      )
  return runs


def _past_run(
  handle: metadata.Metadata,
  task: str,
  run_id: str,
  executions: list[metadata_store_pb2.Execution],
  names: Mapping[int, str],
  with_artifacts: bool,
) -> PastRun:
  executions = sorted(executions, key=lambda e: (e.create_time_since_epoch, e.id))
  # A node that was tried again under the same run id counts by its last execution.
  last = {names[e.id]: e for e in executions}
  nodes = []
  outputs: dict[str, Mapping[str, metadata_store_pb2.Artifact]] = {}
  for name, execution in last.items():
    outputs[name] = stored.outputs(handle.store, execution.id)
    spent = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    shown: dict[str, Any] = {
      "id": name,
      "state": _node_state(execution),
      "execution_id": execution.id,
      "started": _moment(execution.create_time_since_epoch),
      "seconds": round(spent / 1000, 1),
      "outputs": {key: artifact.uri for key, artifact in outputs[name].items()},
    }
    if with_artifacts:
      shown["inputs"] = _inputs(handle, execution.id)
    nodes.append(shown)
  pushed = _pushed(outputs)
  evaluated = _evaluation(outputs)
  return PastRun(
    run_id=run_id,
    task=task,
    started=_moment(executions[0].create_time_since_epoch),
    state=_state(last, pushed),
    metrics=evaluated.metrics if evaluated is not None else {},
    intervals=evaluated.intervals if evaluated is not None else {},
    pushed_version=pushed_version(pushed) if pushed is not None else None,
    nodes=nodes,
    tuning=_tuning(outputs) if with_artifacts else None,
  )


def _node_state(execution: metadata_store_pb2.Execution) -> str:
  if execution.type == stored.RESOLVER:  # only looks something up
    return nodes.CACHED
  return str(metadata_store_pb2.Execution.State.Name(execution.last_known_state))


def _pushed(
  outputs: Mapping[str, Mapping[str, metadata_store_pb2.Artifact]],
) -> metadata_store_pb2.Artifact | None:
  for artifacts in outputs.values():
    for artifact in artifacts.values():
      if artifact.type == standard_artifacts.PushedModel.TYPE_NAME:
        return artifact
  return None


def _state(
  last: Mapping[str, metadata_store_pb2.Execution], pushed: metadata_store_pb2.Artifact | None
) -> str:
  failed = [
    name for name, e in last.items() if e.last_known_state == metadata_store_pb2.Execution.FAILED
  ]
  if failed:
    refused = any(_refused_data(name, last[name]) for name in failed)
    return result.REFUSED_DATA if refused else result.FAILED
  if any(e.last_known_state not in stored.ENDED for e in last.values()):
    return UNFINISHED
  if pushed is None:
    return (
      UNFINISHED if nodes.TRAINER.id in last and nodes.VERSIONED_PUSHER.id not in last else DONE
    )
  if pushed_version(pushed) is None:
    return result.REFUSED_MODEL
  cached = last[nodes.VERSIONED_PUSHER.id].last_known_state == metadata_store_pb2.Execution.CACHED
  return result.CACHED if cached else result.PUSHED


def _refused_data(name: str, execution: metadata_store_pb2.Execution) -> bool:
  if stored.EXIT_CODE in execution.custom_properties:
    code = execution.custom_properties[stored.EXIT_CODE].int_value
    return bool(code == DataRefusedError.exit_code)
  return name == nodes.DATA_GATE.id  # of an older release, which kept no code


def _evaluation(
  outputs: Mapping[str, Mapping[str, metadata_store_pb2.Artifact]],
) -> evaluation.Evaluation | None:
  artifact = nodes.EVALUATION.find(outputs)
  if artifact is None or not pathlib.Path(artifact.uri).is_dir():
    return None
  return evaluation.read_evaluation(artifact.uri)


def _tuning(
  outputs: Mapping[str, Mapping[str, metadata_store_pb2.Artifact]],
) -> Trials | None:
  artifact = nodes.TUNER_RESULTS.find(outputs)
  return Trials.read(pathlib.Path(artifact.uri)) if artifact is not None else None


def _inputs(handle: metadata.Metadata, execution_id: int) -> dict[str, str]:
  events = handle.store.get_events_by_execution_ids([execution_id])
  ids = {e.path.steps[0].key: e.artifact_id for e in events if e.type in stored.INPUTS}
  uris = {a.id: a.uri for a in handle.store.get_artifacts_by_id(list(ids.values()))}
  return {key: uris[artifact_id] for key, artifact_id in ids.items()}


def _moment(milliseconds: int) -> str:
  moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
  return moment.isoformat(timespec="seconds")
