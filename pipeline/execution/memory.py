"""The memory that is free, that a run uses, and that each node used when it last ran."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Mapping

from dlpipe import nodes
from dlpipe.disk.whole_files import write_whole
from dlpipe.workspace import TaskFolder

_MB = 10**6
_CGROUP = (
  ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
  (
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
  ),
)


def available_mb() -> float:
  """Returns the free memory of this machine or container, in MB of 10^6 bytes."""
  page = os.sysconf("SC_PAGE_SIZE")
  left = [os.sysconf("SC_PHYS_PAGES") * page / _MB]
  with contextlib.suppress(OSError, StopIteration):
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    line = next(line for line in lines if line.startswith("MemAvailable:"))
    left.append(int(line.split()[1]) * 1024 / _MB)
  for limit, used in _CGROUP:
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
      bound = int(pathlib.Path(limit).read_text())
      left.append((bound - int(pathlib.Path(used).read_text())) / _MB)
  return min(left)


def family_mb() -> float:
  """Returns the resident memory of this process and of all that it started, in MB; 0 if unknown."""
  resident: dict[int, float] = {}
  parents: dict[int, int] = {}
  for folder in pathlib.Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError, ValueError, KeyError):
      lines = (folder / "status").read_text().splitlines()
      facts = dict(line.split(":", 1) for line in lines if ":" in line)
      process = int(facts["Pid"])
      parents[process] = int(facts["PPid"])
      resident[process] = int(facts["VmRSS"].split()[0]) * 1024 / _MB
  return round(sum_of_family(os.getpid(), resident, parents), 1)


def sum_of_family(process: int, values: Mapping[int, float], parents: Mapping[int, int]) -> float:
  """Returns the sum of a process's value and those of all that it started.

  >>> sum_of_family(1, {1: 5.0, 2: 3.0, 3: 1.0, 9: 7.0}, {2: 1, 3: 2, 9: 0})
  9.0
  """
  family, waiting, total = {process}, [process], 0.0
  while waiting:
    member = waiting.pop()
    total += values.get(member, 0.0)
    children = {child for child, parent in parents.items() if parent == member} - family
    waiting += children
    family |= children
  return total


def expected_mb(folder: TaskFolder, node_id: str) -> float:
  """Returns the memory that a node is expected to need: the peak of its last run in this workspace.

  Args:
    folder: the task's folder in the workspace.
    node_id: the node's id.
  """
  return _read(folder).get(node_id) or nodes.named(node_id).memory_mb


def remember(folder: TaskFolder, peaks: Mapping[str, float]) -> None:
  """Keeps the peak memory of nodes, in MB, for the next run."""
  known = {**_read(folder), **peaks}
  write_whole(folder.node_memory, json.dumps(known, indent=2, sort_keys=True))


def _read(folder: TaskFolder) -> dict[str, float]:
  # Only a guess is lost with the file.
  with contextlib.suppress(OSError, ValueError):
    found = json.loads(folder.node_memory.read_text(encoding="utf-8"))
    if isinstance(found, dict):
      return {
        name: float(value) for name, value in found.items() if isinstance(value, (int, float))
      }
  return {}
