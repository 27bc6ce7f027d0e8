"""Fits the bag of words to the training split, to its optimum and without epochs.

The weights of a linear model are a convex problem: L-BFGS on the sparse matrix of all texts solves
it in less time than two epochs of gradient steps take (`linear.py`). `learn` calls `adapt` before
training, also on each of several workers, and again if a killed training goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from dlpipe import progress
from pipeline import carried_rows
from pipeline.tasks.sentiment.features import END_IDS, START_IDS, WORD_IDS
from pipeline.tasks.sentiment.layers import Bag
from pipeline.tasks.sentiment.linear import Linear, Texts
from pipeline.tasks.sentiment.plan import BAG

if TYPE_CHECKING:
  from pipeline.tasks.sentiment.params import SentimentParams

# The most features of all texts to fit to, 12 bytes each: 75,000 reviews of 250 words.
_MOST = 1 << 26
_MOST_TO_CHOOSE_BY = 1 << 24
_SHRINKAGE = "shrinkage"
_SHRINKAGES = (1.0, 0.3, 0.1, 0.03)
_HELD_OUT = 5  # one text in so many chooses among them


def adapt(params: SentimentParams, model: keras.Model, batches: tf.data.Dataset) -> None:
  """Sets the weights of the bag to the optimum on the training split.

  Args:
    params: `bag_start` is the part of the log ratios that weights are shrunk to, `bag_shrinkage`
      how strongly; if that is None, a fifth of the texts chooses it.
    model: the result of `build_model`.
    batches: batches of `(inputs, label)`, or of `(inputs, label, weight)`.
  """
  bag = model.get_layer(BAG)
  texts = read(bag, batches)
  progress.report(f"fitting the bag of words to {len(texts.counts):,} texts", epoch=0)
  rows, columns = bag.shape
  linear = Linear(rows=rows, columns=columns, start=params.bag_start)
  # Of a bag that was carried over, also what chose it.
  shrinkage = params.bag_shrinkage or carried_rows.facts_of(bag).get(_SHRINKAGE)
  if shrinkage is None:
    shrinkage = chosen(linear, texts)
  table, bias = linear.fit(texts, shrinkage, *bag.get_weights()[:2])
  bag.set_weights([table, bias, bag.get_weights()[2]])
  carried_rows.keep_fact(bag, _SHRINKAGE, shrinkage)
  progress.report(
    f"the bag of words has {np.count_nonzero(table.any(axis=1)):,} features, shrunk by "
    f"{shrinkage:g} (model.bag_shrinkage)",
    epoch=0,
  )


def chosen(linear: Linear, texts: Texts) -> float:
  """Returns the shrinkage with the least loss on a fifth of the texts that the fit does not see."""
  while len(texts.features) > _MOST_TO_CHOOSE_BY:
    texts = texts.part(np.arange(len(texts.counts)) % 2 == 0)
  is_held_out = np.arange(len(texts.counts)) % _HELD_OUT == _HELD_OUT - 1
  if not is_held_out.any():
    return _SHRINKAGES[0]
  fitted, held_out = texts.part(~is_held_out), texts.part(is_held_out)
  best, least = _SHRINKAGES[0], np.inf
  for shrinkage in _SHRINKAGES:
    loss = linear.loss(held_out, *linear.fit(fitted, shrinkage))
    if not loss < least:
      break
    best, least = shrinkage, loss
  return best


def read(bag: Bag, batches: tf.data.Dataset, most: int = _MOST) -> Texts:
  """Reads the features of all texts; of very many texts, of every second, fourth, ... one.

  The layer's buckets get their owners from what is read.

  Args:
    bag: the layer whose features are read.
    batches: as for `adapt`.
    most: the most features to keep.
  """

  def rows(inputs: Any, label: Any, *weight: Any) -> tuple[Any, ...]:
    ids = inputs[WORD_IDS]
    return (
      bag.candidates(ids, inputs[START_IDS], inputs[END_IDS]),
      bag.scales(ids)[:, 0],
      tf.cast(label, tf.int32),
      tf.cast(weight[0], tf.float32) if weight else tf.ones(tf.shape(label)),
    )

  parts: list[Texts] = []
  seen = used = 0
  stride = 1
  for features, scales, labels, weights in batches.map(rows).as_numpy_iterator():
    there = features >= 0
    texts = Texts(
      features=features[there],
      counts=there.sum(axis=1),
      scales=scales,
      labels=labels,
      weights=weights,
    ).part((seen + np.arange(len(labels))) % stride == 0)
    seen += len(labels)
    parts.append(texts)
    used += len(texts.features)
    while used > most:
      stride *= 2
      joined = Texts.joined(parts)
      parts = [joined.part(np.arange(len(joined.counts)) % 2 == 0)]
      used = len(parts[0].features)
  if stride > 1:
    progress.report(
      f"the bag of words is fitted to one text in {stride} of {seen:,}: all of them have more than "
      f"{most:,} features",
      epoch=0,
    )
  texts = Texts.joined(parts)
  bag.own(texts.features)
  return texts.renumbered(bag.rows_of(texts.features))
