"""Finds the bound on flips that the run which pushed a version was told."""

from __future__ import annotations

from collections.abc import Callable

from components.versioned_pusher.candidates import CANDIDATES, list_candidates
from components.versioned_pusher.version_folders import list_versions, version_record
from dlpipe.workspace import TaskFolder
from pipeline.api import history
from pipeline.runs import run_files


def told_max_flips(
  folder: TaskFolder, version: int | None, *, tell: Callable[[str], None]
) -> float | None:
  """Returns `push.max_flips` of the latest run that names a version; None if it set none.

  Where no run is known to have pushed the version, the strictest bound of all runs holds.

  Args:
    folder: the task's.
    version: the version; None for none.
    tell: receives a sentence where a bound is taken for want of the run.

  Raises:
    DlpipeError: the metadata store is damaged, or locked.
  """
  told: dict[str, float] = {}
  for path in folder.run_file("*").parent.glob("*.json"):
    run = run_files.told(folder, path.stem)
    if run is not None and run.config.push.max_flips is not None:
      told[run.run_id] = run.config.push.max_flips
  if not told or version is None:
    return None
  first = _first_version(folder, version)
  for past in history.past_runs(folder.task, str(folder.root.parent), None):
    if past.pushed_version == first:
      return told.get(past.run_id)
  strictest = min(told.values())
  tell(
    f"Which run pushed version {version} is not known: the strictest push.max_flips of all runs, "
    f"{strictest:g}, holds."
  )
  return strictest


def _first_version(folder: TaskFolder, version: int) -> int:
  is_held = version in list_candidates(folder.serving)
  place = folder.serving / CANDIDATES if is_held else folder.serving
  if version not in list_versions(place):
    return version
  return version_record(place, version).get("first_version", version)
