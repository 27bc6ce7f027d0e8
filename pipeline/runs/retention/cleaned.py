"""`CleanedRun`: what is told of a run after its files were deleted. Imports no framework."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile
from dlpipe.disk.whole_files import write_whole
from dlpipe.workspace import TaskFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class CleanedRun(ArtifactFile):
  """`cleaned/<run>.json`: the facts of a run, kept from its artifacts.

  Attributes:
    run_id: the run's name.
    at: when its files were deleted, ISO 8601 in UTC.
    why: the bound that said so, such as `keep.runs=10`.
    state: the run's state, as `PastRun` has it.
    version: the version that it pushed; None if none.
    metrics: the evaluation's overall metrics.
    summary: the source's counts, as `Summary` has them; None if it wrote none.
    findings: the findings of DataGate.
    verdicts: the verdict of each gate on the model that ran.
    training: the training's record without its epochs.
  """

  FILE: ClassVar[str] = "cleaned.json"

  run_id: str
  at: str
  why: str
  state: str
  version: int | None = None
  metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
  summary: Mapping[str, Any] | None = None
  findings: Sequence[Mapping[str, Any]] = ()
  verdicts: Sequence[Mapping[str, Any]] = ()
  training: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def sentence(self) -> str:
    """That the files are gone, and how to get them again, as a sentence."""
    return (
      f"The files of {self.run_id} were cleaned on {self.at[:10]} ({self.why}); what is told of it "
      f"was kept. `dlpipe runs reproduce {self.run_id}` computes them again."
    )


def write(folder: TaskFolder, run: CleanedRun) -> None:
  """Keeps a run's facts, whole or not at all. What was kept before stays: it was read earlier."""
  path = folder.cleaned_file(run.run_id)
  if path.exists():
    return
  write_whole(path, run.to_text() + "\n")


def find(folder: TaskFolder, run_id: str) -> CleanedRun | None:
  """Returns what is kept of a run; None if it was not cleaned, or what was kept is damaged."""
  try:
    return CleanedRun.from_text(folder.cleaned_file(run_id).read_text(encoding="utf-8"))
  except (OSError, ValueError):
    return None


def all_of(folder: TaskFolder) -> Iterator[CleanedRun]:
  """Yields what is kept of each cleaned run, the latest first."""
  paths = sorted(folder.cleaned_file("*").parent.glob("*.json"), reverse=True)
  for path in paths:
    if (found := find(folder, path.stem)) is not None:
      yield found


def of_version(folder: TaskFolder, version: int) -> CleanedRun | None:
  """Returns what is kept of the run that pushed a version; None if it was not cleaned."""
  pushed = (run for run in all_of(folder) if run.state == "pushed" and run.version == version)
  return next(pushed, None)
