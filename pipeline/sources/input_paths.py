"""Lists input paths and hidden folders, and detects changes; shared by all sources."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from dlpipe.errors import BadInputError
from dlpipe.recognition import Unread

# Names that systems and tools leave beside data, in lower case.
_IGNORED = frozenset(
  {
    *("thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "@eadir", "#recycle"),
    *("$recycle.bin", "system volume information", "lost+found", "__pycache__"),
  }
)
_HIDDEN_TOOLS = frozenset(
  {
    *(".git", ".svn", ".hg", ".dvc", ".ipynb_checkpoints", ".cache", ".huggingface", ".idea"),
    *(".vscode", ".venv", ".thumbnails", ".appledouble", ".spotlight-v100", ".fseventsd"),
    *(".temporaryitems", ".documentrevisions-v100", ".trashes", ".stfolder", ".stversions"),
  }
)
# Ends the names of the maps that `dlpipe predict --why` draws, perhaps beside the pictures.
MAP_SUFFIX = ".why.png"
SPECIAL = "no file, but a pipe, a socket or a device"

_T = TypeVar("_T")


def is_ignored(name: str) -> bool:
  """Returns whether a file or folder belongs to a system, or to `dlpipe`, and not to the data."""
  return name.startswith(".") or name.lower() in _IGNORED or name.endswith(MAP_SUFFIX)


class Entry:
  """An entry of a folder; a link to itself is neither a file nor a folder."""

  __slots__ = ("_entry", "name", "path")

  def __init__(self, entry: os.DirEntry[str]):
    self._entry = entry
    self.name = entry.name
    self.path = entry.path

  def is_file(self) -> bool:
    """Returns whether it is a file, or a link to one."""
    try:
      return self._entry.is_file()
    except OSError:
      return False

  def is_dir(self) -> bool:
    """Returns whether it is a folder, or a link to one."""
    try:
      return self._entry.is_dir()
    except OSError:
      return False


def is_special(path: str) -> bool:
  """Returns whether a path is a pipe, a socket or a device, whose reading may never end."""
  return not os.path.isfile(path) and os.path.exists(path) and not os.path.isdir(path)


def entries(path: str) -> list[Entry]:
  """Returns the visible entries of a folder, by name.

  Raises:
    BadInputError: the folder cannot be read.
  """
  return [entry for entry in _scan(path) if not is_ignored(entry.name)]


def files_below(folder: str, above: frozenset[str] = frozenset()) -> Iterator[str]:
  """Yields the paths of the visible files in a folder and in those below it, by name.

  Args:
    folder: its path.
    above: the real paths of the folders that it lies in; a link to one of them is not followed.

  Raises:
    BadInputError: a folder cannot be read.
  """
  real = os.path.realpath(folder)
  if real in above:
    return
  for entry in entries(folder):
    if entry.is_dir():
      yield from files_below(entry.path, above | {real})
    else:
      yield entry.path


def _scan(path: str) -> list[Entry]:
  try:
    with os.scandir(path) as found:
      return sorted(map(Entry, found), key=lambda e: e.name)
  except OSError as err:
    raise BadInputError(
      f"The folder {path} cannot be read: {err.strerror or err}. Check its permissions."
    ) from err


def _is_of_a_tool(name: str) -> bool:
  return name in _HIDDEN_TOOLS or name.startswith((".trash", "._"))


def hidden_folders(path: str) -> list[Entry]:
  """Returns the folders whose names begin with a dot, by name, except those of systems and tools.

  Raises:
    BadInputError: the folder cannot be read.
  """
  return [
    entry
    for entry in _scan(path)
    if entry.name.startswith(".") and entry.is_dir() and not _is_of_a_tool(entry.name.lower())
  ]


def unread(path: str, files: Iterable[str], reason: str) -> list[Unread]:
  """Lists the content of a folder that is not read; empty if the path is a file.

  Args:
    path: the input.
    files: the absolute paths of the files that are read.
    reason: why other files are not read.
  """
  if not os.path.isdir(path):
    return []
  taken = set(files)
  return [
    Unread(
      name=printable(entry.name) + ("/" if entry.is_dir() else ""),
      reason="a folder" if entry.is_dir() else reason,
    )
    for entry in entries(path)
    if os.path.abspath(entry.path) not in taken
  ]


def require(path: str, *, expected: str) -> None:
  """Raises `BadInputError` unless the path exists."""
  if not os.path.exists(path):
    raise BadInputError(f"Expected {expected}. Nothing exists at {path!r}; check the path.")


def fingerprint(root: str, paths: Iterable[str], *facts: Any) -> str:
  """Hashes names, sizes and modification times of files, and facts such as options."""
  digest = hashlib.sha256(repr(facts).encode("utf-8", "backslashreplace"))
  for path in paths:
    try:
      state = os.stat(path)
      size, changed = state.st_size, state.st_mtime_ns
    except (OSError, ValueError):  # a broken link or a NUL: `read` rejects the record
      size, changed = -1, -1
    name = os.path.relpath(path, root)
    digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
  return digest.hexdigest()


def spread(items: Sequence[_T], count: int) -> list[_T]:
  """Returns at most `count` of the items, evenly spaced."""
  if len(items) <= count:
    return list(items)
  return [items[i * len(items) // count] for i in range(count)]


def printable(path: str) -> str:
  """Returns the path for messages, with the bytes of invalid UTF-8 escaped."""
  return path.encode("utf-8", "backslashreplace").decode("utf-8")
