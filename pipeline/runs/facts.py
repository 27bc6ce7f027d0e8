"""What the artifacts of a run say of its data and its model, read from their JSON files."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from components.judged_evaluator.executor import VERDICT_FILE
from pipeline.runs.result import GateResult

Outputs = Mapping[str, Mapping[str, str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
  """The files' content; empty where a run did not come so far.

  Attributes:
    summary: of what was read: `examples`, `quarantined`, `labels`, `reasons`, `recognized`.
    data_verdict: DataGate's: `checks` and `findings`.
    model_verdict: the judge's: `gates` and `warnings`.
    parity: ServingGate's proof, with `gates` of its own.
  """

  summary: Mapping[str, Any]
  data_verdict: Mapping[str, Any]
  model_verdict: Mapping[str, Any]
  parity: Mapping[str, Any]

  @property
  def examples(self) -> dict[str, int]:
    """Number of examples by split, and `quarantined`."""
    if not self.summary:
      return {}
    return {**self.summary.get("examples", {}), "quarantined": self.summary.get("quarantined", 0)}

  @property
  def gates(self) -> list[GateResult]:
    """Every bound that was judged, the metrics' first."""
    rows = [*self.model_verdict.get("gates", []), *self.parity.get("gates", [])]
    return [GateResult.of(row) for row in rows]


def read_facts(outputs: Outputs) -> Facts:
  """Reads what a run's artifacts hold.

  Args:
    outputs: node id to output name to the artifact's URI.
  """
  return Facts(
    summary=read_json(directory(outputs, "SourceExampleGen", "quarantine"), "summary.json"),
    data_verdict=read_json(directory(outputs, "DataGate", "verdict"), "verdict.json"),
    model_verdict=read_json(directory(outputs, "Evaluator", "verdict"), VERDICT_FILE),
    parity=read_json(directory(outputs, "ServingGate", "blessing"), "parity.json"),
  )


def directory(outputs: Outputs, node: str, output: str) -> pathlib.Path | None:
  """Where an artifact is; None where there is none."""
  uri = outputs.get(node, {}).get(output)
  return pathlib.Path(uri) if uri is not None else None


def read_json(folder: pathlib.Path | None, name: str) -> dict[str, Any]:
  """An artifact's file; empty where a failed node left none."""
  if folder is None or not (folder / name).exists():
    return {}
  content: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
  return content
