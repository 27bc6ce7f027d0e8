"""`Summary`: the counts of a source. `quarantine.collect` writes it; DataGate and reports read it.

Imports no TFX.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile

REJECTED_FILE = "rejected.jsonl"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LostClass:
  """A class of the input without a usable example.

  Attributes:
    inputs: the number of its inputs.
    named: whether the source named it before it read, such as a class folder.
    reasons: the commonest reasons for which its records were rejected, with counts.
  """

  inputs: int
  named: bool
  reasons: dict[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpanSeen:
  """What a run saw of one span.

  Attributes:
    name: the day as `2026-11-30`, or the number.
    version: its version; None if the data has none.
    content: the beginning of a hash of its bytes; empty of a span that is empty or missing.
    repeated: the part of its contents that the span before it has, too; 0 where the data draws its
      splits itself.
    is_missing: whether the span should be there and is not.
    examples: records written, by split.
    quarantined: the number of rejected records.
    labels: records written, by label; empty if labels are not counted.
  """

  name: str
  version: int | None = None
  content: str = ""
  repeated: float = 0.0
  is_missing: bool = False
  examples: dict[str, int] = dataclasses.field(default_factory=dict)
  quarantined: int = 0
  labels: dict[str, int] = dataclasses.field(default_factory=dict)

  @property
  def rows(self) -> int:
    """The number of its records, used or not."""
    return sum(self.examples.values()) + self.quarantined


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary(ArtifactFile):
  """`summary.json` of a `Quarantine` artifact.

  Attributes:
    examples: records written, by split.
    quarantined: the number of rejected records.
    relabelled: the number of records written with a label of `data.relabel`.
    labels: records written, by split and label; empty if labels are not counted.
    reasons: the commonest reasons for a rejection, with counts.
    recognized: the layout that the source recognized, as `Recognized.to_json` writes it.
    lost: the classes of which nothing could be used, by label.
    spans: the spans of the window; empty for data without spans.
  """

  FILE: ClassVar[str] = "summary.json"

  examples: dict[str, int] = dataclasses.field(default_factory=dict)
  quarantined: int = 0
  relabelled: int = 0
  labels: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
  reasons: dict[str, int] = dataclasses.field(default_factory=dict)
  recognized: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  lost: dict[str, LostClass] = dataclasses.field(default_factory=dict)
  spans: tuple[SpanSeen, ...] = ()
