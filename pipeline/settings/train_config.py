"""`TrainConfig`: the settings of `train` that every task has. Imports no framework."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import pydantic
import pydantic_core

from pipeline.params import Section
from pipeline.sources.labels import label_text


class TrainConfig(Section):
  """Settings of the shared training loop; None keeps the task's default."""

  epochs: int | None = pydantic.Field(
    None, ge=1, description="passes over the training split; null is the task's own value"
  )
  batch_size: int | None = pydantic.Field(
    None,
    ge=1,
    description="examples a step, over all devices together; null is the task's own value",
  )
  learning_rate: float | None = pydantic.Field(
    None, gt=0, description="peak of the cosine schedule; null is the task's own value"
  )
  patience: int = pydantic.Field(
    10,
    ge=1,
    description="a phase ends after so many epochs without a better one; they count in "
    "the last quarter of its schedule, where the rate has come down",
  )
  minutes: float | None = pydantic.Field(
    None,
    gt=0,
    description="the most minutes that epochs, with their validation, take; the learning rate "
    "comes down with the time. Epochs that you do not set are as many as fit, up to four times "
    "the task's; null takes as long as the epochs take",
  )
  seed: int = pydantic.Field(
    1, ge=0, le=2**32 - 1, description="of the first weights, dropout and the order of examples"
  )
  cache_mb: int = pydantic.Field(
    1024,
    ge=0,
    description="a split whose transformed features fit into so many MiB is kept in memory;"
    " a larger one is read and transformed in each epoch; 0 always reads",
  )
  mixed_precision: bool | Literal["bfloat16"] | None = pydantic.Field(
    None,
    description="whether layers compute in float16, or `bfloat16`; weights and what is served are "
    "float32. null means float16 on a GPU; on a CPU with AMX bfloat16 where that is faster: "
    "pictures by `cnn`, translation",
  )
  class_weights: Literal["none", "auto"] | dict[str, float] = pydantic.Field(
    "none",
    description="how much the rows of a class count in training: `none`, all alike; `auto`, by the "
    "inverse of its frequency; or weights by label, such as `{rare: 5}`, the others 1",
  )
  calibrate: bool = pydantic.Field(
    True,
    description="whether scores are divided by a temperature that fits them to val, so that of "
    "scores of 0.8 about 80 % are right; no answer changes",
  )
  coverage: float | None = pydantic.Field(
    None,
    ge=0.5,
    lt=1,
    description="how often the right label is to be in the output `set`, or between `low` and "
    "`high`; null is 0.95, or what halves the errors of a model that is right more often",
  )
  accepted_accuracy: float | None = pydantic.Field(
    None,
    ge=0.5,
    lt=1,
    description="how often an answer is to be right whose `decision` is `accepted`; null accepts "
    "what is alone in its set",
  )
  jit_compile: bool | None = pydantic.Field(
    None,
    description="whether XLA compiles the training steps; null means: on a GPU, where the model "
    "and the shapes of its batches allow it",
  )

  warm_start: bool = pydantic.Field(
    False,
    description="whether training begins from the served model, as far as its weights fit: rows of "
    "words and classes are carried over by name; it takes a quarter of the epochs that you do not "
    "set, at 0.3 of the rate",
  )
  cold_every: int | None = pydantic.Field(
    None,
    ge=1,
    description="every so many trainings begin anew although `warm_start` is set; null never does",
  )

  def of_trials(self) -> dict[str, Any]:
    """Returns the settings for the trials of a Tuner, which all begin anew."""
    return self.model_copy(update={"warm_start": False, "cold_every": None}).model_dump()

  @pydantic.field_validator("class_weights", mode="before")
  @classmethod
  def _are_weights(cls, given: object) -> object:
    if not isinstance(given, Mapping):
      return given
    found: dict[str, float] = {}
    for label, weight in given.items():
      is_number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
      if not is_number or not 0 < weight < math.inf:
        reason = f"the weight of {label!r} must be a number above 0, and is {weight!r}"
        raise pydantic_core.PydanticCustomError("weight", "{reason}", {"reason": reason})
      found[label_text(label)] = float(weight)
    return found
