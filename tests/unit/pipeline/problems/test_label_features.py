"""What a transform graph makes of labels and numbers, through TFT itself."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from pipeline.problems import labels, number


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory):
  """Returns a function from a problem's module, its label's spec and rows to their features."""
  import apache_beam as beam
  from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

  known = "FnApiRunner" in StandardOptions.KNOWN_RUNNER_NAMES
  runner = PipelineOptions([f"--runner={'FnApiRunner' if known else 'DirectRunner'}"])

  def run(problem, spec, values):
    root = tmp_path_factory.mktemp("graph")
    spec = {"text": tf.io.FixedLenFeature([1], tf.string), "label": spec}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    rows = [{"text": [b"x"], "label": value} for value in values]
    with beam.Pipeline(options=runner) as pipeline, tft_beam.Context(temp_dir=str(root / "t")):
      transform_fn = (pipeline | beam.Create(rows), metadata) | tft_beam.AnalyzeDataset(
        lambda inputs: problem.label_features(inputs["label"], inputs["text"])
      )
      _ = transform_fn | tft_beam.WriteTransformFn(str(root / "graph"))
    return tft.TFTransformOutput(str(root / "graph"))

  return run


def test_labels_become_ids_by_frequency_with_what_is_unknown_and_what_is_none(analyzed):
  spec = tf.io.VarLenFeature(tf.string)
  graph = analyzed(labels, spec, [[b"a", b"b"], [b"b"], [b"b", b"c", b"a"], []])
  assert labels.units(graph) == 3
  layer = graph.transform_features_layer()
  given = tf.sparse.from_dense([["b", "a", "c"], ["new", "b", ""], ["", "", ""]])
  ids = layer({"label": given, "text": tf.constant([["x"]] * 3)})["label_ids"].numpy()
  assert ids.shape == (3, labels.MOST)
  assert ids[:, :4].tolist() == [[0, 1, 2, -1], [-2, 0, -1, -1], [-1, -1, -1, -1]]
  # No place among the labels: neither is learnt from.
  loss = labels.binary_cross_entropy(
    ids, tf.constant([[9.0, 9.0, 9.0], [9.0, -9.0, -9.0], [-9.0] * 3])
  )
  np.testing.assert_allclose(loss, 0, atol=1e-3)


def test_a_number_is_learnt_in_deviations_and_answered_in_its_unit(analyzed):
  spec = tf.io.FixedLenFeature([1], tf.float32)
  graph = analyzed(number, spec, [[1000.0], [1200.0], [1400.0], [1200.0]])
  layer = graph.transform_features_layer()
  features = layer({"label": tf.constant([[1200.0], [1400.0]]), "text": tf.constant([["x"]] * 2)})
  np.testing.assert_allclose(features["target"], [[0], [np.sqrt(2)]], rtol=1e-6)
  # A request has no label; what it takes to answer is there all the same.
  asked = layer({"text": tf.constant([["x"]] * 2)})
  outputs = number.answer(graph, None, {})(features["target"], asked)
  np.testing.assert_allclose(outputs["value"], [1200, 1400], rtol=1e-6)


def test_a_train_split_of_one_number_divides_by_nothing(analyzed):
  graph = analyzed(number, tf.io.FixedLenFeature([1], tf.float32), [[5.0], [5.0]])
  features = graph.transform_features_layer()(
    {"label": tf.constant([[5.0], [7.0]]), "text": tf.constant([["x"]] * 2)}
  )
  assert features["target"].numpy().tolist() == [[0.0], [2.0]]
