"""What the training of an earlier run says of itself: epochs that were asked for, and trained."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.training.files import HISTORY_FILE


def phases(nodes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
  """The rows of `phase_record`; none where nothing was trained, or its files are gone.

  Args:
    nodes: those of a `PastRun` with artifacts.
  """
  found = [node["outputs"].get("model_run") for node in nodes if node["id"] == "Trainer"]
  try:
    text = (pathlib.Path(found[0]) / HISTORY_FILE).read_text(encoding="utf-8")
  except (IndexError, TypeError, OSError):
    return []
  return list(json.loads(text).get("phases", []))


def sentence(phase: Mapping[str, Any]) -> str:
  """`train: 150 epochs, of 12 asked for (model.min_steps); ended after 122 (train.patience)`."""
  words = f"{phase['phase']}: {phase['scheduled']} epochs"
  if phase["scheduled"] != phase["asked"]:
    words += f", of {phase['asked']} asked for (model.min_steps)"
  if phase["trained"] != phase["scheduled"]:
    words += f"; ended after {phase['trained']} (train.patience)"
  return words
