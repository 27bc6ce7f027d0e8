"""What the artifacts of a run say of its data and its model, whether it just ended or earlier."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from components.data_gate import DataVerdict
from components.source_example_gen.summary import Summary
from dlpipe import nodes
from dlpipe.verdicts import Ruling, Verdict
from pipeline.drift.verdict import Drift
from pipeline.runs.retention.cleaned import CleanedRun

Outputs = Mapping[str, Mapping[str, str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
  """The files' content, as far as the run came.

  Attributes:
    counted: the counts of the source; None if it did not run, or failed.
    data: the verdict of DataGate on the data.
    drift: how the data differ from those of the served version; None if DriftGate did not run, or
      refused them.
    verdicts: those of the gates on the model that ran.
  """

  counted: Summary | None = None
  data: DataVerdict = dataclasses.field(default_factory=DataVerdict)
  drift: Drift | None = None
  verdicts: tuple[Verdict, ...] = ()

  @property
  def examples(self) -> dict[str, int]:
    """Number of examples by split, and `quarantined`."""
    if self.counted is None:
      return {}
    return {**self.counted.examples, "quarantined": self.counted.quarantined}

  @property
  def recognized(self) -> Mapping[str, Any]:
    """What the source took the input for."""
    return self.counted.recognized if self.counted is not None else {}

  @property
  def spans(self) -> list[dict[str, Any]]:
    """The spans of the data that the run saw; empty for data without spans."""
    seen = self.counted.spans if self.counted is not None else ()
    return [dataclasses.asdict(span) for span in seen]

  @property
  def rulings(self) -> list[Ruling]:
    """Every bound that was judged, gate by gate."""
    of_data = [self.drift.verdict] if self.drift is not None else []
    return [ruling for verdict in [*of_data, *self.verdicts] for ruling in verdict.rulings]

  @property
  def findings(self) -> list[dict[str, Any]]:
    """What is worth knowing of the data, and stopped nothing."""
    drifted = self.drift.findings if self.drift is not None else []
    return [*drifted, *self.data.findings]

  @property
  def warnings(self) -> list[str]:
    """Sentences on what a person must know before believing the model."""
    return [warning for verdict in self.verdicts for warning in verdict.warnings]


def read_facts(outputs: Outputs) -> Facts:
  """Reads what a run's artifacts hold.

  Args:
    outputs: node id to output name to the artifact's URI.
  """
  verdicts = (
    Verdict.read(directory(outputs, nodes.Output(node, gate.verdict)), gate.verdict_file)
    for node, gate in nodes.model_gates().items()
  )
  return Facts(
    counted=Summary.read(directory(outputs, nodes.QUARANTINE)),
    data=DataVerdict.read(directory(outputs, nodes.DATA_VERDICT)) or DataVerdict(),
    drift=Drift.read(directory(outputs, nodes.DRIFT_VERDICT)),
    verdicts=tuple(verdict for verdict in verdicts if verdict is not None),
  )


def of_cleaned(run: CleanedRun) -> Facts:
  """Returns the facts of a run whose artifacts were deleted, as they were kept."""
  return Facts(
    counted=Summary.from_json(run.summary) if run.summary is not None else None,
    data=DataVerdict(findings=[dict(finding) for finding in run.findings]),
    verdicts=tuple(Verdict.from_json(verdict) for verdict in run.verdicts),
  )


def directory(outputs: Outputs, output: nodes.Output) -> pathlib.Path | None:
  """Returns the directory of an artifact; None if there is none."""
  uri = output.find(outputs)
  return pathlib.Path(uri) if uri is not None else None
