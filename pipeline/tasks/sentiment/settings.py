"""What each setting of the sentiment task means, and what its value may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.sources.table_settings import TABLE_SETTINGS

SETTINGS: Mapping[str, Any] = {
  **TABLE_SETTINGS,
  "data.max_chars": Annotated[
    int, Field(ge=1, description="a text of more characters is quarantined")
  ],
  "data.text_column": Annotated[str, Field(description="tables: the column that holds the text")],
  "data.label_column": Annotated[str, Field(description="tables: the column that holds the label")],
  "data.split_column": Annotated[
    str | None,
    Field(
      description="tables: the column that names the split (`train`, `val`, `eval`, `test` "
      "or empty); null draws the splits",
    ),
  ],
  "data.text_feature": Annotated[
    str | None, Field(description="TFRecord: the feature that holds the text; null looks for it")
  ],
  "data.label_feature": Annotated[
    str | None, Field(description="TFRecord: the feature that holds the label; null looks for it")
  ],
  "data.label_from": Annotated[
    Literal["name", "prefix", "first", "last"] | None,
    Field(
      description=(
        "files of lines: where the label stands: `name` (of the file), `prefix` "
        "(`__label__pos`), `first` (before the first tab), `last` (after the last "
        "tab); null looks at the lines"
      )
    ),
  ],
  "model.max_words": Annotated[
    int,
    Field(
      ge=2, description="words of a text that are read; of a longer one, the middle is left out"
    ),
  ],
  "model.vocabulary_size": Annotated[
    int, Field(ge=1, description="the most words that have a number of their own")
  ],
  "model.min_frequency": Annotated[
    int, Field(ge=1, description="how often a word must occur in train to have one")
  ],
  "model.part_buckets": Annotated[
    int,
    Field(
      ge=1,
      le=100_000_000,
      description="numbers for the beginnings and the ends of words; words that the "
      "vocabulary lacks are known by them",
    ),
  ],
  "model.pair_buckets": Annotated[
    int, Field(ge=1, le=100_000_000, description="bag: numbers for pairs of neighbouring words")
  ],
  "model.bag_start": Annotated[
    float,
    Field(
      ge=0,
      description="bag: the part of the naive Bayes weights that it starts with; 0 starts "
      "from nothing",
    ),
  ],
  "model.bag_epochs": Annotated[int, Field(ge=1, description="bag: epochs of the first phase")],
  "model.bag_learning_rate": Annotated[
    float, Field(gt=0, description="bag: peak of its cosine schedule")
  ],
  "model.bag_l2": Annotated[float, Field(ge=0, description="bag: shrinkage of its weights")],
  "model.readers": Annotated[
    int,
    Field(
      ge=0,
      le=100,
      description="recurrent networks that correct the bag of words; 0 leaves the bag alone",
    ),
  ],
  "model.cell": Annotated[
    Literal["gru", "lstm"], Field(description="of the readers: `gru` or `lstm`")
  ],
  "model.units": Annotated[int, Field(ge=1, le=10_000, description="of each reader and direction")],
  "model.word_units": Annotated[
    int | None,
    Field(
      ge=1,
      le=10_000,
      description="readers: length of a word's vector; null is 64, or what the file of "
      "`embeddings` has",
    ),
  ],
  "model.embeddings": Annotated[
    str | None,
    Field(
      description="readers: a file of pre-trained vectors in the text format of GloVe or "
      "fastText, also .gz: docs/sentiment.md",
    ),
  ],
  "model.word_dropout": Annotated[
    float,
    Field(
      ge=0,
      lt=1,
      description="readers: part of the numbers of word vectors that is left out in training",
    ),
  ],
  "model.dropout": Annotated[
    float, Field(ge=0, lt=1, description="readers: before the last layer")
  ],
  "model.min_steps": Annotated[
    int,
    Field(
      ge=0,
      description="small data gets more epochs of the readers until there are so many "
      "steps, and of the bag until there are half as many, unless you set them",
    ),
  ],
}
