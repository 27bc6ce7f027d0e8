"""The translation task: an encoder-decoder with attention, trained on sentence pairs."""

from __future__ import annotations

import functools

from pipeline.problems.text import PROBLEM
from pipeline.sources.text_files import texts
from pipeline.task import Input, MetricGate, Task
from pipeline.tasks.translation import sources
from pipeline.tasks.translation.features import (
  LENGTH_BUCKET,
  OOV_BUCKET,
  SOURCE,
  SOURCE_IDS,
  SPELLINGS,
  TARGET,
  TARGET_IDS,
)
from pipeline.tasks.translation.params import TranslationParams
from pipeline.tasks.translation.shipped import shipped_data
from pipeline.tasks.translation.sources import records
from pipeline.tasks.translation.sources.options import PairOptions

_HERE = "pipeline.tasks.translation"


TASK = Task(
  name="translation",
  summary="Translation with an encoder and a decoder, recurrent or a Transformer.",
  input=Input(
    key=SOURCE,
    value=functools.partial(texts.as_bytes, what=records.INPUT),
    sample=lambda: "My sister did not buy the red apple yesterday.",
    column="source",
    rule=f"{_HERE}.servable.faults",
    bounds=("max_chars",),
    describe="pipeline.checks.text.describe",
    explain=f"{_HERE}.explaining.explain",
  ),
  label_key=TARGET,
  problem=PROBLEM.but(
    label_id_key=TARGET_IDS,
    compile_args=f"{_HERE}.model.compile_args",
    serving_outputs=f"{_HERE}.model.serving_outputs",
  ),
  sequence_keys=(SOURCE_IDS, TARGET_IDS),
  cache_dtypes={SOURCE_IDS: "int32", TARGET_IDS: "int32"},
  sources=sources.SOURCES,
  shipped_data=shipped_data,
  data_options=PairOptions,
  params=TranslationParams,
  preprocessing_fn=f"{_HERE}.preprocessing.preprocessing_fn",
  build_model=f"{_HERE}.model.build_model",
  training_plan=f"{_HERE}.model.training_plan",
  search_space=f"{_HERE}.model.search_space",
  slices=(LENGTH_BUCKET,),
  transformed_slices=(OOV_BUCKET,),
  serving_keys=(SPELLINGS,),
  gates=(
    MetricGate(
      metric="bleu",
      best=100,
      bound=15.0,
      max_regression=1.0,
      reason="below 15 a reader hardly gets the gist; a new version may lose one point of BLEU",
    ),
  ),
)
