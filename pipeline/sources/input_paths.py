"""Looks at input paths: what exists, what is hidden, what changed. Shared by all sources."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from components.errors import BadInputError

_IGNORED = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx"})

_T = TypeVar("_T")


def is_ignored(name: str) -> bool:
  """Whether a file or folder belongs to an operating system and not to the data."""
  return name.startswith(".") or name.lower() in _IGNORED


def entries(path: str) -> list[os.DirEntry]:
  """The visible entries of a folder, by name.

  Raises:
    BadInputError: the folder cannot be read.
  """
  try:
    with os.scandir(path) as found:
      return sorted((e for e in found if not is_ignored(e.name)), key=lambda e: e.name)
  except OSError as err:
    raise BadInputError(
      f"The folder {path} cannot be read: {err.strerror or err}. Check its permissions."
    ) from err


def require(path: str, *, expected: str) -> None:
  """Raises `BadInputError` unless the path exists."""
  if not os.path.exists(path):
    raise BadInputError(f"Expected {expected}. Nothing exists at {path!r}; check the path.")


def fingerprint(root: str, paths: Iterable[str], *facts: Any) -> str:
  """Changes when a name, size or modification time does, or a fact such as an option."""
  digest = hashlib.sha256(repr(facts).encode("utf-8", "backslashreplace"))
  for path in paths:
    try:
      state = os.stat(path)
      size, changed = state.st_size, state.st_mtime_ns
    except (OSError, ValueError):  # a broken link, a NUL: its record will be rejected
      size, changed = -1, -1
    name = os.path.relpath(path, root)
    digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
  return digest.hexdigest()


def spread(items: Sequence[_T], count: int) -> list[_T]:
  """At most `count` of the items, evenly spaced."""
  if len(items) <= count:
    return list(items)
  return [items[i * len(items) // count] for i in range(count)]


def printable(path: str) -> str:
  """The path for messages: names that are no valid UTF-8 have their bytes escaped."""
  return path.encode("utf-8", "backslashreplace").decode("utf-8")
