"""Reads what a task's folder holds, and what the metadata stores know of it."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.components.evaluator import constants
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.model_history import history
from components.spans import kept
from components.versioned_pusher import version_folders
from components.versioned_pusher.candidates import CANDIDATES
from dlpipe.disk import whole_files
from dlpipe.workspace import TaskFolder, file_name
from pipeline.runs import lineage
from pipeline.runs.retention import sizes
from pipeline.runs.retention.planning import DAY_S, Holdings, KnownRun, KnownVersion, LooseFile
from pipeline.runs.store import executions
from pipeline.task import task_of

# Nothing reads artifacts in these states, and nobody writes them.
_OVER = (metadata_store_pb2.Artifact.DELETED, metadata_store_pb2.Artifact.ABANDONED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
  """What the metadata stores know of a task.

  Attributes:
    runs: the runs as `lineage` lists them, the latest first.
    paths: by run, the paths of its outputs and of its inputs.
    baselines: paths of the latest blessed model and its blessing, in each store.
    unused: paths in the folder of artifacts that no reader takes any more.
    unfinished: paths that an execution began to write, and may still be writing.
  """

  runs: Sequence[lineage.PastRun]
  paths: Mapping[str, tuple[frozenset[str], frozenset[str]]]
  baselines: frozenset[str]
  unused: frozenset[str]
  unfinished: frozenset[str] = frozenset()


def known(handles: Iterable[metadata.Metadata], folder: TaskFolder) -> Known:
  """Reads the metadata stores.

  Args:
    handles: the open stores of the task.
    folder: the task's.
  """
  runs: list[lineage.PastRun] = []
  paths: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
  baselines: set[str] = set()
  live: set[str] = set()
  over: set[str] = set()
  begun: set[str] = set()
  for handle in handles:
    runs += [lineage.killed_apart(run, folder) for run in lineage.list_runs(handle, folder.task)]
    for context in executions.contexts(handle.store, executions.PIPELINE):
      if task_of(context.name) != folder.task:
        continue
      artifacts = {a.id: a for a in handle.store.get_artifacts_by_context(context.id)}
      for artifact in artifacts.values():
        is_live = artifact.state == metadata_store_pb2.Artifact.LIVE
        (live if is_live else over if artifact.state in _OVER else begun).add(artifact.uri)
      baselines |= _baselines(artifacts.values())
      paths |= _paths(handle, context)
  inside = f"{folder.artifacts}{os.sep}"
  return Known(
    runs=sorted(runs, key=lambda run: (run.started, run.run_id), reverse=True),
    paths=paths,
    baselines=frozenset(baselines),
    unused=frozenset(uri for uri in over - live - begun if uri.startswith(inside)),
    unfinished=frozenset(uri for uri in begun - live if uri.startswith(inside)),
  )


def read(folder: TaskFolder, stores: Known, *, held: Mapping[int, str]) -> Holdings:
  """Reads the folder of a task.

  Args:
    folder: the task's.
    stores: what the metadata stores know of it.
    held: versions that somebody holds, with the reason.
  """
  inside = f"{folder.artifacts}{os.sep}"
  runs = []
  for run in stores.runs:
    outputs, inputs = stores.paths.get(run.run_id, (frozenset(), frozenset()))
    runs.append(
      KnownRun(
        run_id=run.run_id,
        started=_seconds(run.started),
        state=run.state,
        outputs=frozenset(uri for uri in outputs if uri.startswith(inside)),
        inputs=inputs,
        version=run.pushed_version,
        files=frozenset(str(path) for path in _files_of(folder, run.run_id)),
      )
    )
  versions = tuple(_versions(folder.serving))
  loose = tuple(_loose(folder, {run.run_id for run in stores.runs}))
  leftovers = {str(path) for path in _leftovers(folder)}
  leftovers |= {uri for uri in stores.unused if os.path.exists(uri)}
  before = time.time() - DAY_S
  leftovers |= {uri for uri in stores.unfinished if 0 < sizes.changed(uri) < before}
  named = {*leftovers, *(version.path for version in versions), *(each.path for each in loose)}
  for known_run in runs:
    named |= known_run.outputs | known_run.files
  measured = {path: sizes.measured(path) for path in named if os.path.lexists(path)}
  return Holdings(
    runs=tuple(runs),
    versions=versions,
    loose=loose,
    leftovers=frozenset(leftovers),
    held=held,
    baselines=stores.baselines | _of_history(folder.models),
    sizes={path: alone for path, (alone, _) in measured.items()},
    linked={path: linked for path, (_, linked) in measured.items() if linked},
    total=sizes.of(folder.root),
  )


def _paths(
  handle: metadata.Metadata, pipeline: metadata_store_pb2.Context
) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
  """Returns, by run, the paths of its outputs and of its inputs."""
  own = {e.id for e in handle.store.get_executions_by_context(pipeline.id)}
  events: dict[int, list[metadata_store_pb2.Event]] = {}
  for event in handle.store.get_events_by_execution_ids(sorted(own)) if own else ():
    events.setdefault(event.execution_id, []).append(event)
  ids = sorted({event.artifact_id for some in events.values() for event in some})
  uris = {a.id: a.uri for a in handle.store.get_artifacts_by_id(ids)} if ids else {}
  found = {}
  for run in executions.contexts(handle.store, executions.PIPELINE_RUN):
    of_run = [
      event
      for execution in handle.store.get_executions_by_context(run.id)
      if execution.id in own
      for event in events.get(execution.id, ())
    ]
    if of_run:
      outputs = frozenset(uris[e.artifact_id] for e in of_run if e.type in executions.OUTPUTS)
      inputs = frozenset(uris[e.artifact_id] for e in of_run if e.type in executions.INPUTS)
      found[run.name] = (outputs, inputs)
  return found


def _baselines(artifacts: Iterable[metadata_store_pb2.Artifact]) -> set[str]:
  """Returns the latest blessed model, with its blessing: the next candidate is held to it."""
  models, blessings = {}, {}
  for artifact in artifacts:
    if artifact.type == standard_artifacts.Model.TYPE_NAME and os.path.exists(artifact.uri):
      models[artifact.id] = artifact.uri
    properties = artifact.custom_properties
    if artifact.type == standard_artifacts.ModelBlessing.TYPE_NAME and (
      properties[constants.ARTIFACT_PROPERTY_BLESSED_KEY].int_value == constants.BLESSED_VALUE
    ):
      of = properties[constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY].int_value
      blessings[of] = artifact.uri
  latest = max(models.keys() & blessings.keys(), default=None)
  return {models[latest], blessings[latest]} if latest is not None else set()


def _of_history(path: pathlib.Path) -> frozenset[str]:
  """Returns the latest two blessed models of a backend without resolvers."""
  blessed = [model["uri"] for model in history.read(path) if model["blessed"]]
  return frozenset(blessed[-2:])


def _files_of(folder: TaskFolder, run_id: str) -> Iterator[pathlib.Path]:
  paths = (
    folder.report(run_id),
    folder.log(run_id),
    folder.quarantine(run_id),
    folder.compiled(run_id),
    folder.notes(run_id),
  )
  yield from (path for path in paths if path.exists())
  # A repetition has a lock of its own, so its age says whether it may be at work.
  repeated = folder.reproduction(run_id)
  if 0 < sizes.changed(repeated) < time.time() - DAY_S:
    yield repeated


def _loose(folder: TaskFolder, runs: set[str]) -> Iterator[LooseFile]:
  """Yields files of runs that no store knows, of checks, replays, unfinished trainings and the log.

  And what is kept of spans that the last window does not have.
  """
  of_runs = [folder.report("*"), folder.log("*"), folder.quarantine("*"), folder.compiled("*")]
  named = {file_name(run) for run in runs}
  for pattern in of_runs:
    for path in _children(pattern.parent):
      if path.name.removesuffix(pattern.suffix) not in named:
        yield LooseFile(path=str(path), changed=sizes.changed(path))
  for place in (folder.checks, folder.checkpoints, folder.replays):
    for path in _children(place):
      yield LooseFile(path=str(path), changed=sizes.changed(path))
  for path in kept.Store(str(folder.spans)).unused():
    yield LooseFile(path=str(path), changed=sizes.changed(path))
  for path in folder.requests.glob("*/*/requests-*"):
    yield LooseFile(path=str(path), changed=sizes.changed(path), with_runs=False)


def _leftovers(folder: TaskFolder) -> Iterator[pathlib.Path]:
  """Yields what killed processes left. No run is at work in the folder."""
  yield from version_folders.leftovers(folder.serving)
  yield from version_folders.leftovers(folder.serving / CANDIDATES)
  yield from _children(folder.going)
  yield from kept.Store(str(folder.spans)).leftovers()
  for path in (folder.root, folder.run_file("*").parent, folder.cleaned_file("*").parent):
    yield from whole_files.leftovers(path)


def _versions(serving: pathlib.Path) -> Iterator[KnownVersion]:
  for place in (serving, serving / CANDIDATES):
    for number in version_folders.list_versions(place):
      record = version_folders.version_record(place, number)
      since = record.get("published_at")
      yield KnownVersion(
        number=number,
        path=str(place / str(number)),
        first_version=record.get("first_version", number),
        turn=version_folders.turn(record, number),
        since=_seconds(since) if since is not None else None,
        is_candidate=place != serving,
      )


def _children(path: pathlib.Path) -> list[pathlib.Path]:
  return sorted(path.iterdir()) if path.is_dir() else []


def _seconds(moment: str) -> float:
  return datetime.datetime.fromisoformat(moment).timestamp()
