"""A text, such as a translation: the task decodes it; BLEU and chrF compare it with the label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dlpipe.records import FeatureValue, Rejected
from pipeline.params import Params
from pipeline.problem import MEASURED_ON_SUCH, WITHOUT_CLASSES, Problem
from pipeline.sources.text_files import texts

if TYPE_CHECKING:
  import tensorflow_transform as tft


def read_label(cell: Any, options: Mapping[str, Any]) -> bytes:
  """Returns the text unchanged.

  Raises:
    ValueError: the value is not a text; the quarantine stores the message.
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
  """Does nothing, because a model can learn from any text."""


def compile_args(params: Params) -> dict[str, Any]:
  """Returns no arguments, because the model's training step computes loss and metrics."""
  return {}


def answer(
  tft_output: tft.TFTransformOutput, vocabulary: str, options: Mapping[str, Any]
) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
  """Returns the identity, because the model returns `{output name: tensor}`."""
  return lambda said, features: dict(said)


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
  rows="pipeline.problems.rows.of_text",
  baseline="pipeline.suspects.cheap.of_text",
  contradicts=False,
  unread=WITHOUT_CLASSES,
  limits=(
    (
      "It answers any input with a text that may leave out, add or change something. The score "
      "does not tell a right text from a wrong one."
    ),
    MEASURED_ON_SUCH,
  ),
)
