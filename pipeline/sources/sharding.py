"""Puts what is read into shards of bounded size whose records are of mixed origin.

Inputs are often sorted, by class or by length. Where the parts of a shard come from all over the
input, training sees mixed batches although nothing is shuffled on the way.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

_File = TypeVar("_File", bound="tuple[Any, ...]")

_FILES = 1000
_BYTES = 64 << 20


def split_files(files: Sequence[_File], root: str) -> list[list[_File]]:
  """Shards of up to 1,000 files and 64 MiB, in the order of their names' hashes.

  Args:
    files: tuples that begin with the file's name.
    root: what the names are relative to.
  """
  mixed = sorted(files, key=lambda f: hashlib.md5(os.fsencode(f[0])).digest())
  shards: list[list[_File]] = [[]]
  size = 0
  for file in mixed:
    try:
      file_size = os.path.getsize(os.path.join(root, file[0]))
    except (OSError, ValueError):  # since Python 3.11 a NUL in a name is a ValueError
      file_size = 0
    if shards[-1] and (len(shards[-1]) >= _FILES or size + file_size > _BYTES):
      shards.append([])
      size = 0
    shards[-1].append(file)
    size += file_size
  return shards


def mix(parts: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
  """Shards of up to `count` parts each, `{"parts": [...]}`, from all over the sequence."""
  shards = -(-len(parts) // count)
  return [{"parts": list(parts[i::shards])} for i in range(shards)]
