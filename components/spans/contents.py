"""What is in a span: a hash of its bytes, which is computed again only where a file has changed.

A file that is merely copied again is no other content. Hidden files do not count. Imports no TFX.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Iterator

from dlpipe.disk.whole_files import write_whole

_BLOCK = 1 << 20
_FILE = "contents.json"


class Contents:
  """The hashes of spans, kept in a file with the state of the files that they were made of."""

  def __init__(self, root: str):
    """Reads what is known; `root` is the folder of kept spans."""
    self._path = pathlib.Path(root) / _FILE
    try:
      self._known: dict[str, dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
      self._known = {}

  def of(self, path: str, *, only_known: bool = False) -> str | None:
    """Returns the hash of a span's bytes; empty for one without a byte.

    Args:
      path: the span's file or folder.
      only_known: whether to return None instead of reading a path for the first time.
    """
    state = state_of(path)
    known = self._known.get(path)
    if known is not None and known["state"] == state:
      return known["content"]
    if known is None and only_known:
      return None
    content = _content(path)
    self._known[path] = {"state": state, "content": content}
    return content

  def save(self, paths: list[str]) -> None:
    """Writes the hashes of these paths, and forgets all others."""
    self._known = {path: self._known[path] for path in paths if path in self._known}
    write_whole(self._path, json.dumps(self._known, indent=1))


def state_of(path: str) -> str:
  """Hashes names, sizes and modification times of a span's files."""
  digest = hashlib.sha256()
  for name, file in _files(path):
    found = os.stat(file)
    digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode("utf-8", "replace"))
  return digest.hexdigest()


def has_bytes(path: str) -> bool:
  """Returns whether a span has a file that is not empty."""
  return any(os.path.getsize(file) for _, file in _files(path))


def _content(path: str) -> str:
  digest = hashlib.sha256()
  is_empty = True
  for name, file in _files(path):
    of_file = hashlib.sha256()
    with open(file, "rb") as opened:
      while block := opened.read(_BLOCK):
        is_empty = False
        of_file.update(block)
    digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + of_file.digest())
  return "" if is_empty else digest.hexdigest()


def _files(path: str) -> Iterator[tuple[str, str]]:
  """Yields the name inside of the span, empty for a span that is a file, and the path of files."""
  if not os.path.isdir(path):
    yield "", path
    return
  for folder, folders, names in os.walk(path, followlinks=True):
    folders[:] = sorted(each for each in folders if not each.startswith("."))
    for name in sorted(names):
      file = os.path.join(folder, name)
      if not name.startswith(".") and os.path.exists(file):
        yield os.path.relpath(file, path), file
