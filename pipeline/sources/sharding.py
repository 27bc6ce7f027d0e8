"""Groups files or parts of files into shards of bounded size with records of mixed origin.

Inputs are often sorted by class or by length. Because the parts of a shard come from all over the
input, training gets mixed batches without a shuffle.
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
  """Groups files into shards of up to 1,000 files and 64 MiB, in the order of their names' hashes.

  Args:
    files: tuples that begin with the file's name.
    root: the folder to which the names are relative.
  """
  mixed = sorted(files, key=lambda f: hashlib.md5(os.fsencode(f[0])).digest())
  shards: list[list[_File]] = [[]]
  size = 0
  for file in mixed:
    try:
      file_size = os.path.getsize(os.path.join(root, file[0]))
    except (OSError, ValueError):  # since Python 3.11 a NUL in a name raises ValueError
      file_size = 0
    if shards[-1] and (len(shards[-1]) >= _FILES or size + file_size > _BYTES):
      shards.append([])
      size = 0
    shards[-1].append(file)
    size += file_size
  return shards


def mix(parts: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
  """Mixes the parts into shards `{"parts": [...]}` of up to `count` parts each."""
  shards = -(-len(parts) // count)
  return [{"parts": list(parts[i::shards])} for i in range(shards)]
