"""The settings of the translation task's model and of its decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.params import Params, Role

if TYPE_CHECKING:
  from typing_extensions import Self


class TranslationParams(Params):
  """The settings `model.<name>`, `decode.<name>` and `train.<name>` of the translation task."""

  source_pieces: Annotated[int, Role.TRANSFORM] = Field(
    5000, ge=1, le=1_000_000, description="the most subword pieces of the source's vocabulary"
  )
  target_pieces: Annotated[int, Role.TRANSFORM] = Field(
    5000, ge=1, le=1_000_000, description="the same of the target's"
  )
  shared_pieces: Annotated[bool, Role.TRANSFORM] = Field(
    False,
    description="one vocabulary of `source_pieces`, and one embedding, for both sides: for "
    "languages of one script",
  )
  max_pieces: Annotated[int, Role.TRANSFORM] = Field(
    64,
    ge=2,
    le=1_000,
    description="pieces of a sentence that are read, and the most that a translation has",
  )
  architecture: Literal["recurrent", "transformer"] = Field(
    "recurrent",
    description="`recurrent`: a GRU encoder and decoder with attention; `transformer`: "
    "attention alone",
  )
  embedding: int = Field(
    256,
    ge=1,
    le=10_000,
    description="length of a piece's vector; of the Transformer also of all its states",
  )
  encoder_units: int = Field(
    256, ge=1, le=10_000, description="recurrent: of the encoder, in each direction"
  )
  decoder_units: int = Field(512, ge=1, le=10_000, description="recurrent: of the decoder")
  heads: int = Field(
    4, ge=1, le=100, description="transformer: heads of each attention, which divide `embedding`"
  )
  inner_units: int = Field(
    512, ge=1, le=40_000, description="transformer: of each feed-forward part's inner layer"
  )
  layers: int | None = Field(
    None,
    ge=1,
    le=10,
    description="of the encoder, and of the decoder; null is 1 of the recurrent and 3 of the "
    "transformer",
  )
  dropout: float = Field(0.25, ge=0, le=0.9, description="between layers")
  label_smoothing: float = Field(
    0.1, ge=0, le=0.9, description="part of each target that goes to all pieces alike"
  )
  clip_norm: float = Field(
    1.0, gt=0, description="gradients of a larger norm are scaled down to it"
  )
  unknown_rate: float = Field(
    0.05,
    ge=0,
    le=1,
    description="part of the names and digits on both sides that is hidden in training, so that "
    "unknown words are learned to be copied",
  )
  cut_rate: float = Field(
    0.1, ge=0, le=1, description="part of the pieces that training cuts into smaller ones"
  )
  warmup: float = Field(
    0.05, ge=0, le=0.9, description="part of the steps in which the learning rate rises"
  )
  epochs: int = 12
  min_steps: int = Field(
    400,
    ge=0,
    description="small data gets more epochs until there are so many steps, unless you set them",
  )
  batch_size: int = 128
  learning_rate: float = 0.0015
  beam_width: Annotated[int, Role.DECODE] = Field(
    4, ge=1, le=100, description="hypotheses kept for each sentence; 1 is greedy"
  )
  n_best: Annotated[int, Role.DECODE] = Field(
    1,
    ge=1,
    le=100,
    description="with more than 1, answers also hold so many `translations` and their `scores`, "
    "the best first; at most `beam_width`",
  )
  length_penalty: Annotated[float, Role.DECODE] = Field(
    0.6, ge=0, le=10, description="0 favours short translations; 1 almost compares means"
  )
  coverage_penalty: Annotated[float, Role.DECODE] = Field(
    0.0, ge=0, le=10, description="what a translation loses for source pieces it did not attend to"
  )

  @pydantic.model_validator(mode="after")
  def _fit_together(self) -> Self:
    if self.architecture == "transformer" and self.embedding % self.heads:
      raise ValueError(
        f"model.heads must divide model.embedding. Received: {self.heads} and {self.embedding}"
      )
    if self.n_best > self.beam_width:
      raise ValueError(
        f"decode.n_best must be at most decode.beam_width. Received: {self.n_best} and "
        f"{self.beam_width}"
      )
    return self

  def unread(self) -> Mapping[str, str]:
    """Maps the settings of the other architecture, and of the other vocabulary, to advice."""
    other, names = (
      ("transformer", ("heads", "inner_units"))
      if self.architecture == "recurrent"
      else ("recurrent", ("encoder_units", "decoder_units"))
    )
    unread = dict.fromkeys(
      names, f"is the {other}'s. Set model.architecture={other}, or leave it out"
    )
    if self.shared_pieces:
      unread["target_pieces"] = (
        "is for two vocabularies. Set model.shared_pieces=false, or model.source_pieces"
      )
    return unread

  def bfloat16_pays(self) -> bool:
    """Returns true: a step of either network takes two thirds of the time."""
    return True

  @classmethod
  def tiny(cls) -> Self:
    """Returns settings with a quarter of the width, and few epochs."""
    return cls(
      embedding=64,
      encoder_units=64,
      decoder_units=128,
      inner_units=128,
      dropout=0.1,
      cut_rate=0.0,
      epochs=8,
      min_steps=0,
      learning_rate=0.004,
    )
