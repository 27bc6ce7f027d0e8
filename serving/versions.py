"""Which versions of a model there are on the disk, and which of them should be served.

Source: tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping

# What absl::SimpleAtoi takes, without the white space and the sign that no one names a folder with.
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)
_INT64_MAX = 2**63 - 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class VersionPolicy:
  """Which versions should be served: the newest ones, some by number, or all.

  Attributes:
    latest: how many of the newest; 0 where another rule holds.
    specific: numbers; empty where another rule holds.
  """

  latest: int = 1
  specific: frozenset[int] = frozenset()

  def choose(self, found: Mapping[int, pathlib.Path]) -> dict[int, pathlib.Path]:
    """The versions of `found` that should be served, ascending."""
    numbers = sorted(found)
    if self.specific:
      numbers = [number for number in numbers if number in self.specific]
    elif self.latest:
      numbers = numbers[-self.latest :]
    return {number: found[number] for number in numbers}


LATEST = VersionPolicy()
ALL = VersionPolicy(latest=0)


def find_versions(base_path: str | os.PathLike[str]) -> dict[int, pathlib.Path]:
  """Number to path of every version below a base path.

  A version is a child whose whole name is a number, whatever is in it: who publishes renames.

  Raises:
    OSError: the base path cannot be listed.
  """
  found = {}
  for child in sorted(pathlib.Path(base_path).iterdir()):
    if _NUMBER.fullmatch(child.name) and int(child.name) <= _INT64_MAX:
      found[int(child.name)] = child
  return found
