"""Makes the outputs of every served classifier, in graph."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft


def class_outputs(
  tft_output: tft.TFTransformOutput, vocabulary: str
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
  """Returns the function from logits to the outputs of a served model.

  Args:
    tft_output: the transform graph.
    vocabulary: its vocabulary file of labels, in the order of the logits.

  Returns:
    `[batch, classes]` logits to `label` `[batch]` string, `score` `[batch]` float32 in [0, 1],
    `scores` `[batch, classes]` float32 and `labels` `[batch, classes]` string.
  """
  names = tf.constant(
    [name.decode() for name in tft_output.vocabulary_by_name(vocabulary)], tf.string
  )

  def outputs(logits: tf.Tensor) -> dict[str, tf.Tensor]:
    scores = tf.nn.softmax(tf.cast(logits, tf.float32))  # of mixed precision
    return {
      "label": tf.gather(names, tf.argmax(scores, axis=1)),
      "score": tf.reduce_max(scores, axis=1),
      "scores": scores,
      "labels": tf.repeat(names[tf.newaxis], tf.shape(scores)[0], axis=0),
    }

  return outputs
