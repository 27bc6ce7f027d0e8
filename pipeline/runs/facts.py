"""What the artifacts of a run say of its data and its model."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

from components.data_gate import DataVerdict
from components.source_example_gen.summary import Summary
from dlpipe import nodes
from dlpipe.verdicts import Ruling, Verdict

Outputs = Mapping[str, Mapping[str, str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
  """The artifacts' files; empty where a run did not come so far.

  Attributes:
    summary: the counts of the source; None if it wrote none.
    data: the verdict of DataGate.
    verdicts: those of the gates on the model that ran.
  """

  summary: Summary | None
  data: DataVerdict
  verdicts: tuple[Verdict, ...]

  @property
  def examples(self) -> dict[str, int]:
    """Number of examples by split, and `quarantined`."""
    if self.summary is None:
      return {}
    return {**self.summary.examples, "quarantined": self.summary.quarantined}

  @property
  def rulings(self) -> list[Ruling]:
    """Every bound that was judged, in the order of the gates."""
    return [ruling for verdict in self.verdicts for ruling in verdict.rulings]

  @property
  def warnings(self) -> list[str]:
    """What a person must know before believing the model."""
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
    summary=Summary.read(directory(outputs, nodes.QUARANTINE)),
    data=DataVerdict.read(directory(outputs, nodes.DATA_VERDICT)) or DataVerdict(),
    verdicts=tuple(verdict for verdict in verdicts if verdict is not None),
  )


def directory(outputs: Outputs, output: nodes.Output) -> pathlib.Path | None:
  """The directory of an artifact; None if there is none."""
  uri = output.find(outputs)
  return pathlib.Path(uri) if uri is not None else None
