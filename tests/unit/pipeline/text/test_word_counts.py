"""Words counted by batches, through Beam and a real transform graph."""

import collections

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing import util
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from pipeline.text import word_counts

_FILE = "words"


def test_batches_are_added_up():
  batches = [(np.array([b"a", b"b", b"a"], object),), (np.array([b"b", b"c"], object),)]
  with beam.Pipeline(runner=FnApiRunner()) as pipeline:
    counted = pipeline | beam.Create(batches) | word_counts.CountWords()
    util.assert_that(counted, util.equal_to([collections.Counter({b"a": 2, b"b": 2, b"c": 1})]))


def test_no_batch_has_no_words():
  with beam.Pipeline(runner=FnApiRunner()) as pipeline:
    counted = pipeline | beam.Create([]) | word_counts.CountWords()
    util.assert_that(counted, util.equal_to([collections.Counter()]))


@pytest.mark.parametrize(
  ("top", "min_count", "expected"),
  [
    (9, 1, {b"b": 3, b"\xc3\xa9": 2, b"a": 1, b"c": 1}),
    (9, 2, {b"b": 3, b"\xc3\xa9": 2}),
    (3, 1, {b"b": 3, b"\xc3\xa9": 2, b"a": 1}),
    (9, 9, {word_counts.NO_WORD.encode(): 0}),
  ],
)
def test_frequent_words_are_kept_and_numbered(tmp_path, top, min_count, expected):
  graph = _graph(tmp_path, ["b é c", "é b a", "b"], top=top, min_count=min_count)
  words, counts = word_counts.read_counts(graph, _FILE)
  assert dict(zip(words, counts.tolist(), strict=True)) == expected
  assert list(expected) == words
  layer = graph.transform_features_layer()
  found = layer({"text": tf.constant(["b é", "a z"])})["ranks"].numpy().tolist()
  number = {word: rank for rank, word in enumerate(words)}
  assert found == [
    [number.get(b"b", -1), number.get(b"\xc3\xa9", -1)],
    [number.get(b"a", -1), -1],
  ]


def _graph(root, texts, *, top, min_count):
  def preprocessing_fn(inputs):
    words = tf.strings.split(inputs["text"])
    path = word_counts.frequent_words(
      words.flat_values, top=top, min_count=min_count, file_name=_FILE
    )
    return {"ranks": word_counts.ranks(words.to_tensor(shape=[None, 2]), path)}

  spec = {"text": tf.io.FixedLenFeature([], tf.string)}
  metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
  metadata_io.write_metadata(metadata, str(root / "graph" / "metadata"))
  rows = [{"text": text.encode()} for text in texts]
  with (
    beam.Pipeline(runner=FnApiRunner()) as pipeline,
    tft_beam.Context(temp_dir=str(root / "temp")),
  ):
    transform_fn = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(
      preprocessing_fn
    )
    _ = transform_fn | tft_beam.WriteTransformFn(str(root / "graph"))
  return tft.TFTransformOutput(str(root / "graph"))
