"""The settings of the sentiment task's model: a bag of words, and readers that correct it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.params import Params, Role

if TYPE_CHECKING:
  from typing_extensions import Self


class WordParams(Params):
  """The settings of `preprocessing_fn`; a task that reuses it extends this class."""

  max_words: Annotated[int, Role.TRANSFORM] = Field(
    1_000,
    ge=2,
    description="words of a text that are read; of a longer one, the middle is left out",
  )
  vocabulary_size: Annotated[int, Role.TRANSFORM] = Field(
    50_000, ge=1, description="the most words that have a number of their own"
  )
  min_frequency: Annotated[int, Role.TRANSFORM] = Field(
    2, ge=1, description="how often a word must occur in train to have one"
  )
  part_buckets: Annotated[int, Role.TRANSFORM] = Field(
    8_192,
    ge=1,
    le=100_000_000,
    description="numbers for the beginnings and the ends of words; words that the vocabulary lacks "
    "are known by them",
  )


class SentimentParams(WordParams):
  """The settings `model.<name>` and `train.<name>` of the sentiment task."""

  pair_buckets: int | None = Field(
    None,
    ge=1,
    le=100_000_000,
    description="bag: numbers for pairs of neighbouring words; null is 1048576, or fewer for more "
    "than 16 classes",
  )
  triple_buckets: int | None = Field(
    None,
    ge=1,
    le=100_000_000,
    description="bag: the same for three words in a row",
  )
  bag_start: float = Field(
    0.3,
    ge=0,
    le=1,
    description="bag: the part of the naive Bayes weights that its weights are shrunk to",
  )
  bag_shrinkage: float | None = Field(
    None,
    gt=0,
    description="bag: how strongly they are shrunk; null lets a fifth of train choose 1, 0.3, 0.1 "
    "or 0.03",
  )
  readers: int = Field(
    1,
    ge=0,
    le=100,
    description="recurrent networks that correct the bag of words; 0 leaves the bag alone",
  )
  cell: Literal["gru", "lstm"] = Field("gru", description="of the readers: `gru` or `lstm`")
  reader_words: int = Field(
    300,
    ge=2,
    description="readers: words of a text that they read; of a longer one, the middle is left out",
  )
  units: int = Field(32, ge=1, le=10_000, description="of each reader and direction")
  word_units: int | None = Field(
    None,
    ge=1,
    le=10_000,
    description="readers: length of a word's vector; null is 64, or what the file of `embeddings` "
    "has",
  )
  embeddings: str | None = Field(
    None,
    description="readers: a file of pre-trained vectors in the text format of GloVe or fastText, "
    "also .gz: docs/sentiment.md",
  )
  embeddings_sha256: Annotated[str | None, Role.INFERRED] = None
  word_dropout: float = Field(
    0.3,
    ge=0,
    lt=1,
    description="readers: part of the numbers of word vectors that is left out in training",
  )
  dropout: float = Field(0.3, ge=0, lt=1, description="readers: before the last layer")
  epochs: int = 8
  min_steps: int = Field(
    600,
    ge=0,
    description="small data gets more epochs of the readers until there are so many steps, unless "
    "you set them",
  )
  batch_size: int = 64
  learning_rate: float = 0.005

  @classmethod
  def tiny(cls) -> Self:
    """Returns settings with small tables, a small reader and few epochs."""
    return cls(
      part_buckets=512,
      pair_buckets=4_096,
      triple_buckets=4_096,
      units=16,
      epochs=2,
      min_steps=0,
      learning_rate=0.01,
    )

  def unread(self) -> Mapping[str, str]:
    """Maps the settings of readers to advice, if the model has no readers."""
    if self.readers:
      return {}
    of_readers = (
      "is the readers', and there are none. Set model.readers to 1 or more, or leave it out"
    )
    names = (
      "min_steps",
      "cell",
      "reader_words",
      "units",
      "word_units",
      "embeddings",
      "word_dropout",
      "dropout",
    )
    return {
      **dict.fromkeys(names, of_readers),
      "epochs": "is the readers', and there are none. The bag is fitted without epochs",
      "learning_rate": "is the readers', and there are none. The bag is fitted without one",
    }
