"""Publishes a model as the next version of a served directory, and goes back to an older one.

The executor and the command line call this module; `version_folders` has what lies on the disk.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from components.versioned_pusher.version_folders import (
  RECORD_FILE,
  PathLike,
  VersionRecord,
  add_version,
  beside,
  check_model,
  content_digest,
  is_damaged,
  is_whole,
  list_versions,
  locked,
  read_record,
  turn,
  version_dirs,
  way_back,
)
from dlpipe.errors import BadInputError


def publish(
  source_dir: PathLike,
  base_dir: PathLike,
  *,
  source: str = "",
  data_options: Mapping[str, Any] | None = None,
  card: Mapping[str, str] | None = None,
) -> int:
  """Publishes a SavedModel as the next version.

  Publishing the same source with the same content again returns the version that is there, so a
  retry after a crash neither makes a second version nor overrides a rollback made in between. A
  version whose files are no longer those of its record is left as it is, and the model published
  again; its record then names the damaged one as `repairs`.

  Args:
    source_dir: the SavedModel's directory.
    base_dir: the served directory; made if it is missing.
    source: what the record names as the model's origin (an artifact's URI); default `source_dir`.
    data_options: the user's settings of `data` with which it was trained, such as the name of a
      column; kept in the record.
    card: files of the model card, by the names in `CARD_FILES`: written beside the model.

  Returns:
    The version's number.

  Raises:
    BadInputError: `source_dir` holds no SavedModel, or `.last_version` was damaged by hand.
    DlpipeError: the file system refused (full, read-only, no permission).
  """
  model, base = pathlib.Path(source_dir), pathlib.Path(base_dir)
  check_model(model)
  origin = {"pushed_from": beside(base, source or str(model)), "sha256": content_digest(model)}
  with locked(base):
    versions = version_dirs(base)
    found = [
      version
      for version, path in sorted(versions.items(), reverse=True)
      if origin.items() <= _origin(base, path).items()
    ]
    for version in found:
      if is_whole(base, version) or _was_left(base, versions, version):
        return version
    repairs = {"repairs": found[0]} if found else {}
    told = {"data_options": dict(data_options)} if data_options else {}
    return add_version(
      model,
      base,
      lambda version: {**origin, **repairs, **told, "first_version": version},
      card=card or {},
    )


def rollback(base_dir: PathLike, to: int | None = None) -> int:
  """Publishes an older version again, under the next number.

  Args:
    base_dir: the served directory.
    to: the version to go back to. Default: the newest that was live before the model now served,
      where a version that is itself a rollback counts as the version it repeats; so repeated
      rollbacks walk back in time and never return to a model that was left.

  Returns:
    The new version's number; its record names the old one as `rollback_of`.

  Raises:
    BadInputError: there is no such version, or none to go back to.
    DlpipeError: the file system refused.
  """
  base = pathlib.Path(base_dir)
  if not list_versions(base):
    raise BadInputError(f"Expected model versions in {base}. Found none: push a model first.")
  with locked(base):
    versions = version_dirs(base)
    target = _previous(base, versions) if to is None else to
    known = f"Known versions in {base}: {', '.join(map(str, sorted(versions)))}."
    if target not in versions:
      raise BadInputError(f"No version {target} to roll back to. {known}")
    if target == max(versions):
      raise BadInputError(f"Version {target} is the newest and served already. {known}")
    check_model(versions[target])
    if is_damaged(base, target):
      others = [n for n in sorted(versions) if n != max(versions) and not is_damaged(base, n)]
      raise BadInputError(
        f"Version {target} is damaged: its files are not those that its {RECORD_FILE} names. It is "
        f"not served again. Versions to roll back to: {', '.join(map(str, others)) or 'none'}."
      )
    origin = {"first_version": target} | read_record(versions[target])
    origin.pop("repairs", None)
    since = turn(origin, target)  # 0 of a canary: with this it goes live
    return add_version(
      versions[target],
      base,
      lambda number: {**origin, "rollback_of": target, "live_as": since or number},
    )


def _was_left(base: pathlib.Path, versions: Mapping[int, pathlib.Path], version: int) -> bool:
  """Returns whether a rollback was made since: publishing the version again would override it.

  If no whole version is left to roll back to, the rollback no longer counts.
  """
  newest = max(versions)
  if newest <= version or "rollback_of" not in read_record(versions[newest]):
    return False
  return any(not is_damaged(base, each) for each in versions)


def _previous(base: pathlib.Path, versions: Mapping[int, pathlib.Path]) -> int:
  turns = {number: turn(read_record(path), number) for number, path in versions.items()}
  before = way_back(turns)
  if before is None:
    served = max(versions)
    raise BadInputError(
      f"No version in {base} is older than the model now served (version "
      f"{turns[served] or served}). Known versions: {', '.join(map(str, sorted(versions)))}."
    )
  return before


def _origin(base: pathlib.Path, version_dir: pathlib.Path) -> VersionRecord:
  """Returns a version's record; an older release wrote whole paths."""
  record = read_record(version_dir)
  return record | {"pushed_from": beside(base, str(record.get("pushed_from")))}
