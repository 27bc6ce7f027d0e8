"""Copies what an address names into a local folder.

A copy is of one state of the store and does not change any more: its folder is named by the names,
sizes and times of the files. The next state takes over the files that stayed the same, as links to
the same bytes, and reads only the others; a copy that was cut short goes on. The copy before stays
for a run that may still read it; older ones are deleted.

    <folder>/<hash of the address>/<hash of the state>/NAME       the files
    <folder>/<hash of the address>/<hash of the state>.json       the state
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import threading
from collections.abc import Iterator

from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.progress import report
from dlpipe.remote.addresses import is_remote, rest_of
from dlpipe.remote.items import Item, Store
from dlpipe.remote.stores import failures_of, open_store

_SIDE_BY_SIDE = 16
_KEPT = 2
_LOCK, _PARTIAL = ".lock", ".partial"
_BLOCK = 1 << 20
_ROUNDED_S = 0.001  # what a file system may make of a time
_State = dict[str, list[float | int | None]]


def local(path: str, folder: str | os.PathLike[str]) -> str:
  """Returns a path on this machine with the content of a path or an address.

  Args:
    path: a local path, which is returned as it is, or an address of `addresses.SCHEMES`.
    folder: where copies are kept; made if there is something to copy.

  Raises:
    BadInputError: nothing is there, or it cannot be read with these credentials.
    DlpipeError: the connection was lost, or a file changed while it was copied.
  """
  if not is_remote(path):
    return path
  with failures_of(path):
    store = open_store(path)
    kind, items = store.items()
    if not items:
      raise BadInputError(f"There is nothing at {path}. Check the address.")
    own = pathlib.Path(folder) / _hash(path)
    state: _State = {item.name: [item.size, item.changed] for item in items}
    key = _hash(json.dumps(state, sort_keys=True))
    name = rest_of(path).rpartition("/")[2]
    inside = name if kind == "folder" else ""
    if not (own / key).is_dir():
      _copy(store, items, state, own, key, inside)
    os.utime(own / f"{key}.json")
    _delete_older(own)
  return str(own / key / (items[0].name if kind == "file" else name))


@contextlib.contextmanager
def named(address: str, copy: str) -> Iterator[None]:
  """Makes errors about a copy name the address that the user knows."""
  try:
    yield
  except DlpipeError as err:
    if copy == address or copy not in str(err):
      raise
    raise type(err)(str(err).replace(copy, address.rstrip("/"))) from err


def _copy(
  store: Store, items: list[Item], state: _State, own: pathlib.Path, key: str, inside: str
) -> None:
  own.mkdir(parents=True, exist_ok=True)
  with (own / _LOCK).open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)  # another process may copy the same
    if (own / key).is_dir():
      return
    partial = own / _PARTIAL
    target = partial / inside
    target.mkdir(parents=True, exist_ok=True)
    wanted = {_place(item, target): item for item in items}
    for path in [path for path in partial.rglob("*") if path.is_file()]:
      if path not in wanted or not _is_whole(path, wanted[path]):
        path.unlink()  # of another state, or cut short
    before = _latest(own)
    left = [
      item
      for path, item in wanted.items()
      if not path.exists() and not _took_over(item, path, before, inside)
    ]
    report(f"Copying {len(left):,} of {len(items):,} files", files=len(left))
    is_lost = threading.Event()

    def fetch(item: Item) -> None:
      if is_lost.is_set():  # else each of thousands of files would try the lost connection
        return
      try:
        _fetch(store, item, _place(item, target))
      except BaseException:
        is_lost.set()
        raise

    with concurrent.futures.ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
      for done in [pool.submit(fetch, item) for item in left]:
        done.result()
    _require_unchanged(store, state, left)
    (own / f"{key}.json").write_text(json.dumps(state, sort_keys=True), encoding="utf-8")
    partial.rename(own / key)


def _require_unchanged(store: Store, state: _State, read: list[Item]) -> None:
  """Checks that what was just read is still what was listed: a copy is of one state.

  Raises:
    DlpipeError: a file changed, or is gone.
  """
  if not read:
    return
  now = {item.name: [item.size, item.changed] for item in store.items()[1]}
  if changed := [item.source for item in read if now.get(item.name) != state[item.name]]:
    raise DlpipeError(
      f"{len(changed):,} files changed while they were copied, among them {changed[0]}. Run again "
      "when nothing writes to them any more."
    )


def _is_whole(path: pathlib.Path, item: Item) -> bool:
  """Returns whether an earlier try copied a file to its end, given the time of the store."""
  found = path.stat()
  return abs(found.st_mtime - item.changed) < _ROUNDED_S and item.size in (None, found.st_size)


def _fetch(store: Store, item: Item, path: pathlib.Path) -> None:
  """Copies one file; its time becomes that of the store when it is whole."""
  with store.open(item) as stream, path.open("wb") as file:
    shutil.copyfileobj(stream, file, _BLOCK)
  if item.size is not None and path.stat().st_size != item.size:
    raise DlpipeError(
      f"{item.source} has {path.stat().st_size:,} bytes, and {item.size:,} were listed: it changed "
      "while it was copied. Run again when nothing writes to it any more."
    )
  os.utime(path, (item.changed, item.changed))


def _took_over(
  item: Item, path: pathlib.Path, before: tuple[pathlib.Path, _State] | None, inside: str
) -> bool:
  """Links a file of the copy before, if it is the same there."""
  if before is None or before[1].get(item.name) != [item.size, item.changed]:
    return False
  try:
    os.link(before[0] / inside / item.name, path)
  except OSError:  # gone, or a file system without links
    return False
  return True


def _place(item: Item, target: pathlib.Path) -> pathlib.Path:
  """Returns the path of a file's copy; its folder is made."""
  parts = item.name.split("/")
  if {"", ".", ".."} & set(parts):
    raise BadInputError(f"{item.source} has a name that no file here can have. Rename it.")
  path = target.joinpath(*parts)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
  except (FileExistsError, NotADirectoryError) as err:
    raise BadInputError(
      f"{item.source} is in a folder whose name another file of the store has. Rename one of them."
    ) from err
  return path


def _latest(own: pathlib.Path) -> tuple[pathlib.Path, _State] | None:
  """Returns the folder and the state of the copy that was used last."""
  for path in _states(own)[:1]:
    with contextlib.suppress(OSError, ValueError):
      return path.with_suffix(""), json.loads(path.read_text(encoding="utf-8"))
  return None


def _delete_older(own: pathlib.Path) -> None:
  for path in _states(own)[_KEPT:]:
    shutil.rmtree(path.with_suffix(""), ignore_errors=True)
    path.unlink(missing_ok=True)


def _states(own: pathlib.Path) -> list[pathlib.Path]:
  """Returns the states that were copied, the one that was used last first."""
  return sorted(own.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)


def _hash(text: str) -> str:
  return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
