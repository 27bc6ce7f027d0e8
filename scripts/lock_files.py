"""Reads the locks in constraints/: the pinned packages and their hashes."""

from __future__ import annotations

import dataclasses
import pathlib
import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "constraints"
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
# "# via tfx" for one parent; "#   tfx", one line each, for several.
_PARENT = re.compile(r" +#(?: via|  ) ([A-Za-z0-9][\w.-]*)(?: \(setup\.py\))?$")


@dataclasses.dataclass(frozen=True, kw_only=True, order=True)
class Pin:
  """One package of a lock.

  Attributes:
    name: canonical name on the package index.
    version: the pinned version.
    hashes: SHA-256 of the files that may be installed, hexadecimal, sorted.
    wanted_by: names of the packages that require it; "dlpipe" is this project.
  """

  name: str
  version: str
  hashes: tuple[str, ...]
  wanted_by: tuple[str, ...]

  def __str__(self) -> str:
    return f"{self.name}=={self.version}"


def find_locks(folder: pathlib.Path = FOLDER) -> list[pathlib.Path]:
  """Returns the locks that users install; subfolders, with other locks, are not searched."""
  return sorted(folder.glob("*.txt"))


def read_lock(path: pathlib.Path) -> list[Pin]:
  """Returns the packages of a lock, sorted by name.

  Raises:
    ValueError: a requirement is not `name==version` with hashes.
  """
  pins: list[Pin] = []
  text = path.read_text(encoding="utf-8").replace("\\\n", " ")
  for line in text.splitlines():
    parent = _PARENT.match(line)
    if parent and pins:
      wanted_by = (*pins[-1].wanted_by, canonicalize_name(parent[1]))
      pins[-1] = dataclasses.replace(pins[-1], wanted_by=wanted_by)
    if line.strip() and not line.lstrip().startswith("#"):
      pins.append(_read_pin(line, path))
  return sorted(pins)


def _read_pin(line: str, path: pathlib.Path) -> Pin:
  wanted = Requirement(line.partition("--hash=")[0].strip())
  versions = [spec.version for spec in wanted.specifier if spec.operator == "=="]
  hashes = tuple(sorted(_HASH.findall(line)))
  if len(versions) != 1 or not hashes:
    raise ValueError(f"{path}: expected name==version with hashes. Received: {line.strip()!r}")
  return Pin(name=canonicalize_name(wanted.name), version=versions[0], hashes=hashes, wanted_by=())
