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
  """A class of the input of which no example could be used.

  Attributes:
    inputs: the number of its inputs.
    named: whether the source named it before it read, such as a class folder.
    reasons: the commonest reasons for which its records were rejected, with counts.
  """

  inputs: int
  named: bool
  reasons: dict[str, int]


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
  """

  FILE: ClassVar[str] = "summary.json"

  examples: dict[str, int] = dataclasses.field(default_factory=dict)
  quarantined: int = 0
  relabelled: int = 0
  labels: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
  reasons: dict[str, int] = dataclasses.field(default_factory=dict)
  recognized: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  lost: dict[str, LostClass] = dataclasses.field(default_factory=dict)
