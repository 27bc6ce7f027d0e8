"""`Target`: the number in an answer that an explanation divides among the parts of the input."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from dlpipe import progress

Features = Mapping[str, tf.Tensor]
# From transformed features to the outputs of the signature.
Explanation = Callable[[Features], dict[str, tf.Tensor]]


class CannotExplain(Exception):
  """A model offers no way to explain its answers; the message is the reason."""


def report_without(reason: Exception) -> None:
  """Tells that a model is exported without the signature `explain`."""
  words = str(reason) if isinstance(reason, CannotExplain) else f"{type(reason).__name__}: {reason}"
  progress.report(f"no signature explain: {words.strip().splitlines()[0]}", epoch=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
  """What is explained of a model's answers.

  Of a class it is the logit of the answered one, as the served scores are made of it: divided by
  the temperature. Of several labels it is the largest logit, of a number the number in its unit.

  Attributes:
    features: names of the transformed features.
    inputs: transformed features to the model's input, as training makes it.
    numbers: `(model's output, transformed features) -> [batch, n]` float32, one for each label, or
      the number alone. Raises `CannotExplain` if the answer is made otherwise.
    labels: names of the columns of `numbers`; None if there are none.
  """

  features: Collection[str]
  inputs: Callable[[Features], Any]
  numbers: Callable[[Any, Features], tf.Tensor]
  labels: Sequence[str] | None = None

  def chosen(self, said: Any, features: Features) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the explained number of each row, `[batch]` float32, and its column, int64."""
    numbers = self.numbers(said, features)
    columns = tf.argmax(numbers, axis=1)
    return tf.gather(numbers, columns, batch_dims=1), columns

  def of_columns(self, said: Any, features: Features, columns: tf.Tensor) -> tf.Tensor:
    """Returns the numbers in the given columns, `[batch]`, of another output of the model."""
    return tf.gather(self.numbers(said, features), columns, batch_dims=1)

  def account(
    self, number: tf.Tensor, columns: tf.Tensor, intercept: tf.Tensor, total: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    """Returns the outputs that tell what the parts of an explanation add up to.

    Args:
      number: `[batch]`, what is explained.
      columns: `[batch]`, the columns of the numbers.
      intercept: `[batch]`, what the model says of an input without content.
      total: `[batch]`, the sum over the parts.

    Returns:
      `explained`, `intercept` and `unexplained` `[batch]` float32: the explained number is the sum
      of the parts and of the other two. With labels, `label` `[batch]` string: whose number it is.
    """
    found = {
      "explained": number,
      "intercept": intercept,
      "unexplained": number - intercept - total,
    }
    if self.labels is not None:
      found["label"] = tf.gather(tf.constant(self.labels, tf.string), columns)
    return found
