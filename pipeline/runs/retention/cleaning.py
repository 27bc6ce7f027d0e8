"""Deletes what a plan lets go, in an order that is safe to stop at any point.

First the facts of each run are kept, then the metadata stores are told, so that no cache and no
resolver hands the artifacts on, and then each path disappears by one rename. What a killed process
leaves is marked in the store or lies in `.cleaning`, and goes the next time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import os
import pathlib
import secrets
import time
from collections.abc import Collection, Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from components.versioned_pusher import removal, stages, version_folders
from dlpipe.errors import DlpipeError
from dlpipe.workspace import TaskFolder
from pipeline.runs import facts, lineage, run_files, trained
from pipeline.runs.retention import cleaned, holdings, planning
from pipeline.runs.retention.planning import Plan
from pipeline.runs.store.metadata_stores import (
  ConnectionConfig,
  open_store,
  read_connection,
  sqlite_connection,
)
from pipeline.settings.keep import KeepConfig


def clean(
  folder: TaskFolder,
  stores: Sequence[ConnectionConfig],
  keep: KeepConfig,
  *,
  at_work: Collection[str] = (),
  dry_run: bool = False,
) -> Plan:
  """Deletes what the bounds let go. The caller holds the folder, so that no run is at work there.

  Args:
    folder: the task's.
    stores: every metadata store that runs of the task are in.
    keep: the bounds.
    at_work: the runs that the caller is part of.
    dry_run: whether to delete nothing.

  Returns:
    What went, or would go.

  Raises:
    DlpipeError: a store is damaged, or the file system refused.
    BusyError: another process locks a store.
  """
  # No node looks for cached results between the plan and the marks.
  with contextlib.ExitStack() as opened:
    handles = [opened.enter_context(open_store(store)) for store in stores]
    known = holdings.known(handles, folder)
    found = holdings.read(folder, known, held=stages.read(folder).held())
    plan = planning.plan(found, keep, now=time.time(), at_work=at_work)
    if dry_run:
      return plan
    _keep_facts(folder, known.runs, plan)
    _mark(handles, plan.artifacts)
  for number, path in plan.versions.items():
    with stages.locked(folder):
      if number in stages.read(folder).held():  # since the plan was made
        continue
      if pathlib.Path(path).parent == folder.serving:
        removal.remove_version(folder.serving, number)
      else:
        removal.remove_candidate(folder.serving, number)
  of_serving = {path for path in plan.files if pathlib.Path(path).is_relative_to(folder.serving)}
  _delete(folder, plan.artifacts | plan.files - of_serving)
  if of_serving:
    with version_folders.locked(folder.serving):  # so none of them is a copy in the making
      _delete(folder, of_serving)
  return plan


def stores_of(folder: TaskFolder, *more: str | None) -> list[ConnectionConfig]:
  """Returns every metadata store that runs of a task were told, and is there.

  Artifacts that only another store knows are not touched.

  Args:
    folder: the task's.
    *more: connection files of further stores; None for none.

  Raises:
    BadInputError: a connection file cannot be used.
  """
  found = [sqlite_connection(folder.metadata)] if folder.metadata.exists() else []
  runs = sorted(path.stem for path in folder.run_file("*").parent.glob("*.json"))
  told = (run_files.told(folder, run_id) for run_id in runs)
  named = {each.config.metadata.connection_file for each in told if each is not None}
  there = {path for path in named if path is not None and os.path.isfile(path)}
  return found + [
    read_connection(path) for path in sorted({*there, *(path for path in more if path is not None)})
  ]


def _keep_facts(folder: TaskFolder, runs: Sequence[lineage.PastRun], plan: Plan) -> None:
  now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
  for run in runs:
    if run.run_id not in plan.runs:
      continue
    told = cleaned.CleanedRun(
      run_id=run.run_id,
      at=now,
      why=plan.runs[run.run_id],
      state=run.state,
      version=run.pushed_version,
      metrics=dict(run.metrics),
    )
    with contextlib.suppress(OSError, ValueError):  # of damaged artifacts there is less to tell
      known = facts.read_facts({node["id"]: node["outputs"] for node in run.nodes})
      told = cleaned.CleanedRun.from_json(
        {
          **told.to_json(),
          "summary": known.counted.to_json() if known.counted is not None else None,
          "findings": known.findings,
          "verdicts": [verdict.to_json() for verdict in known.verdicts],
          "training": dataclasses.replace(trained.record_of(run.nodes), epochs=[]).to_json(),
        }
      )
    cleaned.write(folder, told)


def _mark(handles: Sequence[metadata.Metadata], paths: Collection[str]) -> None:
  """Tells each store that these artifacts are gone, all at once."""
  for handle in handles:
    gone = []
    for uri in sorted(paths):
      for artifact in handle.store.get_artifacts_by_uri(uri):
        if artifact.state == metadata_store_pb2.Artifact.LIVE:
          artifact.state = metadata_store_pb2.Artifact.DELETED
          gone.append(artifact)
    if gone:
      handle.store.put_artifacts(gone)


def _delete(folder: TaskFolder, paths: Collection[str]) -> None:
  """Deletes each path; one that cannot be deleted keeps none of the others."""
  failed = []
  for path in sorted(paths):
    try:
      _delete_path(folder, pathlib.Path(path))
    except OSError as err:
      failed.append(err)
  with contextlib.suppress(OSError):
    folder.going.rmdir()
  if failed:
    raise DlpipeError(
      f"{len(failed)} of {len(paths)} files and folders could not be deleted: {failed[0]}. Clean "
      "as the user who made them, or delete them by hand; the others are gone."
    )


def _delete_path(folder: TaskFolder, path: pathlib.Path) -> None:
  """Moves a path aside, so that it is there whole or not at all, and then deletes it."""
  if not os.path.lexists(path):
    return
  going = path
  if path.parent != folder.going:
    folder.going.mkdir(exist_ok=True)
    going = folder.going / secrets.token_hex(8)
    try:
      os.rename(path, going)
    except OSError as err:
      if err.errno != errno.EXDEV:
        raise
      going = path  # a link leads to another disk; what a kill leaves there goes the next time
  version_folders.remove(going)
