"""Cuts lists of picture files into shards of mixed neighbours and bounded size."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

_FILES = 1000
_BYTES = 64 << 20


def split_files(
  files: Sequence[tuple[str, str | None, str | None]], root: str
) -> list[list[tuple[str, str | None, str | None]]]:
  """Shards of up to 1,000 files and 64 MiB.

  The files are put in the order of their names' hashes: every shard holds a mixture of the classes,
  so that training sees mixed batches although nothing is shuffled later.
  """
  mixed = sorted(files, key=lambda f: hashlib.md5(os.fsencode(f[0])).digest())
  shards: list[list[tuple[str, str | None, str | None]]] = [[]]
  size = 0
  for file in mixed:
    try:
      file_size = os.path.getsize(os.path.join(root, file[0]))
    except OSError:
      file_size = 0
    if shards[-1] and (len(shards[-1]) >= _FILES or size + file_size > _BYTES):
      shards.append([])
      size = 0
    shards[-1].append(file)
    size += file_size
  return shards
