"""Gathers facts about process, installed packages and machine for `dlpipe doctor`.

Imports neither TensorFlow nor TFX; facts about them come from metadata and file names. The command
calls it; `pipeline.doctor.environment` judges the facts.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import pathlib
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping

from packaging.utils import canonicalize_name

from pipeline.doctor.worlds import CONSTRAINTS, find_world

_HEAVY = ("tensorflow", "tfx", "apache_beam")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s\\;#]+)", re.MULTILINE)
_UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number just below 2**63


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
  """The facts; None if one could not be determined.

  Attributes:
    python: version of the running interpreter.
    platform: system and machine, such as "Linux x86_64".
    glibc: version of the C library.
    installed: canonical distribution name to version.
    requirements: the requirement lines of `dlpipe` itself; None if it is not installed.
    lock: canonical name to tested version; None outside a checkout.
    pinned: names whose locked version is required, not just the newest at the time.
    has_pkg_resources: whether `pkg_resources` can be imported.
    memory: available bytes of memory, container limits included.
    disk: free bytes on the disk of the workspace.
    workspace: the workspace, as the user gave it.
    has_gpu: whether an NVIDIA driver is installed.
    writes_bytecode: whether Python may write bytecode files.
    uncompiled: heavy packages that are installed without bytecode.
  """

  python: tuple[int, int, int]
  platform: str
  glibc: tuple[int, int] | None
  installed: Mapping[str, str]
  requirements: tuple[str, ...] | None
  lock: Mapping[str, str] | None
  pinned: frozenset[str]
  has_pkg_resources: bool
  memory: int | None
  disk: int | None
  workspace: str
  has_gpu: bool
  writes_bytecode: bool
  uncompiled: tuple[str, ...]


def gather(workspace: str) -> Facts:
  """Gathers the facts of this process, its environment and the machine.

  Args:
    workspace: the folder that runs will write to; it need not exist.
  """
  python = sys.version_info[:3]
  lock, pinned = _read_constraints(python)
  system = os.uname()
  return Facts(
    python=(python[0], python[1], python[2]),
    platform=f"{system.sysname} {system.machine}",
    glibc=_glibc(),
    installed=_installed(),
    requirements=_requirements(),
    lock=lock,
    pinned=pinned,
    has_pkg_resources=importlib.util.find_spec("pkg_resources") is not None,
    memory=_available_memory(pathlib.Path("/")),
    disk=_free_disk(pathlib.Path(workspace)),
    workspace=workspace,
    has_gpu=os.path.exists("/proc/driver/nvidia") or shutil.which("nvidia-smi") is not None,
    writes_bytecode=not sys.dont_write_bytecode,
    uncompiled=tuple(_uncompiled()),
  )


def _glibc() -> tuple[int, int] | None:
  library, version = platform.libc_ver()
  numbers = re.match(r"(\d+)\.(\d+)", version)
  if library != "glibc" or not numbers:
    return None
  return int(numbers[1]), int(numbers[2])


def _installed() -> dict[str, str]:
  found: dict[str, str] = {}
  for distribution in importlib.metadata.distributions():
    name = distribution.metadata["Name"]
    if name:  # an interrupted installation leaves folders without metadata
      found.setdefault(str(canonicalize_name(name)), distribution.version)
  return found


def _requirements() -> tuple[str, ...] | None:
  try:
    return tuple(importlib.metadata.requires("dlpipe") or ())
  except importlib.metadata.PackageNotFoundError:
    return None


def _read_constraints(python: tuple[int, ...]) -> tuple[dict[str, str] | None, frozenset[str]]:
  world = find_world(python)
  if world is None:
    return None, frozenset()
  lock, pins = CONSTRAINTS / f"{world.lock}.txt", CONSTRAINTS / f"{world.pins}.in"
  if not (lock.is_file() and pins.is_file()):
    return None, frozenset()
  return parse_pins(lock.read_text("utf-8")), frozenset(parse_pins(pins.read_text("utf-8")))


def parse_pins(text: str) -> dict[str, str]:
  """Returns versions by canonical name, from the `name==version` lines of a requirements file.

  >>> parse_pins("Keras==3.6.0  # tested")
  {'keras': '3.6.0'}
  """
  return {str(canonicalize_name(name)): version for name, version in _PIN.findall(text)}


def _available_memory(root: pathlib.Path) -> int | None:
  """Returns the lesser of the machine's available bytes and the rest of a container's limit."""
  bounds = []
  meminfo = _read(root / "proc/meminfo")
  if available := re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE):
    bounds.append(int(available[1]) * 1024)
  cgroup = root / "sys/fs/cgroup"
  for limit, usage in (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
  ):
    allowed, used = _read(cgroup / limit).strip(), _read(cgroup / usage).strip()
    if allowed.isdigit() and used.isdigit() and int(allowed) < _UNLIMITED:
      bounds.append(max(0, int(allowed) - int(used)))
  return min(bounds, default=None)


def _free_disk(path: pathlib.Path) -> int | None:
  path = path.absolute()
  existing = next(p for p in (path, *path.parents) if p.exists())
  return shutil.disk_usage(existing).free


def _uncompiled() -> Iterator[str]:
  for package in _HEAVY:
    spec = importlib.util.find_spec(package)
    if spec and spec.origin and not os.path.exists(importlib.util.cache_from_source(spec.origin)):
      yield package


def _read(path: pathlib.Path) -> str:
  """Returns the file's text, or "" if the system has no such file."""
  try:
    return path.read_text("utf-8")
  except OSError:
    return ""
