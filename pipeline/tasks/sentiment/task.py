"""The sentiment task: a classifier of texts from tables, folders, lines or TFRecords."""

from __future__ import annotations

import csv
import functools
import pathlib

from dlpipe.errors import BadInputError
from pipeline.problems.classes import GATES, PROBLEM
from pipeline.sources.text_files import texts
from pipeline.task import Input, MetricGate, Options, Task
from pipeline.tasks.sentiment import sources
from pipeline.tasks.sentiment.features import (
  END_IDS,
  LABEL,
  LABEL_ID,
  LENGTH_BUCKET,
  OOV_BUCKET,
  START_IDS,
  TEXT,
  TOKENS,
  VOCABULARY,
  WORD_IDS,
)
from pipeline.tasks.sentiment.params import SentimentParams
from pipeline.tasks.sentiment.shipped import shipped_data
from pipeline.tasks.sentiment.sources import records
from pipeline.tasks.sentiment.sources.options import TextOptions

_HERE = "pipeline.tasks.sentiment"
_WORD_UNITS = 64


def _infer(
  source: str, path: str, data_options: Options, params: SentimentParams
) -> SentimentParams:
  """Fingerprints a file of word vectors."""
  units = params.word_units
  if not params.embeddings:
    return params.replace(word_units=units or _WORD_UNITS)
  # It imports numpy, which is slow.
  from pipeline.text import word_vectors

  file = pathlib.Path(params.embeddings).resolve()
  found = word_vectors.dimension(file)
  if units not in (None, found):
    raise BadInputError(
      f"model.word_units={units} does not fit the vectors of {str(file)!r}, which have {found} "
      "numbers. Leave it out: the file decides."
    )
  return params.replace(
    word_units=found,
    embeddings=str(file),
    # With the path only, the node would stay CACHED after a change of the file.
    embeddings_sha256=word_vectors.sha256(file),
  )


def _sample_input() -> str:
  with open(shipped_data(), encoding="utf-8", newline="") as file:
    return next(csv.DictReader(file))["text"]


TASK = Task(
  name="sentiment",
  summary="Text classification with a recurrent network.",
  input=Input(
    key=TEXT,
    value=functools.partial(texts.as_bytes, what=records.INPUT),
    sample=_sample_input,
    rule=f"{_HERE}.servable.faults",
    bounds=("max_chars",),
    describe="pipeline.checks.text.describe",
    explain=f"{_HERE}.explaining.explain",
  ),
  label_key=LABEL,
  problem=PROBLEM.but(
    label_id_key=LABEL_ID,
    vocabulary=VOCABULARY,
    metrics="pipeline.problems.classification_metrics.ranked_metrics",
  ),
  sequence_keys=(WORD_IDS, START_IDS, END_IDS),
  cache_dtypes={WORD_IDS: "int32", START_IDS: "int32", END_IDS: "int32"},
  sources=sources.SOURCES,
  shipped_data=shipped_data,
  data_options=TextOptions,
  params=SentimentParams,
  preprocessing_fn=f"{_HERE}.preprocessing.preprocessing_fn",
  build_model=f"{_HERE}.model.build_model",
  adapt=f"{_HERE}.bag.adapt",
  training_plan=f"{_HERE}.plan.training_plan",
  search_space=f"{_HERE}.model.search_space",
  slices=(LABEL, LENGTH_BUCKET),
  transformed_slices=(OOV_BUCKET,),
  serving_keys=(TOKENS,),
  infer=_infer,
  gates=(
    *GATES,
    MetricGate(
      metric="auc",
      best=1,
      bound=0.65,
      reason="two texts of different classes must be told apart more often than by chance, "
      "wherever one draws the line",
    ),
    MetricGate(
      metric="calibration_error",
      direction="lower",
      best=0,
      bound=0.15,
      reason="a score that is on average 15 points from how often it is right misleads whoever "
      "acts on it",
    ),
  ),
)
