"""Baselines that a person fits in minutes, on the splits that a run of the pipeline drew.

Each takes `Rows` and returns a value of the metric on eval. What is chosen, such as the strength of
a regression, is chosen on val; eval is scored once.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import pathlib
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import sacrebleu
import tensorflow as tf
from PIL import Image
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

_SPLITS = ("train", "val", "eval")
_STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
_MOST_ROWS = 10_000  # of train, for regressions over pixels; more take hours
_SIDE, _BACKBONE_SIDE = 32, 224


@dataclasses.dataclass(frozen=True)
class Rows:
  """The rows of a run.

  Attributes:
    inputs: raw inputs by split: bytes of files or of texts.
    labels: the raw labels, in the same order.
  """

  inputs: dict[str, list[bytes]]
  labels: dict[str, np.ndarray]


def read(workspace: pathlib.Path, task: str, input_key: str, label_key: str) -> Rows:
  """Reads the examples of the latest run of a task."""
  folder = workspace / task / "artifacts/SourceExampleGen/examples"
  latest = max(folder.iterdir(), key=lambda path: int(path.name))
  inputs, labels = {}, {}
  for split in _SPLITS:
    files = sorted(map(str, (latest / f"Split-{split}").glob("*.gz")))
    rows = [
      tf.train.Example.FromString(row).features.feature
      for row in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    ]
    inputs[split] = [row[input_key].bytes_list.value[0] for row in rows]
    labels[split] = np.array([row[label_key].bytes_list.value[0].decode() for row in rows])
  return Rows(inputs, labels)


def majority(rows: Rows) -> float:
  """Always answers the commonest class of train."""
  names, counts = np.unique(rows.labels["train"], return_counts=True)
  return float((rows.labels["eval"] == names[counts.argmax()]).mean())


def pixels(rows: Rows) -> float:
  """Logistic regression over pictures of 32 x 32 pixels; at most 10,000 rows of train."""
  return _regression(rows, {split: _pixels(rows.inputs[split], _SIDE) for split in _SPLITS})


def squeezenet_features(rows: Rows, *, weights: str) -> float:
  """Logistic regression over the mean features of SqueezeNet."""
  from pipeline.tasks.images.squeezenet import preprocess, squeezenet

  model = squeezenet(input_shape=(_BACKBONE_SIDE, _BACKBONE_SIDE, 3), weights=weights)

  def features(files: Sequence[bytes]) -> np.ndarray:
    found = [
      keras.ops.mean(model(preprocess(_pictures(batch, _BACKBONE_SIDE))), axis=(1, 2))
      for batch in _batches(files, 32)
    ]
    return np.concatenate(found)

  return _regression(rows, {split: features(rows.inputs[split]) for split in _SPLITS})


def tf_idf(rows: Rows) -> float:
  """Logistic regression over TF-IDF of words and pairs of words."""
  texts = _texts(rows)
  vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
  vectors.fit(texts["train"])
  return _regression(rows, {split: vectors.transform(texts[split]) for split in _SPLITS})


def naive_bayes(rows: Rows) -> float:
  """Logistic regression over words and pairs scaled by naive Bayes' ratios, for two classes.

  Source: Wang and Manning 2012, "Baselines and Bigrams".
  """
  texts, labels = _texts(rows), rows.labels["train"]
  vectors = CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=r"(?u)\S+")
  train = vectors.fit_transform(texts["train"])
  first, second = (
    1 + np.asarray(train[labels == name].sum(axis=0))[0] for name in np.unique(labels)
  )
  ratios = sparse.diags(np.log(second / second.sum()) - np.log(first / first.sum()))
  return _regression(rows, {split: vectors.transform(texts[split]) @ ratios for split in _SPLITS})


def copied(rows: Rows) -> float:
  """BLEU of the source as its own translation."""
  sources = _texts(rows)["eval"]
  return float(sacrebleu.corpus_bleu(sources, [list(rows.labels["eval"])]).score)


def _regression(rows: Rows, features: dict[str, np.ndarray | sparse.spmatrix]) -> float:
  """Fits regressions of several strengths; returns the eval accuracy of the best on val."""
  train, labels = features["train"], rows.labels["train"]
  if not sparse.issparse(train):
    scaler = StandardScaler().fit(train)
    features = {split: scaler.transform(some) for split, some in features.items()}
    train, labels = features["train"][:_MOST_ROWS], labels[:_MOST_ROWS]
  fitted = [LogisticRegression(C=c, max_iter=300).fit(train, labels) for c in _STRENGTHS]
  best = max(fitted, key=lambda model: model.score(features["val"], rows.labels["val"]))
  return float(best.score(features["eval"], rows.labels["eval"]))


def _texts(rows: Rows) -> dict[str, list[str]]:
  return {split: [text.decode() for text in some] for split, some in rows.inputs.items()}


def _pixels(files: Sequence[bytes], side: int) -> np.ndarray:
  parts = [_pictures(batch, side) for batch in _batches(files, 256)]
  return np.concatenate(parts).reshape(len(files), -1) / 255


def _pictures(files: Sequence[bytes], side: int) -> np.ndarray:
  """Returns `[batch, side, side, 3]` float32 in [0, 255]."""
  opened = (Image.open(io.BytesIO(file)).convert("RGB").resize((side, side)) for file in files)
  return np.stack([np.asarray(picture, np.float32) for picture in opened])


def _batches(files: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
  for start in range(0, len(files), size):
    yield files[start : start + size]


def with_weights(weights: str) -> Callable[[Rows], float]:
  """Returns `squeezenet_features` with a file of weights."""
  return functools.partial(squeezenet_features, weights=weights)
