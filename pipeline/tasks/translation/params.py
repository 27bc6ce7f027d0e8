"""The settings of the translation task's model and of its decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
  max_pieces: Annotated[int, Role.TRANSFORM] = Field(
    64,
    ge=2,
    le=1_000,
    description="pieces of a sentence that are read, and the most that a translation has",
  )
  embedding: int = Field(256, ge=1, le=10_000, description="length of a piece's vector")
  encoder_units: int = Field(256, ge=1, le=10_000, description="of the encoder, in each direction")
  decoder_units: int = Field(512, ge=1, le=10_000, description="of the decoder")
  layers: int = Field(
    1, ge=1, le=10, description="recurrent layers of the encoder, and of the decoder"
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
  length_penalty: Annotated[float, Role.DECODE] = Field(
    0.6, ge=0, le=10, description="0 favours short translations; 1 almost compares means"
  )

  @classmethod
  def tiny(cls) -> Self:
    """Returns settings with a quarter of the width, and few epochs."""
    return cls(
      embedding=64,
      encoder_units=64,
      decoder_units=128,
      dropout=0.1,
      epochs=8,
      min_steps=0,
      learning_rate=0.004,
    )
