"""Versions that are pushed and not live: candidates, and canaries beside what is live.

    <base>/candidates/7/   a candidate; servers of `<base>` do not see it, and one of
                           `<base>/candidates` serves it for a trial
    <base>/8/              what is live: always the largest number, whatever server looks

A canary is a version with a smaller number than what is live, so that only requests which name it,
or its label, reach it. To make room for one, what is live is published again under a larger number.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
from typing import Any

from components.versioned_pusher import version_folders as folders
from components.versioned_pusher.publish import publish
from components.versioned_pusher.version_folders import (
  RECORD_FILE,
  PathLike,
  VersionRecord,
  content_digest,
  is_damaged,
  list_versions,
  version_record,
)
from dlpipe.disk.whole_files import flush
from dlpipe.errors import BadInputError

CANDIDATES = "candidates"


def hold(source_dir: PathLike, base_dir: PathLike, *, source: str = "", **options: Any) -> int:
  """Publishes a SavedModel as a candidate; repeated, it returns the version that is there.

  Args:
    source_dir: the SavedModel's directory.
    base_dir: the served directory; made if it is missing.
    source: as for `publish`.
    **options: as for `publish`.

  Returns:
    The version's number, which no other version of the served directory has.

  Raises:
    BadInputError, DlpipeError: as `publish`.
  """
  base = pathlib.Path(base_dir)
  origin = folders.beside(base, source or str(source_dir))
  digest = content_digest(source_dir)
  with folders.locked(base):
    place = base / CANDIDATES
    for folder in (base, place):  # in the first, if it was promoted since
      for number in reversed(list_versions(folder)):
        record = version_record(folder, number)
        same = (record.get("pushed_from"), record.get("sha256")) == (origin, digest)
        if same and not is_damaged(folder, number):
          return number
    place.mkdir(exist_ok=True)
    last = folders.next_version(base) - 1
    # Numbers count on from the served directory's; a kill in between costs one.
    folders.mark(place, last)
    folders.mark(base, last + 1)
    return publish(source_dir, place, source=origin, **options)


def list_candidates(base_dir: PathLike) -> list[int]:
  """Returns the numbers of the candidates, ascending."""
  return list_versions(pathlib.Path(base_dir, CANDIDATES))


def promote(base_dir: PathLike, version: int | None = None) -> int:
  """Makes a candidate, or another version, the one that is live.

  A candidate keeps its number if nothing was published since; else it gets the next.

  Args:
    base_dir: the served directory.
    version: the version; None for the latest candidate.

  Returns:
    The number under which it is live.

  Raises:
    BadInputError: there is no such version, it is damaged, or it is live.
    DlpipeError: the file system refused.
  """
  base = pathlib.Path(base_dir)
  with folders.locked(base):
    target, path = _found(base, version)
    versions = list_versions(base)
    if versions and target == versions[-1]:
      raise BadInputError(f"Version {target} is live already. {_known(base)}")
    record = folders.read_record(path)
    if path.parent.name == CANDIDATES and target > max(versions, default=0):
      _show(base, path, {**record, "live_as": target})
      return target
    values = {"first_version": target, **record, "promoted_from": target}
    values.pop("repairs", None)  # type: ignore[misc]
    number = folders.add_version(path, base, lambda number: {**values, "live_as": number})
    if path.parent.name == CANDIDATES:
      discard(path)
  return number


def show_canary(base_dir: PathLike, version: int | None = None) -> tuple[int, int]:
  """Puts a candidate beside what is live, under a smaller number.

  Args:
    base_dir: the served directory.
    version: the version; None for the latest candidate. One that is there already stays as it is.

  Returns:
    Its number, and the number of what is live.

  Raises:
    BadInputError: there is no such version, it is damaged or live, or nothing is live.
    DlpipeError: the file system refused.
  """
  base = pathlib.Path(base_dir)
  with folders.locked(base):
    target, path = _found(base, version)
    versions = list_versions(base)
    if not versions:
      raise BadInputError(f"Nothing is live in {base}: promote version {target} instead.")
    live = versions[-1]
    if target == live:
      raise BadInputError(f"Version {target} is live; a canary stands beside it. {_known(base)}")
    if path.parent.name != CANDIDATES:
      return target, live
    record = folders.read_record(path)
    if target > live:
      again = {"first_version": live, **version_record(base, live)}
      live = folders.add_version(base / str(live), base, lambda _: again)
    _show(base, path, {**record, "live_as": 0})
  return target, live


def discard(version_dir: pathlib.Path) -> None:
  """Deletes a version's folder; the caller holds the lock of the folder that it is in."""
  # A name that servers ignore, and that the next publisher clears if this process is killed.
  going = version_dir.with_name(f"{folders.STAGING_PREFIX}{version_dir.name}")
  os.rename(version_dir, going)
  flush(version_dir.parent)
  with contextlib.suppress(OSError):
    folders.remove(going)


def _found(base: pathlib.Path, version: int | None) -> tuple[int, pathlib.Path]:
  held = list_candidates(base)
  target = max(held, default=None) if version is None else version
  if target is None:
    raise BadInputError(f"There is no candidate in {base}. {_known(base)}")
  place = base / CANDIDATES if target in held else base
  path = folders.version_dirs(place).get(target)
  if path is None:
    raise BadInputError(f"There is no version {target} in {base}. {_known(base)}")
  folders.check_model(path)
  if is_damaged(place, target):
    raise BadInputError(
      f"Version {target} in {place} is damaged: its files are not those that its {RECORD_FILE} "
      "names."
    )
  return target, path


def _known(base: pathlib.Path) -> str:
  versions, held = list_versions(base), list_candidates(base)
  return (
    f"Versions: {', '.join(map(str, versions)) or 'none'}; candidates: "
    f"{', '.join(map(str, held)) or 'none'}."
  )


def _show(base: pathlib.Path, path: pathlib.Path, record: VersionRecord) -> None:
  """Moves a candidate to where servers see it."""
  values = dict(record)
  if "published_at" in record:  # else something other than dlpipe put it there
    now = datetime.datetime.now(datetime.timezone.utc)
    values["published_at"] = now.isoformat(timespec="seconds")
  # Beside the folder: of a killed process, a file within it would be one that the model has not.
  new = path.with_name(f".{RECORD_FILE}.new")
  folders.write(new, json.dumps(values, indent=2, sort_keys=True) + "\n")
  new.chmod(folders.FILE_MODE)
  os.replace(new, path / RECORD_FILE)
  flush(path)
  os.rename(path, base / path.name)
  flush(base)
