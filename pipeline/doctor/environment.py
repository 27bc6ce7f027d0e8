"""Judges from facts whether an environment can run a pipeline; reads and changes nothing.

`judge` turns `Facts` into findings, so tests can check it with made-up facts. Called by `dlpipe
doctor`. Imports neither TensorFlow nor TFX: it must work if they cannot be imported.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.doctor.environment_facts import Facts
from pipeline.doctor.worlds import APPLE_SILICON, LINUX, dotted, find_world, worlds

GIB = 1024**3
# A run of a shipped sample peaks near 2 GiB; larger data and two workers need more.
MIN_MEMORY, ENOUGH_MEMORY = 2 * GIB, 4 * GIB
# A first run writes examples, transformed examples and models a few times over.
MIN_DISK, ENOUGH_DISK = GIB // 2, 5 * GIB
_SHOWN = 5

State = Literal["ok", "warning", "broken"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
  """The result of one check.

  Attributes:
    name: name of the check.
    state: "ok"; "warning" if it makes runs slow or uncertain; "broken" if it prevents them.
    found: the facts, in words.
    remedy: what to do; empty if nothing is needed.
  """

  name: str
  state: State
  found: str
  remedy: str = ""

  def to_json(self) -> dict[str, str]:
    """Returns all fields as JSON."""
    return dataclasses.asdict(self)


def judge(facts: Facts) -> list[Finding]:
  """Returns every finding, in the order in which a reader should mend them."""
  return [
    _check_python(facts),
    _check_platform(facts),
    _check_requirements(facts),
    _check_lock(facts),
    _check_pkg_resources(facts),
    _check_memory(facts),
    _check_disk(facts),
    _check_gpu(facts),
    _check_bytecode(facts),
  ]


def _check_python(facts: Facts) -> Finding:
  version = dotted(facts.python)
  world = find_world(facts.python)
  if world is None:
    *others, last = [dotted(known.python) for known in worlds()]
    return Finding(
      name="Python",
      state="broken",
      found=f"{version}; expected {', '.join(others)} or {last}",
      remedy="make install, which takes a Python that fits, or has uv fetch one",
    )
  found = f"{version}, which goes with TFX {world.tfx}"
  if world.kept_until:
    found += f"; past its end of life, and kept until {world.kept_until}"
  return Finding(name="Python", state="ok", found=found)


def _check_platform(facts: Facts) -> Finding:
  name, world = "platform", find_world(facts.python)
  if facts.platform == APPLE_SILICON:
    if world and not world.apple_silicon:
      return Finding(
        name=name,
        state="broken",
        found=f"{facts.platform}; TFX {world.tfx} has no wheels for it",
        remedy=f"make install PYTHON={dotted(worlds()[0].python)}",
      )
    return Finding(
      name=name,
      state="warning",
      found=f"{facts.platform}; TFX has wheels for it, and dlpipe has not been tried there",
    )
  found = f"{facts.platform}, {f'glibc {dotted(facts.glibc)}' if facts.glibc else 'no glibc'}"
  if facts.platform != LINUX or facts.glibc is None:
    return Finding(
      name=name,
      state="broken",
      found=f"{found}; TFX has wheels for Linux x86_64 with glibc and for Apple silicon only",
      remedy="Use such a machine, or a container with --platform linux/amd64.",
    )
  if world and facts.glibc < world.glibc:
    return Finding(
      name=name,
      state="broken",
      found=f"{found}; TFX {world.tfx} needs glibc >= {dotted(world.glibc)}",
      remedy="make install, which takes a Python that fits this machine",
    )
  return Finding(name=name, state="ok", found=found)


def _check_requirements(facts: Facts) -> Finding:
  name = "requirements"
  if facts.requirements is None:
    return Finding(
      name=name,
      state="broken",
      found="dlpipe itself is not installed, so Beam's worker processes cannot import it",
      remedy="make install",
    )
  environment = {
    "python_version": f"{facts.python[0]}.{facts.python[1]}",
    "python_full_version": ".".join(map(str, facts.python)),
    "extra": "",
  }
  unmet, count = [], 0
  for requirement in map(Requirement, facts.requirements):
    if requirement.marker and not requirement.marker.evaluate(environment):
      continue
    count += 1
    version = facts.installed.get(canonicalize_name(requirement.name))
    if version is None or not requirement.specifier.contains(version, prereleases=True):
      unmet.append(f"{requirement.name}{requirement.specifier} ({version or 'missing'})")
  if unmet:
    return Finding(
      name=name,
      state="broken",
      found=f"{len(unmet)} of {count} not met: {_some(unmet)}",
      remedy="make install",
    )
  return Finding(name=name, state="ok", found=f"all {count} met")


def _check_lock(facts: Facts) -> Finding:
  name = "tested versions"
  if facts.lock is None:
    return Finding(
      name=name, state="ok", found="not compared: no constraints folder beside the sources"
    )
  differing = {
    package: f"{package} {facts.installed[package]} (tested {tested})"
    for package, tested in sorted(facts.lock.items())
    if package in facts.installed and facts.installed[package] != tested
  }
  if not differing:
    return Finding(name=name, state="ok", found="every package as in the constraints")
  clashing = [text for package, text in differing.items() if package in facts.pinned]
  if clashing:
    return Finding(
      name=name,
      state="broken",
      found=f"{len(clashing)} known to matter: {_some(clashing)}",
      remedy="make clean install",
    )
  return Finding(
    name=name,
    state="warning",
    found=f"{len(differing)} not as tested: {_some(list(differing.values()))}",
    remedy="make clean install",
  )


def _check_pkg_resources(facts: Facts) -> Finding:
  version = facts.installed.get("setuptools", "missing")
  if facts.has_pkg_resources:
    return Finding(name="pkg_resources", state="ok", found=f"in setuptools {version}")
  return Finding(
    name="pkg_resources",
    state="broken",
    found=f"not in setuptools {version}; TensorBoard and others import it",
    remedy="Install 'setuptools<82', or: make clean install",
  )


def _check_memory(facts: Facts) -> Finding:
  return _check_room(
    "memory",
    facts.memory,
    "available",
    minimum=MIN_MEMORY,
    enough=ENOUGH_MEMORY,
    remedy="Close other programs, raise the container's limit, or use --tiny.",
  )


def _check_disk(facts: Facts) -> Finding:
  return _check_room(
    "disk",
    facts.disk,
    f"free for {facts.workspace}",
    minimum=MIN_DISK,
    enough=ENOUGH_DISK,
    remedy="Make room there, or name another place with --workspace.",
  )


def _check_room(
  name: str, size: int | None, what: str, *, minimum: int, enough: int, remedy: str
) -> Finding:
  if size is None:
    return Finding(name=name, state="warning", found=f"unknown how much is {what}")
  found = f"{size / GIB:.1f} GiB {what}"
  if size >= enough:
    return Finding(name=name, state="ok", found=found)
  state: State = "warning" if size >= minimum else "broken"
  bound = enough if state == "warning" else minimum
  found += f"; {'expected' if state == 'warning' else 'needed'} {bound / GIB:g} GiB"
  return Finding(name=name, state=state, found=found, remedy=remedy)


def _check_gpu(facts: Facts) -> Finding:
  if not facts.has_gpu:
    return Finding(name="GPU", state="ok", found="none; training uses the CPU")
  if any(package.startswith("nvidia-cudnn") for package in facts.installed):
    return Finding(name="GPU", state="ok", found="NVIDIA driver and CUDA packages are there")
  tensorflow = facts.installed.get("tensorflow", "")
  exact = f"=={tensorflow}" if tensorflow else ""
  return Finding(
    name="GPU",
    state="warning",
    found="NVIDIA driver is there, CUDA packages are not: training may use the CPU",
    remedy=f"Install 'tensorflow[and-cuda]{exact}' into this environment.",
  )


def _check_bytecode(facts: Facts) -> Finding:
  if not facts.uncompiled:
    return Finding(name="bytecode", state="ok", found="the heavy packages are compiled")
  packages = ", ".join(facts.uncompiled)
  if facts.writes_bytecode:
    found = f"the first start compiles {packages}"
    return Finding(name="bytecode", state="ok", found=found)
  return Finding(
    name="bytecode",
    state="warning",
    found=f"PYTHONDONTWRITEBYTECODE is set and not compiled: {packages}; "
    "each start compiles them again, some 20 s",
    remedy="make clean install, or: python -m compileall -q followed by the site-packages folder",
  )


def _some(items: list[str]) -> str:
  more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
  return ", ".join(items[:_SHOWN]) + more
