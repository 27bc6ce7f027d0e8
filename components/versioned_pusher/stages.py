"""`Stages`: the labels and pins of a task's versions, and every change of what is live.

One JSON file in the task's folder, replaced as a whole. Imports no framework.

The label `stable` follows what is live, which is always the largest number; `canary` names the
version that is tried beside it. Labels are in use from the first one on.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import os
import socket
from collections.abc import Iterator

import pydantic

from components.versioned_pusher import models_config
from components.versioned_pusher.version_folders import list_versions
from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder

STABLE, CANARY = "stable", "canary"
LIVE, CANDIDATE = "live", "candidate"
PROMOTED, ROLLED_BACK, LABELLED, PINNED, UNPINNED, REFUSED = (
  "promoted",
  "rolled_back",
  "labelled",
  "pinned",
  "unpinned",
  "refused",
)


class Flips(pydantic.BaseModel):
  """The replay that a promotion was held to.

  Attributes:
    against: the version that the candidate was compared with.
    max_flips: the largest flip rate that passes.
    rate: that of the random sample; None if none of the requests was of it.
    interval: its 95 % interval; None without a rate.
    sampled: the number of requests that the rate is of.
    report: the page with the flipped requests.
  """

  model_config = pydantic.ConfigDict(frozen=True)

  against: int
  max_flips: float
  rate: float | None
  interval: tuple[float, float] | None
  sampled: int
  report: str


class Change(pydantic.BaseModel):
  """One change by a person or a program.

  Attributes:
    at: when, ISO 8601 in UTC.
    by: who, as `user@machine`.
    what: PROMOTED, ROLLED_BACK, LABELLED, PINNED, UNPINNED, or REFUSED by the flip rate.
    version: the version.
    reason: why, as whoever did it said; None if nothing was said.
    label: the label that was given, of LABELLED.
    became: the number under which the version is served now, if it was published again.
    flips: the replay that decided; None if none was asked for.
  """

  model_config = pydantic.ConfigDict(frozen=True)

  at: str
  by: str
  what: str
  version: int
  reason: str | None = None
  label: str | None = None
  became: int | None = None
  flips: Flips | None = None


class Stages(pydantic.BaseModel):
  """Labels, pins and the changes that led to them, the oldest first.

  Attributes:
    uses_labels: whether servers are told of labels.
    labels: label to version.
    pins: the versions that stay on the disk.
    changes: by people and programs.
    copy_to: the store to which what is live is copied, as the last run said; None for none.
  """

  uses_labels: bool = False
  labels: dict[str, int] = {}
  pins: list[int] = []
  changes: list[Change] = []
  copy_to: str | None = None

  def held(self) -> dict[int, str]:
    """Returns the versions that must stay on the disk, with the reason."""
    found = dict.fromkeys(self.pins, "it is pinned")
    return found | {version: f"the label {name}" for name, version in self.labels.items()}

  def last(self, version: int, *what: str) -> Change | None:
    """Returns the last change of these kinds that is about a version."""
    about = (c for c in reversed(self.changes) if version in (c.version, c.became))
    return next((change for change in about if change.what in what), None)


def change(
  what: str,
  version: int,
  *,
  reason: str | None,
  label: str | None = None,
  became: int | None = None,
  flips: Flips | None = None,
) -> Change:
  """Returns a change that the user of this process makes now."""
  return Change(
    at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    by=_user(),
    what=what,
    version=version,
    reason=reason,
    label=label,
    became=became,
    flips=flips,
  )


def read(folder: TaskFolder) -> Stages:
  """Returns the stages of a task; without a file, no version has any.

  Raises:
    BadInputError: the file is damaged.
  """
  try:
    return Stages.model_validate_json(folder.stages.read_text(encoding="utf-8"))
  except FileNotFoundError:
    return Stages()
  except (OSError, ValueError) as err:
    raise BadInputError(
      f"{folder.stages} cannot be used: {err}\nIt names the versions with labels and pins. Mend "
      "it; if it is deleted, no version has any."
    ) from err


@contextlib.contextmanager
def edited(folder: TaskFolder) -> Iterator[Stages]:
  """Yields the stages and writes them back, with the servers' files; for one process at a time.

  If the block raises, its changes are not written. Labels of versions that are gone are dropped,
  and `stable` moves to what is live.
  """
  with locked(folder):
    stages = read(folder)
    if stages.uses_labels:  # a killed process may have changed what is live, and no label
      _write(folder, stages)
    yield stages
    _write(folder, stages)


@contextlib.contextmanager
def locked(folder: TaskFolder) -> Iterator[None]:
  """Lets nobody else change labels, pins and what is live meanwhile."""
  folder.root.mkdir(parents=True, exist_ok=True)
  with open(f"{folder.stages}.lock", "a", encoding="utf-8") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield


def refresh(folder: TaskFolder) -> None:
  """Lets the labels follow what is live now, if any are in use."""
  if read(folder).uses_labels:
    with edited(folder):
      pass


def _write(folder: TaskFolder, stages: Stages) -> None:
  versions = list_versions(folder.serving)
  stages.labels = {name: n for name, n in stages.labels.items() if n in versions}
  if stages.uses_labels and versions:
    stages.labels[STABLE] = versions[-1]
  write_whole(folder.stages, stages.model_dump_json(indent=2) + "\n")
  models_config.write(folder, stages.labels)


def _user() -> str:
  try:
    name = getpass.getuser()
  except (KeyError, OSError):  # a container whose user has no entry
    name = str(os.getuid())
  return f"{name}@{socket.gethostname()}"
