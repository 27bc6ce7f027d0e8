"""Changes what is live, and records who did so, when and why."""

from __future__ import annotations

import dataclasses
from typing import Any

from components.versioned_pusher import candidates, mirror, publish, stages, version_folders
from dlpipe.errors import BadInputError, BusyError, DlpipeError
from dlpipe.workspace import TaskFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Promotion:
  """A version that was promoted.

  Attributes:
    version: the version that was named, or chosen.
    stage: `stable` or `canary`.
    served_as: the number under which it is served.
    live: the number of what is live now.
  """

  version: int
  stage: str
  served_as: int
  live: int

  def to_json(self) -> dict[str, Any]:
    """Returns the object `--json` prints, without the task."""
    return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copied:
  """What became of copying what is live to the store of `push.copy_to`.

  Attributes:
    address: where it is in the store; None if it is in none.
    failure: why it is not there although it should be; None if it should not, or is.
  """

  address: str | None = None
  failure: DlpipeError | None = None

  def require(self) -> None:
    """Raises the failure, if there is one. What is live here has changed in any case."""
    if self.failure is not None:
      raise self.failure


def copy_live(folder: TaskFolder) -> Copied:
  """Copies what is live to the store that the last run named, if any."""
  try:
    return Copied(address=mirror.copy_live(folder))
  except DlpipeError as err:
    return Copied(failure=err)


def target_of(folder: TaskFolder, version: int | None) -> int | None:
  """Returns the version that `promote` takes: the one that is named, a candidate or the canary.

  Raises:
    BadInputError: no version was ever pushed.
  """
  _require_versions(folder)
  if version is not None:
    return version
  held = candidates.list_candidates(folder.serving)
  return max(held, default=stages.read(folder).labels.get(stages.CANARY))


def promote(
  folder: TaskFolder,
  version: int | None,
  *,
  stage: str,
  reason: str | None,
  flips: stages.Flips | None = None,
) -> Promotion:
  """Makes a version live, or puts it beside what is live as the canary.

  Args:
    folder: the task's.
    version: the version; None for the latest candidate.
    stage: `stable` or `canary`.
    reason: why, for the record.
    flips: the replay that let it through, for the record; None if none was asked for.

  Raises:
    BadInputError: there is no such version, or it is damaged or live.
    BusyError: what is live is not what the replay compared with any more.
    DlpipeError: the file system refused.
  """
  target = target_of(folder, version)
  with stages.edited(folder) as found:
    held = candidates.list_candidates(folder.serving)
    live = max(version_folders.list_versions(folder.serving), default=None)
    if flips is not None and flips.against != live:
      raise BusyError(
        f"Version {flips.against} was live when the requests were replayed, and version {live} is "
        "now. Promote again, so that the candidate is compared with that."
      )
    if stage == stages.CANARY:
      number, live = candidates.show_canary(folder.serving, target)
      found.labels[stages.CANARY] = number
      change = stages.change(
        stages.LABELLED,
        number,
        reason=reason,
        label=stages.CANARY,
        became=number,
        flips=flips,
      )
    else:
      number = live = candidates.promote(folder.serving, target)
      if found.labels.get(stages.CANARY) == target:
        del found.labels[stages.CANARY]
      if target in held and target != number:  # a candidate that was overtaken is gone
        found.pins = sorted({number if pin == target else pin for pin in found.pins})
      change = stages.change(
        stages.PROMOTED, target or number, reason=reason, became=number, flips=flips
      )
    found.uses_labels = True
    found.changes.append(change)
  return Promotion(version=target or number, stage=stage, served_as=number, live=live)


def refuse(folder: TaskFolder, version: int, *, reason: str | None, flips: stages.Flips) -> None:
  """Records that a version was not promoted because of its flips."""
  with stages.edited(folder) as found:
    found.changes.append(stages.change(stages.REFUSED, version, reason=reason, flips=flips))


def rollback(folder: TaskFolder, to: int | None, *, reason: str | None) -> int:
  """Publishes an older version again; returns its new number.

  Args:
    folder: the task's.
    to: the version; None for the one before.
    reason: why, for the record.

  Raises:
    BadInputError: there is no such version, or none to go back to.
    DlpipeError: the file system refused.
  """
  if not version_folders.list_versions(folder.serving):
    return publish.rollback(folder.serving, to)  # which says so
  with stages.edited(folder) as found:
    number = publish.rollback(folder.serving, to)
    before = version_folders.version_record(folder.serving, number)["rollback_of"]
    found.changes.append(stages.change(stages.ROLLED_BACK, before, reason=reason, became=number))
  return number


def pin(folder: TaskFolder, version: int, *, remove: bool, reason: str | None) -> None:
  """Keeps a version on the disk whatever `keep` says, or no longer.

  Raises:
    BadInputError: there is no such version; to remove: it is not pinned.
  """
  _require_versions(folder)
  known = {
    *version_folders.list_versions(folder.serving),
    *candidates.list_candidates(folder.serving),
  }
  with stages.edited(folder) as found:
    if remove and version not in found.pins:
      pinned = ", ".join(map(str, found.pins)) or "none"
      raise BadInputError(f"Version {version} is not pinned. Pinned versions: {pinned}.")
    if not remove and version not in known:
      raise BadInputError(
        f"There is no version {version} in {folder.serving}. Versions there: "
        f"{', '.join(map(str, sorted(known)))}."
      )
    found.pins = sorted({*found.pins} - {version} if remove else {*found.pins, version})
    found.changes.append(
      stages.change(stages.UNPINNED if remove else stages.PINNED, version, reason=reason)
    )


def _require_versions(folder: TaskFolder) -> None:
  serving = folder.serving
  if not version_folders.list_versions(serving) and not candidates.list_candidates(serving):
    raise BadInputError(f"Expected model versions in {serving}. Found none: push a model first.")
