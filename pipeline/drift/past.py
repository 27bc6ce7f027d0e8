"""`Past`: how far apart earlier comparisons of a workspace were; it sets the bounds of the next.

The file is small and holds no data: a number for each feature of each comparison.
"""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from dlpipe.artifact_files import ArtifactFile
from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import BadInputError
from pipeline.drift.comparing import Change

_MOST = 100  # comparisons
_MOST_SPANS = 1_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
  """One comparison.

  Attributes:
    at: when, ISO 8601 in UTC.
    data: the text that tells the data apart, as `Profile.data`.
    reference: that of the data it was compared with.
    excess: by feature, the divergence beyond what chance makes on average.
  """

  at: str
  data: str
  reference: str
  excess: dict[str, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Past(ArtifactFile):
  """`drift.json` of a task's folder: what its runs compared.

  Attributes:
    seen: the comparisons, the oldest first.
    spans: of data in spans, those that were compared or lay in a window that was, by content.
  """

  FILE: ClassVar[str] = "drift.json"

  seen: tuple[Seen, ...] = ()
  spans: tuple[str, ...] = ()

  def by_feature(self, *, but: str = "") -> Mapping[str, Sequence[float]]:
    """Returns the excess of each comparison by feature, without those of some data."""
    found: dict[str, list[float]] = {}
    for each in self.seen:
      if each.data != but:
        for name, excess in each.excess.items():
          found.setdefault(name, []).append(excess)
    return found

  def with_comparison(
    self, data: str, reference: str, changes: Sequence[Change], *, spans: Sequence[str] = ()
  ) -> Past:
    """Returns the past with one more comparison, which replaces that of the same data."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    excess = {change.feature: round(change.excess, 6) for change in changes}
    others = [each for each in self.seen if each.data != data]
    added = Seen(at=now, data=data, reference=reference, excess=excess)
    known = dict.fromkeys([*(each for each in self.spans if each not in spans), *spans])
    return Past(seen=tuple([*others, added][-_MOST:]), spans=tuple(known)[-_MOST_SPANS:])


def read(path: pathlib.Path) -> Past:
  """Reads the past; empty if there is no file.

  Raises:
    BadInputError: the file is damaged.
  """
  try:
    return Past.from_text(path.read_text(encoding="utf-8"))
  except FileNotFoundError:
    return Past()
  except ValueError as err:
    raise BadInputError(
      f"{path} is damaged: {err}. Move it away: bounds on drift then begin anew."
    ) from err


def write(path: pathlib.Path, past: Past) -> None:
  """Writes the past, whole or not at all."""
  write_whole(path, past.to_text() + "\n")
