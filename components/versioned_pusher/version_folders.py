"""A TensorFlow Serving base path whose every visible version is complete.

A model server polls the base path and loads any child whose whole name is a number, with no check
of its completeness. So a version is copied under a name the server ignores, flushed to the disk,
and then renamed: it appears whole or not at all, whatever is killed when. Numbers only grow, even
after a version was deleted, because the server takes the largest for the newest.

    <base>/1/ ... <base>/7/   versions; each holds `dlpipe.json`, where it came from, and its card
    <base>/.last_version      the largest number ever given out
    <base>/.publish.lock      held while publishing; the kernel frees it when its holder dies
    <base>/.staging-*         a copy in the making, or what a killed publisher left behind

`publish` and `candidates` decide what is published; this module names, copies, locks and checks the
folders. Both import only the standard library and our ground.
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

from dlpipe.disk.whole_files import flush
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.workspace import MODEL_FILE

RECORD_FILE = "dlpipe.json"
# The model card, and what the data looked like: about the model, and no part of it.
CARD_FILES = ("MODEL_CARD.md", "model_card.json", "data_profile.json")
_LOCK_FILE = ".publish.lock"
MARK_FILE = ".last_version"
STAGING_PREFIX = ".staging-"
# Whatever the umask: a model server in a container usually runs as another user.
_DIRECTORY_MODE, FILE_MODE = 0o755, 0o644
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
    live_as: the number under which the model went live, which its copies and rollbacks keep; 0 of a
      canary, which never did; without it, `first_version`.
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
  live_as: int
  repairs: int
  data_options: dict[str, Any]


def list_versions(base_dir: PathLike) -> list[int]:
  """Returns the versions in `base_dir`, ascending; empty if there is no such directory."""
  return sorted(version_dirs(pathlib.Path(base_dir)))


def leftovers(base_dir: PathLike) -> list[pathlib.Path]:
  """Copies that are being made, or that a killed publisher left behind."""
  return sorted(pathlib.Path(base_dir).glob(f"{STAGING_PREFIX}*"))


def version_record(base_dir: PathLike, version: int) -> VersionRecord:
  """Returns the origin of a version; empty for a version that something else put there.

  Raises:
    BadInputError: there is no such version.
  """
  versions = version_dirs(pathlib.Path(base_dir))
  if version not in versions:
    raise BadInputError(
      f"No version {version} in {os.fspath(base_dir)}. Known versions: {sorted(versions)}."
    )
  return read_record(versions[version])


def is_whole(base_dir: PathLike, version: int) -> bool:
  """Returns whether a version has a record, and its files are those that the record names."""
  path = pathlib.Path(base_dir, str(version))
  recorded = read_record(path).get("sha256")
  try:
    return recorded is not None and content_digest(path) == recorded
  except OSError:  # a file that cannot be read
    return False


def is_damaged(base_dir: PathLike, version: int) -> bool:
  """Returns whether a version's files are not those that its record names.

  A version without a record was put there by something else, and nothing is known of it.
  """
  path = version_dirs(pathlib.Path(base_dir)).get(version)
  if path is None or "sha256" not in read_record(path):
    return False
  return not is_whole(base_dir, version)


def content_digest(directory: PathLike) -> str:
  """Hashes names and bytes of all files in `directory`, except our record and card, by SHA-256."""
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
def locked(base: pathlib.Path) -> Iterator[None]:
  """Holds the base path for one publisher; clears what killed ones left."""
  try:
    if not base.is_dir():
      base.mkdir(parents=True, exist_ok=True)
      base.chmod(_DIRECTORY_MODE)
    with (base / _LOCK_FILE).open("a") as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      for left in leftovers(base):
        remove(left)
      yield
  except OSError as err:
    raise DlpipeError(
      f"Cannot publish into {base}: {err}. Expected a local directory that may be written and has "
      "room for one more copy of the model."
    ) from err


def add_version(
  model: pathlib.Path,
  base: pathlib.Path,
  record: Callable[[int], Mapping[str, Any]],
  *,
  card: Mapping[str, str] | None = None,
) -> int:
  """Copies a model under the next number; without a card, the model keeps the one it has."""
  staging = base / f"{STAGING_PREFIX}{secrets.token_hex(4)}"
  try:
    _copy(model, staging)
    version = next_version(base)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    values = {**record(version), "version": version, "published_at": now}
    write(staging / RECORD_FILE, json.dumps(values, indent=2, sort_keys=True) + "\n")
    (staging / RECORD_FILE).chmod(FILE_MODE)
    for name, text in (card or {}).items():
      write(staging / name, text)
      (staging / name).chmod(FILE_MODE)
    for directory, _, _ in os.walk(staging, topdown=False):
      flush(pathlib.Path(directory))
    # Marked before the rename: a kill in between costs a number, never gives one out twice.
    mark(base, version)
    os.rename(staging, base / str(version))
    flush(base)
  finally:
    shutil.rmtree(staging, ignore_errors=True)
  return version


def mark(base: pathlib.Path, number: int) -> None:
  """Records the largest number ever given out, whole or not at all; the caller holds the lock."""
  write(base / f"{MARK_FILE}.new", f"{number}\n")
  os.replace(base / f"{MARK_FILE}.new", base / MARK_FILE)
  flush(base)


def next_version(base: pathlib.Path) -> int:
  """Returns the number that no version has had; the caller holds the lock.

  Raises:
    BadInputError: the mark was damaged by hand.
  """
  # Plain files count, too: the server takes any child with a number's name for a version.
  taken = [int(c.name) for c in base.iterdir() if _VERSION_NAME.fullmatch(c.name)]
  mark = base / MARK_FILE
  if mark.exists():
    text = mark.read_text(encoding="utf-8").strip()
    if not _VERSION_NAME.fullmatch(text):
      raise BadInputError(
        f"Expected one whole number in {mark}. Received: {text!r}. Write the largest version ever "
        "published there, or delete the file if no version was ever deleted."
      )
    taken.append(int(text))
  return max(taken, default=0) + 1


def version_dirs(base: pathlib.Path) -> dict[int, pathlib.Path]:
  """Returns the folders of the versions by number; empty if there is no such directory."""
  if not base.is_dir():
    return {}
  return {
    int(child.name): child
    for child in base.iterdir()
    if _VERSION_NAME.fullmatch(child.name) and child.is_dir()
  }


def beside(base: pathlib.Path, path: str) -> str:
  """Returns a path relative to the folder that the served directory is in, if it lies there.

  So a record stays true in a workspace that was moved.
  """
  return path.removeprefix(os.path.join(os.path.dirname(os.path.abspath(base)), ""))


def read_record(version_dir: pathlib.Path) -> VersionRecord:
  """Reads a version's record; empty if it has none, or a damaged one."""
  try:
    record = json.loads((version_dir / RECORD_FILE).read_text(encoding="utf-8"))
  except (FileNotFoundError, ValueError):
    return {}
  return cast(VersionRecord, record) if isinstance(record, dict) else {}


def turn(record: VersionRecord, number: int) -> int:
  """Returns the number under which a version's model went live; 0 if it never did."""
  return record.get("live_as", record.get("first_version", number))


def way_back(turns: Mapping[int, int]) -> int | None:
  """Returns the version that a rollback goes back to; None if there is none.

  Args:
    turns: version to `turn`, of the versions that servers see.
  """
  served = max(turns)
  before = min(served, turns[served] or served)
  return max((number for number in turns if number < before and turns[number]), default=None)


def check_model(directory: pathlib.Path) -> None:
  """Raises `BadInputError` if a directory holds no SavedModel."""
  if not (directory / MODEL_FILE).is_file():
    raise BadInputError(f"Expected a SavedModel in {directory}. Found no {MODEL_FILE} there.")


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
      (folder / name).chmod(FILE_MODE)
      flush(folder / name)


def remove(path: pathlib.Path) -> None:
  """Deletes a folder, a file, or a link but not what it names."""
  if path.is_dir() and not path.is_symlink():
    shutil.rmtree(path)
  else:
    path.unlink(missing_ok=True)


def write(path: pathlib.Path, text: str) -> None:
  """Writes a file and flushes it to the disk."""
  path.write_text(text, encoding="utf-8")
  flush(path)
