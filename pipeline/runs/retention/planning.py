"""Decides which runs, versions and files of a task may be deleted. Reads nothing.

A bound of `keep` says what may go; what is protected stays whatever the bounds say.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterable, Mapping

from components.versioned_pusher.version_folders import way_back
from pipeline.runs import result
from pipeline.runs.retention.sizes import Linked
from pipeline.settings.keep import KeepConfig

_GOOD = (result.PUSHED, result.CACHED)
DAY_S = 86400.0
# An orchestrator may be between two nodes of a run for so long.
_BETWEEN_NODES_S = DAY_S
_MB = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownRun:
  """A run in a metadata store.

  Attributes:
    run_id: its name.
    started: when it began, in seconds since 1970.
    state: as `PastRun` has it.
    outputs: the paths of the artifacts that it made or took from the cache.
    inputs: the paths of the artifacts that it read.
    version: the version that it pushed, or found to be pushed; None if none.
    files: its report, log, quarantined records and repetition.
  """

  run_id: str
  started: float
  state: str
  outputs: frozenset[str] = frozenset()
  inputs: frozenset[str] = frozenset()
  version: int | None = None
  files: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownVersion:
  """A version in the served directory.

  Attributes:
    number: its number.
    path: its folder.
    first_version: the number under which the same model was first published.
    turn: the number under which the model went live; 0 of a canary, which did not.
    since: when it was published, in seconds since 1970; None if dlpipe did not publish it.
    is_candidate: whether no server takes it.
  """

  number: int
  path: str
  first_version: int
  turn: int
  since: float | None
  is_candidate: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class LooseFile:
  """A file or folder of no known run.

  Attributes:
    path: where it is.
    changed: when it was last written, in seconds since 1970.
    with_runs: whether it may go once it is older than the oldest run that `keep.runs` keeps.
  """

  path: str
  changed: float
  with_runs: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holdings:
  """What a task's folder holds.

  Attributes:
    runs: the runs, in any order.
    versions: the served directory's versions.
    loose: files and folders of no known run.
    leftovers: what killed processes left; it goes whatever the bounds.
    held: versions that somebody holds, with the reason, such as the label `canary`.
    baselines: paths of artifacts that the gates of the next run need.
    sizes: bytes of each path named here, without those of files that have several names.
    linked: by path, the files in it that have several names, such as the examples of a window.
    total: bytes of the whole folder.
  """

  runs: tuple[KnownRun, ...] = ()
  versions: tuple[KnownVersion, ...] = ()
  loose: tuple[LooseFile, ...] = ()
  leftovers: frozenset[str] = frozenset()
  held: Mapping[int, str] = dataclasses.field(default_factory=dict)
  baselines: frozenset[str] = frozenset()
  sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
  linked: Mapping[str, Mapping[tuple[int, int], Linked]] = dataclasses.field(default_factory=dict)
  total: int = 0

  def freed(self, paths: Iterable[str]) -> int:
    """Returns the bytes that deleting these paths frees: a file's with the last of its names."""
    going = set(paths)
    names: collections.Counter[tuple[int, int]] = collections.Counter()
    files: dict[tuple[int, int], Linked] = {}
    for path in going:
      for file, linked in self.linked.get(path, {}).items():
        names[file] += linked.here
        files[file] = linked
    alone = sum(self.sizes[path] for path in going)
    return alone + sum(each.size for file, each in files.items() if names[file] >= each.names)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
  """What goes, and what stays although a bound would let it go.

  Attributes:
    runs: the runs to clean, the oldest first; with the bound that says so.
    versions: the versions to delete, by path.
    artifacts: paths of artifacts.
    files: paths of reports, logs, other files and leftovers.
    protected: by run, why it stays whatever the bounds say.
    freed: bytes.
    left: bytes that stay.
    over: bytes by which the protected alone exceed `keep.max_mb`; 0 if they fit.
  """

  runs: Mapping[str, str] = dataclasses.field(default_factory=dict)
  versions: Mapping[int, str] = dataclasses.field(default_factory=dict)
  artifacts: frozenset[str] = frozenset()
  files: frozenset[str] = frozenset()
  protected: Mapping[str, str] = dataclasses.field(default_factory=dict)
  freed: int = 0
  left: int = 0
  over: int = 0

  @property
  def paths(self) -> frozenset[str]:
    """Every path that goes."""
    return self.artifacts | self.files | frozenset(self.versions.values())


def protected_runs(
  holdings: Holdings, *, now: float, at_work: Collection[str] = ()
) -> dict[str, str]:
  """Returns the runs that no bound deletes, with the reason.

  Args:
    holdings: what there is.
    now: seconds since 1970.
    at_work: the runs that a process is at work on.
  """
  newest_first = sorted(holdings.runs, key=lambda run: (run.started, run.run_id), reverse=True)
  first = {version.number: version.first_version for version in holdings.versions}
  served = {first[number]: f"version {number} is held: {why}" for number, why in _held(holdings)}
  seen = [version.number for version in holdings.versions if not version.is_candidate]
  if seen:
    served[first[max(seen)]] = f"version {max(seen)} is served"
  waiting = [version.number for version in holdings.versions if version.is_candidate]
  if waiting:
    served.setdefault(first[max(waiting)], f"version {max(waiting)} is the latest candidate")
  reasons: dict[str, str] = {}
  for run in newest_first:
    if run.run_id in at_work:
      reasons[run.run_id] = "it is at work"
    elif run is newest_first[0]:
      reasons[run.run_id] = "it is the latest"
    elif run.state == result.UNFINISHED and run.started > now - _BETWEEN_NODES_S:
      reasons[run.run_id] = "an orchestrator may go on with it"
  for version, why in served.items():
    # The same number again only if the version was deleted and the numbers began anew.
    pushed = [run for run in newest_first if run.version == version and run.state == result.PUSHED]
    for run in pushed[:1]:
      reasons.setdefault(run.run_id, why)
  good = next((run for run in newest_first if run.state in _GOOD), None)
  if good is not None:
    reasons.setdefault(good.run_id, "it is the latest that went well")
  return reasons


def protected_versions(holdings: Holdings) -> set[int]:
  """Returns the versions that no bound deletes.

  Those that servers take or somebody holds, the latest candidate, what a rollback goes back to, and
  what something else than dlpipe put there.
  """
  found = {number for number, _ in _held(holdings)}
  found |= {version.number for version in holdings.versions if version.since is None}
  found |= _largest(version.number for version in holdings.versions if version.is_candidate)
  seen = {version.number: version for version in holdings.versions if not version.is_candidate}
  if seen:
    back = way_back({number: version.turn for number, version in seen.items()})
    found |= {max(seen)} if back is None else {max(seen), back}
  return found


def _largest(numbers: Iterable[int]) -> set[int]:
  """Returns the largest number; empty if there is none."""
  largest = max(numbers, default=None)
  return {largest} if largest is not None else set()


def plan(
  holdings: Holdings, keep: KeepConfig, *, now: float, at_work: Collection[str] = ()
) -> Plan:
  """Returns what goes so that the bounds hold.

  Args:
    holdings: what there is.
    keep: the bounds; without any, only leftovers go.
    now: seconds since 1970.
    at_work: the runs that a process is at work on.
  """
  protected = protected_runs(holdings, now=now, at_work=at_work)
  oldest_first = sorted(holdings.runs, key=lambda run: (run.started, run.run_id))
  going: dict[str, str] = {}
  loose: set[str] = set()
  # Such as the checkpoint from which an interrupted run goes on.
  latest = oldest_first[-1].started if oldest_first else None
  free = [
    file for file in holdings.loose if latest is None or not file.with_runs or file.changed < latest
  ]

  def drop_before(moment: float, why: str, *, runs_only: bool) -> None:
    going.update({r.run_id: why for r in oldest_first if r.started < moment})
    loose.update(
      file.path for file in free if file.changed < moment and (file.with_runs or not runs_only)
    )

  counted = [run for run in oldest_first if run.state != result.DONE]
  if keep.runs is not None and len(counted) > keep.runs:
    drop_before(counted[-keep.runs].started, f"keep.runs={keep.runs}", runs_only=True)
    # Runs that began in the same second.
    going.update({run.run_id: f"keep.runs={keep.runs}" for run in counted[: -keep.runs]})
  if keep.days is not None:
    drop_before(now - keep.days * DAY_S, f"keep.days={keep.days:g}", runs_only=False)
  going = {run_id: why for run_id, why in going.items() if run_id not in protected}
  found = _made(holdings, going, loose, protected)
  if keep.max_mb is None:
    return found
  most = keep.max_mb * _MB
  rest: list[tuple[float, KnownRun | LooseFile]] = [
    (run.started, run) for run in holdings.runs if run.run_id not in {*going, *protected}
  ]
  rest += [(file.changed, file) for file in free if file.path not in loose]
  for _, each in sorted(rest, key=lambda pair: pair[0]):
    if found.left <= most:
      break
    if isinstance(each, KnownRun):
      going[each.run_id] = f"keep.max_mb={keep.max_mb:g}"
    else:
      loose.add(each.path)
    found = _made(holdings, going, loose, protected)
  return dataclasses.replace(found, over=max(0, found.left - round(most)))


def _held(holdings: Holdings) -> list[tuple[int, str]]:
  """Returns the held versions that are there."""
  there = {version.number for version in holdings.versions}
  return [(number, why) for number, why in holdings.held.items() if number in there]


def _made(
  holdings: Holdings,
  going: Mapping[str, str],
  loose: Collection[str],
  protected: Mapping[str, str],
) -> Plan:
  """Returns the plan that cleans these runs and these files."""
  kept = [run for run in holdings.runs if run.run_id not in going]
  gone = [run for run in holdings.runs if run.run_id in going]
  needed = _union(run.outputs | run.inputs for run in kept) | holdings.baselines
  versions = _versions(holdings, kept, gone)
  artifacts = _union(run.outputs for run in gone) - needed
  files = _union(run.files for run in gone) | frozenset(loose) | holdings.leftovers
  there = holdings.sizes.keys()
  artifacts, files = artifacts & there, files & there
  freed = holdings.freed({*artifacts, *files, *versions.values()})
  # Of a run that was cleaned before, nothing is left to go.
  pushed = {version.first_version for version in holdings.versions if version.number in versions}
  told = [
    run
    for run in gone
    if (run.outputs | run.inputs) & artifacts or run.files & files or run.version in pushed
  ]
  order = sorted(told, key=lambda run: (run.started, run.run_id))
  return Plan(
    runs={run.run_id: going[run.run_id] for run in order},
    versions=versions,
    artifacts=artifacts,
    files=files,
    protected=dict(protected),
    freed=freed,
    left=holdings.total - freed,
  )


def _versions(
  holdings: Holdings, kept: Collection[KnownRun], gone: Collection[KnownRun]
) -> dict[int, str]:
  """Returns the versions to delete: those of cleaned runs, or of no run and older than all."""
  staying = protected_versions(holdings)
  of_kept = {run.version for run in kept if run.version is not None}
  of_gone = {run.version for run in gone if run.version is not None}
  last_gone = max((run.started for run in gone), default=None)
  found = {}
  for version in holdings.versions:
    if version.number in staying or version.first_version in of_kept or version.since is None:
      continue
    is_old = last_gone is not None and version.since <= last_gone
    if version.first_version in of_gone or is_old:
      found[version.number] = version.path
  return found


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
  return frozenset().union(*sets)
