"""A small transform graph of the sentiment task."""

from __future__ import annotations

import pytest

WORDS = {
  "max_words": 8,
  "vocabulary_size": 100,
  "min_frequency": 2,
  "part_buckets": 5,
}
# Words by frequency: good 4, "." and bad 3, film and not 2; the others once.
TEXTS = ("Good film.", "good, good", "Not good.", "bad film", "bad bad. not", "plot", "")
LABELS = ("positive", "positive", "negative", "negative", "negative", "negative", "positive")


@pytest.fixture(scope="session")
def text_graph(tmp_path_factory):
  """A `TFTransformOutput` of `TEXTS` and `LABELS` through the task's own preprocessing_fn."""
  import apache_beam as beam
  import tensorflow as tf
  import tensorflow_transform as tft
  import tensorflow_transform.beam as tft_beam
  from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
  from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

  from pipeline.tasks.sentiment.params import SentimentParams
  from pipeline.tasks.sentiment.preprocessing import preprocessing_fn

  root = tmp_path_factory.mktemp("text_graph")
  spec = {name: tf.io.FixedLenFeature([1], tf.string) for name in ("text", "label")}
  metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
  rows = [
    {"text": [text.encode()], "label": [label.encode()]}
    for text, label in zip(TEXTS, LABELS, strict=True)
  ]
  metadata_io.write_metadata(metadata, str(root / "graph" / "metadata"))
  known = "FnApiRunner" in StandardOptions.KNOWN_RUNNER_NAMES
  options = PipelineOptions([f"--runner={'FnApiRunner' if known else 'DirectRunner'}"])
  with (
    beam.Pipeline(options=options) as pipeline,
    tft_beam.Context(temp_dir=str(root / "temp")),
  ):
    transform_fn = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(
      lambda inputs: preprocessing_fn(inputs, SentimentParams(**WORDS))
    )
    _ = transform_fn | tft_beam.WriteTransformFn(str(root / "graph"))
  return tft.TFTransformOutput(str(root / "graph"))


@pytest.fixture(scope="session")
def params():
  """Small values that go with `text_graph`."""
  from pipeline.tasks.sentiment.params import SentimentParams

  return SentimentParams(
    **WORDS, word_units=4, units=3, readers=2, pair_buckets=50, triple_buckets=60
  )


@pytest.fixture(scope="session")
def own_runs():
  """Returns a function that gives a bag's buckets to the pairs and triples of `[batch, time]` ids.

  Each text is given twice, because what one text alone has owns no bucket. Weights stay.
  """
  import numpy as np

  def own(bag, ids, starts, ends):
    codes = bag.candidates(*(np.asarray(each, "int32") for each in (ids, starts, ends))).numpy()
    table, bias, _ = bag.get_weights()
    bag.own(np.concatenate([codes[codes >= 0]] * 2))
    bag.set_weights([table, bias, bag.get_weights()[2]])

  return own
