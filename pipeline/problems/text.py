"""A text: whatever writes one says how; what it writes is held to the label by BLEU and chrF."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dlpipe.records import FeatureValue, Rejected
from pipeline.params import Params
from pipeline.problem import SAMPLES_FILE, Problem
from pipeline.sources.text_files import texts


def read_label(cell: Any, options: Mapping[str, Any]) -> bytes:
  """Returns the text as it was written.

  Raises:
    ValueError: it is no text; the message is fit for the quarantine.
  """
  del options
  return texts.as_bytes(cell, "the answer")


def require(
  answers: Iterable[FeatureValue | Rejected],
  *,
  source: str,
  advice: str,
  options: Mapping[str, Any],
) -> None:
  """Nothing: any text is one to learn."""


def compile_args(params: Params) -> dict[str, Any]:
  """Nothing: a model that writes has loss and metrics in its own training step."""
  return {}


def answer(
  tft_output: Any, vocabulary: str, options: Mapping[str, Any]
) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
  """A model that answers when it is called gives `{output name: tensor}` itself."""
  return lambda said, features: dict(said)


def rows(
  directory: pathlib.Path,
  examples: Sequence[bytes],
  predict: Callable[[Any], Mapping[str, Any]],
  **keys: str,
) -> None:
  """Leaves what the model writes for some rows, and the worst of it by chrF."""
  from pipeline.problems import samples
  from pipeline.problems.translation_metrics import row_chrf

  samples.write(
    directory / SAMPLES_FILE,
    examples,
    predict,
    **keys,
    score=row_chrf,
  )


PROBLEM = Problem(
  name="text",
  read_label=read_label,
  require=require,
  has_classes=False,
  label_id_key="target_ids",
  compile_args=f"{__name__}.compile_args",
  answer=f"{__name__}.answer",
  prediction_key="translation",
  compares_raw_label=True,
  metrics="pipeline.problems.translation_metrics.translation_metrics",
  rows=f"{__name__}.rows",
  contradicts=False,
  unread={"data.allow_lost_classes": "is for tasks with classes, and this one has none"},
)
