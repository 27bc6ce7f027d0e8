"""A TensorFlow Serving base path whose every visible version is complete.

A model server polls the base path and loads any child whose whole name is a number, with no check
of its completeness. So a version is copied under a name the server ignores, flushed to the disk,
and then renamed: it appears whole or not at all, whatever is killed when. Numbers only grow, even
after a version was deleted, because the server takes the largest for the newest.

    <base>/1/ ... <base>/7/   versions; each holds `dlpipe.json`, where it came from, and its card
    <base>/.last_version      the largest number ever given out
    <base>/.publish.lock      held while publishing; the kernel frees it when its holder dies
    <base>/.staging-*         a copy in the making, or what a killed publisher left behind

The executor and the command line call this module. It imports the standard library and our errors.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypedDict, cast

from dlpipe.errors import BadInputError, DlpipeError

RECORD_FILE = "dlpipe.json"
# The model card: about the model, and no part of it.
CARD_FILES = ("MODEL_CARD.md", "model_card.json")
_MODEL_FILE = "saved_model.pb"
_LOCK_FILE = ".publish.lock"
_MARK_FILE = ".last_version"
_STAGING_PREFIX = ".staging-"
# Whatever the umask: a model server in a container usually runs as another user.
_DIRECTORY_MODE, _FILE_MODE = 0o755, 0o644
_VERSION_NAME = re.compile(r"[0-9]+")  # what TensorFlow Serving takes for a version

PathLike = str | os.PathLike[str]


class VersionRecord(TypedDict, total=False):
  """`dlpipe.json`; a version that something else put there has no key of it.

  A dictionary, because a rollback copies the keys of a later release, too.

  Attributes:
    version: its number.
    published_at: when, ISO 8601 in UTC.
    pushed_from: the model's artifact, relative to the folder that the served directory lies in if
      it lies there, too.
    sha256: of the content, as `content_digest` computes it.
    first_version: the number under which the same model was first published.
    rollback_of: the version that a rollback repeats.
    promoted_from: the version, a candidate or a canary, that was made live by this one.
    repairs: the damaged version in whose place it was published.
    data_options: the user's settings of `data` with which it was trained.
  """

  version: int
  published_at: str
  pushed_from: str
  sha256: str
  first_version: int
  rollback_of: int
  promoted_from: int
  repairs: int
  data_options: dict[str, Any]


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
  _check_model(model)
  origin = {"pushed_from": _beside(base, source or str(model)), "sha256": content_digest(model)}
  with _locked(base):
    versions = _version_dirs(base)
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
    return _add_version(
      model,
      base,
      lambda version: {**origin, **repairs, **told, "first_version": version},
      card=card or {},
    )


def rollback(base_dir: PathLike, to: int | None = None) -> int:
  """Publishes an older version again, under the next number.

  Args:
    base_dir: the served directory.
    to: the version to go back to. Default: the newest one older than the model now served, where a
      version that is itself a rollback counts as the version it repeats; so repeated rollbacks
      walk back in time and never return to a model that was left.

  Returns:
    The new version's number; its record names the old one as `rollback_of`.

  Raises:
    BadInputError: there is no such version, or none to go back to.
    DlpipeError: the file system refused.
  """
  base = pathlib.Path(base_dir)
  if not list_versions(base):
    raise BadInputError(f"Expected model versions in {base}. Found none: push a model first.")
  with _locked(base):
    versions = _version_dirs(base)
    target = _previous(base, versions) if to is None else to
    known = f"Known versions in {base}: {', '.join(map(str, sorted(versions)))}."
    if target not in versions:
      raise BadInputError(f"No version {target} to roll back to. {known}")
    if target == max(versions):
      raise BadInputError(f"Version {target} is the newest and served already. {known}")
    _check_model(versions[target])
    if is_damaged(base, target):
      others = [n for n in sorted(versions) if n != max(versions) and not is_damaged(base, n)]
      raise BadInputError(
        f"Version {target} is damaged: its files are not those that its {RECORD_FILE} names. It is "
        f"not served again. Versions to roll back to: {', '.join(map(str, others)) or 'none'}."
      )
    origin = {"first_version": target} | _read_record(versions[target])
    origin.pop("repairs", None)
    return _add_version(versions[target], base, lambda _: {**origin, "rollback_of": target})


def list_versions(base_dir: PathLike) -> list[int]:
  """Numbers of the versions in `base_dir`, ascending; empty if there is no such directory."""
  return sorted(_version_dirs(pathlib.Path(base_dir)))


def leftovers(base_dir: PathLike) -> list[pathlib.Path]:
  """Copies that are being made, or that a killed publisher left behind."""
  return sorted(pathlib.Path(base_dir).glob(f"{_STAGING_PREFIX}*"))


def version_record(base_dir: PathLike, version: int) -> VersionRecord:
  """The origin of a version; empty for a version that something else put there.

  Raises:
    BadInputError: there is no such version.
  """
  versions = _version_dirs(pathlib.Path(base_dir))
  if version not in versions:
    raise BadInputError(
      f"No version {version} in {os.fspath(base_dir)}. Known versions: {sorted(versions)}."
    )
  return _read_record(versions[version])


def is_whole(base_dir: PathLike, version: int) -> bool:
  """Whether a version is there with a record, and its files are those that the record names."""
  path = pathlib.Path(base_dir, str(version))
  recorded = _read_record(path).get("sha256")
  try:
    return recorded is not None and content_digest(path) == recorded
  except OSError:  # a file that cannot be read
    return False


def is_damaged(base_dir: PathLike, version: int) -> bool:
  """Whether a version's files are not those that its record names.

  A version without a record was put there by something else, and nothing is known of it.
  """
  path = _version_dirs(pathlib.Path(base_dir)).get(version)
  if path is None or "sha256" not in _read_record(path):
    return False
  return not is_whole(base_dir, version)


def content_digest(directory: PathLike) -> str:
  """SHA-256 over names and bytes of every file below `directory`, without our record and card."""
  root = pathlib.Path(directory)
  digest = hashlib.sha256()
  for path in _files(root):
    name = path.relative_to(root).as_posix()
    if name in (RECORD_FILE, *CARD_FILES):
      continue
    digest.update(f"{name}\0{path.stat().st_size}\0".encode())
    with path.open("rb") as f:
      while block := f.read(1 << 20):
        digest.update(block)
  return digest.hexdigest()


@contextlib.contextmanager
def _locked(base: pathlib.Path) -> Iterator[None]:
  """Holds the base path for one publisher; clears what killed ones left."""
  try:
    if not base.is_dir():
      base.mkdir(parents=True, exist_ok=True)
      base.chmod(_DIRECTORY_MODE)
    with (base / _LOCK_FILE).open("a") as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      for left in leftovers(base):
        shutil.rmtree(left)
      yield
  except OSError as err:
    raise DlpipeError(
      f"Cannot publish into {base}: {err}. Expected a local directory that may be written and has "
      "room for one more copy of the model."
    ) from err


def _add_version(
  model: pathlib.Path,
  base: pathlib.Path,
  record: Callable[[int], Mapping[str, Any]],
  *,
  card: Mapping[str, str] | None = None,
) -> int:
  """Copies a model under the next number; without a card, the model keeps the one it has."""
  staging = base / f"{_STAGING_PREFIX}{secrets.token_hex(4)}"
  try:
    _copy(model, staging)
    version = _next_version(base)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    values = {**record(version), "version": version, "published_at": now}
    _write(staging / RECORD_FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")
    (staging / RECORD_FILE).chmod(_FILE_MODE)
    for name, text in (card or {}).items():
      _write(staging / name, text)
      (staging / name).chmod(_FILE_MODE)
    for directory, _, _ in os.walk(staging, topdown=False):
      _flush(pathlib.Path(directory))
    # Marked before the rename: a kill in between costs a number, never gives one out twice.
    _write(base / f"{_MARK_FILE}.new", f"{version}\n")
    os.replace(base / f"{_MARK_FILE}.new", base / _MARK_FILE)
    _flush(base)
    os.rename(staging, base / str(version))
    _flush(base)
  finally:
    shutil.rmtree(staging, ignore_errors=True)
  return version


def _was_left(base: pathlib.Path, versions: Mapping[int, pathlib.Path], version: int) -> bool:
  """Whether a rollback was made since: publishing the version again would override it.

  If no whole version is left to roll back to, the rollback no longer counts.
  """
  newest = max(versions)
  if newest <= version or "rollback_of" not in _read_record(versions[newest]):
    return False
  return any(not is_damaged(base, each) for each in versions)


def _previous(base: pathlib.Path, versions: Mapping[int, pathlib.Path]) -> int:
  served = max(versions)
  model = _read_record(versions[served]).get("first_version", served)
  older = [version for version in versions if version < min(model, served)]
  if not older:
    raise BadInputError(
      f"No version in {base} is older than the model now served (version {model}). Known "
      f"versions: {', '.join(map(str, sorted(versions)))}."
    )
  return max(older)


def _next_version(base: pathlib.Path) -> int:
  # Plain files count, too: the server takes any child with a number's name for a version.
  taken = [int(c.name) for c in base.iterdir() if _VERSION_NAME.fullmatch(c.name)]
  mark = base / _MARK_FILE
  if mark.exists():
    text = mark.read_text(encoding="utf-8").strip()
    if not _VERSION_NAME.fullmatch(text):
      raise BadInputError(
        f"Expected one whole number in {mark}. Received: {text!r}. Write the largest version ever "
        "published there, or delete the file if no version was ever deleted."
      )
    taken.append(int(text))
  return max(taken, default=0) + 1


def _version_dirs(base: pathlib.Path) -> dict[int, pathlib.Path]:
  if not base.is_dir():
    return {}
  return {
    int(child.name): child
    for child in base.iterdir()
    if _VERSION_NAME.fullmatch(child.name) and child.is_dir()
  }


def _beside(base: pathlib.Path, path: str) -> str:
  """A path relative to the folder that the served directory is in, if it lies there.

  So a record stays true in a workspace that was moved.
  """
  return path.removeprefix(os.path.join(os.path.dirname(os.path.abspath(base)), ""))


def _origin(base: pathlib.Path, version_dir: pathlib.Path) -> VersionRecord:
  """A version's record; an older release wrote whole paths."""
  record = _read_record(version_dir)
  return record | {"pushed_from": _beside(base, str(record.get("pushed_from")))}


def _read_record(version_dir: pathlib.Path) -> VersionRecord:
  try:
    record = json.loads((version_dir / RECORD_FILE).read_text(encoding="utf-8"))
  except (FileNotFoundError, ValueError):
    return {}
  return cast(VersionRecord, record) if isinstance(record, dict) else {}


def _check_model(directory: pathlib.Path) -> None:
  if not (directory / _MODEL_FILE).is_file():
    raise BadInputError(f"Expected a SavedModel in {directory}. Found no {_MODEL_FILE} there.")


def _files(root: pathlib.Path) -> list[pathlib.Path]:
  found = os.walk(root, followlinks=True)
  return sorted(pathlib.Path(folder, name) for folder, _, names in found for name in names)


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
  """Copies contents and not modes; our record of the source stays behind."""
  for directory, _, names in os.walk(source, followlinks=True):
    folder = target / pathlib.Path(directory).relative_to(source)
    folder.mkdir()
    folder.chmod(_DIRECTORY_MODE)
    for name in names:
      if folder == target and name == RECORD_FILE:
        continue
      shutil.copyfile(os.path.join(directory, name), folder / name)
      (folder / name).chmod(_FILE_MODE)
      _flush(folder / name)


def _write(path: pathlib.Path, text: str) -> None:
  path.write_text(text, encoding="utf-8")
  _flush(path)


def _flush(path: pathlib.Path) -> None:
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)
