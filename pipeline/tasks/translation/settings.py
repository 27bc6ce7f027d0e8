"""What each setting of the translation task means, and what its value may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from pipeline.sources.table_settings import TABLE_SETTINGS

SETTINGS: Mapping[str, Any] = {
  **TABLE_SETTINGS,
  "data.max_chars": Annotated[
    int, Field(ge=1, description="a pair with more characters on either side is quarantined")
  ],
  "data.source_column": Annotated[
    str | None,
    Field(
      description=(
        "the column that holds the sentence, by its name in a table or by its number "
        "from 1; null looks for it"
      )
    ),
  ],
  "data.target_column": Annotated[
    str | None, Field(description="the column that holds its translation, likewise")
  ],
  "data.split_column": Annotated[
    str | None,
    Field(
      description="tables: the column that names the split (`train`, `val`, `eval`, `test` "
      "or empty); null draws the splits",
    ),
  ],
  "data.reverse": Annotated[bool, Field(description="translate from the second side to the first")],
  "data.source_language": Annotated[
    str | None,
    Field(
      description="aligned files: the ending of the source's files, such as `en`; null "
      "takes the first",
    ),
  ],
  "data.target_language": Annotated[
    str | None, Field(description="aligned files: the ending of the target's files")
  ],
  "model.source_pieces": Annotated[
    int, Field(ge=1, le=1_000_000, description="the most subword pieces of the source's vocabulary")
  ],
  "model.target_pieces": Annotated[
    int, Field(ge=1, le=1_000_000, description="the same of the target's")
  ],
  "model.max_pieces": Annotated[
    int,
    Field(
      ge=2,
      le=1_000,
      description="pieces of a sentence that are read, and the most that a translation has",
    ),
  ],
  "model.embedding": Annotated[
    int, Field(ge=1, le=10_000, description="length of a piece's vector")
  ],
  "model.encoder_units": Annotated[
    int, Field(ge=1, le=10_000, description="of the encoder, in each direction")
  ],
  "model.decoder_units": Annotated[int, Field(ge=1, le=10_000, description="of the decoder")],
  "model.layers": Annotated[
    int, Field(ge=1, le=10, description="recurrent layers of the encoder, and of the decoder")
  ],
  "model.dropout": Annotated[float, Field(ge=0, le=0.9, description="between layers")],
  "model.label_smoothing": Annotated[
    float, Field(ge=0, le=0.9, description="part of each target that goes to all pieces alike")
  ],
  "model.clip_norm": Annotated[
    float, Field(gt=0, description="gradients of a larger norm are scaled down to it")
  ],
  "model.unknown_rate": Annotated[
    float,
    Field(
      ge=0,
      le=1,
      description="part of the names and digits on both sides that is hidden in training, "
      "so that unknown words are learned to be copied",
    ),
  ],
  "model.min_steps": Annotated[
    int,
    Field(
      ge=0,
      description="small data gets more epochs until there are so many steps, unless you set them",
    ),
  ],
  "decode.beam_width": Annotated[
    int, Field(ge=1, le=100, description="hypotheses kept for each sentence; 1 is greedy")
  ],
  "decode.length_penalty": Annotated[
    float, Field(ge=0, le=10, description="0 favours short translations; 1 almost compares means")
  ],
}
