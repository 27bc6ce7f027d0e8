"""Initializes the bag of words with the weights of naive Bayes, by counting.

On a few thousand texts, counting learns more from rare words than gradients do; training then only
corrects the weights.

Source: Wang, Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic
Classification", https://aclanthology.org/P12-2018
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.tasks.sentiment.features import END_IDS, START_IDS, WORD_IDS

if TYPE_CHECKING:
  from pipeline.tasks.sentiment.params import SentimentParams

_SMOOTHING = 0.5  # added to each count


def adapt(params: SentimentParams, model: keras.Model, batches: tf.data.Dataset) -> None:
  """Sets the bag's tables from one pass over the training split.

  Args:
    params: `bag_start` is the share of the naive Bayes weights to start with; 0 starts at 0.
    model: the result of `build_model`.
    batches: batches of `(inputs, label)`, or of `(inputs, label, weight)`: a weight changes no
      share within a class.
  """
  scale = params.bag_start
  if not scale:
    return
  words, pairs = model.get_layer("bag_words"), model.get_layer("bag_pairs")
  counts: dict[int, np.ndarray] = {}
  tables: dict[int, Any] = {}
  for inputs, labels, *_ in batches.as_numpy_iterator():
    ids = inputs[WORD_IDS]
    read = (*words.tables(ids, inputs[START_IDS], inputs[END_IDS]), *pairs.tables(ids))
    for key, (table, rows) in enumerate(read):
      tables[key] = table
      count = counts.setdefault(key, np.zeros(table.shape, "int64"))
      there = rows >= 0
      np.add.at(count, (rows[there], np.broadcast_to(labels[:, None], rows.shape)[there]), 1)
  for key, count in counts.items():
    tables[key].assign(scale * log_ratios(count))


def log_ratios(counts: np.ndarray) -> np.ndarray:
  """Computes how much more likely each row is in a class than in the others, on average.

  Args:
    counts: `[rows, classes]` int, the occurrences of each row in each class.

  Returns:
    `[rows, classes]` float64: the logarithm of the row's share in the class, minus its mean over
    the classes; 0 for rows that do not occur.
  """
  smoothed = counts + _SMOOTHING
  shares = np.log(smoothed / smoothed.sum(axis=0))
  ratios = shares - shares.mean(axis=1, keepdims=True)
  return np.where(counts.sum(axis=1, keepdims=True) > 0, ratios, 0.0)
