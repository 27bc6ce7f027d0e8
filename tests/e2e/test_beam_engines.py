"""The nodes up to Transform on an embedded Flink and Spark: what comes of them is the same.

Skipped where the job servers (`scripts/fetch-beam-job-servers.sh`) or Java are missing. By default
a few hundred reviews; `DLPIPE_BEAM_TASKS=all` runs every task on its whole sample data.
"""

from __future__ import annotations

import csv
import functools
import os
import pathlib

import pytest

from data.sentiment.reviews import reviews
from dlpipe.errors import BadInputError
from dlpipe.records import SPLITS
from pipeline.beam.engines import check_engine
from pipeline.settings.config import BeamConfig
from pipeline.tasks import task_names

pytestmark = pytest.mark.e2e

_ALL = os.environ.get("DLPIPE_BEAM_TASKS") == "all"
_TASKS = task_names() if _ALL else ["sentiment"]
# TFDV's sketch of values holds this many; its counts of rows are off by at most rows / size.
_SKETCH = 1024
_SHOWN = 200


@pytest.fixture(params=["flink", "spark"])
def engine(request) -> str:
  """An engine that this machine can start."""
  try:
    check_engine(BeamConfig(runner=request.param), os.environ)
  except BadInputError as err:
    pytest.skip(str(err).split("\n", 1)[0])
  return request.param


@pytest.fixture(scope="module")
def run_data_nodes(tmp_path_factory, run_dlpipe):
  """Runs a task's nodes up to Transform on an engine and returns its artifacts; each only once."""
  reviews_csv = tmp_path_factory.mktemp("data") / "reviews.csv"
  with reviews_csv.open("w", encoding="utf-8", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["text", "label"])
    writer.writerows(reviews(rows=400))

  @functools.cache
  def run(task: str, engine: str) -> pathlib.Path:
    workspace = tmp_path_factory.mktemp(engine)
    done = run_dlpipe(
      *("run", task, "--tiny", "--until", "Transform", "--beam", engine),
      *("--workspace", workspace, "--json", *(() if _ALL else ("--data", reviews_csv))),
    )
    assert done.code == 0, done.stderr
    states = done.states()
    assert (states["SourceExampleGen"], states["Transform"]) == ("COMPLETE", "COMPLETE")
    return workspace / task / "artifacts"

  return run


@pytest.mark.parametrize("task", _TASKS)
def test_results_are_those_of_the_direct_runner(task, engine, run_data_nodes):
  direct, other = run_data_nodes(task, "direct"), run_data_nodes(task, engine)
  examples = [_examples(root) for root in (direct, other)]
  assert examples[0] == examples[1]
  assert all(examples[0][split] for split in SPLITS)
  for split in SPLITS:
    _assert_same_statistics(_statistics(direct, split), _statistics(other, split))
    assert _anomalies(direct, split) == _anomalies(other, split)
  _assert_same_transform(direct, other, examples[0]["eval"][:_SHOWN])


def _output(root: pathlib.Path, node: str, name: str) -> pathlib.Path:
  [execution] = (root / node / name).iterdir()
  return execution


def _examples(root: pathlib.Path) -> dict[str, list[bytes]]:
  """Every split's serialised examples, sorted."""
  import tensorflow as tf

  found = {}
  for split in SPLITS:
    folder = _output(root, "SourceExampleGen", "examples") / f"Split-{split}"
    files = [str(path) for path in folder.iterdir()]
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    found[split] = sorted(record.numpy() for record in records)
  return found


def _statistics(root: pathlib.Path, split: str):
  """A split's statistics, features by name: engines hand them over in any order."""
  from tensorflow_metadata.proto.v0 import statistics_pb2

  path = _output(root, "StatisticsGen", "statistics") / f"Split-{split}" / "FeatureStats.pb"
  [data] = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets
  features = sorted(data.features, key=lambda feature: list(feature.path.step))
  del data.features[:]
  data.features.extend(features)
  return data


def _assert_same_statistics(one, other):
  """Equal to the last bit, but for counts of single values where those are too many to be kept."""
  for dataset in (one, other):
    for feature in dataset.features:
      strings = feature.string_stats
      if strings.unique < _SKETCH:
        continue
      error = dataset.num_examples / _SKETCH + 1
      counts = [
        *(value.frequency for value in strings.top_values),
        *(bucket.sample_count for bucket in strings.rank_histogram.buckets),
      ]
      # Every value that is kept is about as frequent as the least frequent.
      assert max(counts) - min(counts) <= error
      del strings.top_values[:]
      strings.ClearField("rank_histogram")
  assert one == other


def _anomalies(root: pathlib.Path, split: str) -> bytes:
  return (
    _output(root, "ExampleValidator", "anomalies") / f"Split-{split}" / "SchemaDiff.pb"
  ).read_bytes()


def _assert_same_transform(direct: pathlib.Path, other: pathlib.Path, rows: list[bytes]):
  """Same files beside the graphs, same operations in them, same outputs for the same rows."""
  import numpy as np
  import tensorflow as tf
  import tensorflow_transform as tft

  roots = [_output(root, "Transform", "transform_graph") for root in (direct, other)]
  assets = [
    {path.name: path.read_bytes() for path in (root / "transform_fn" / "assets").iterdir()}
    for root in roots
  ]
  assert assets[0] == assets[1]
  assert all(assets[0].values())
  schemas = [(root / "transformed_metadata" / "schema.pbtxt").read_text() for root in roots]
  assert schemas[0] == schemas[1]
  assert _operations(roots[0]) == _operations(roots[1])
  outputs = []
  for root in roots:
    graph = tft.TFTransformOutput(str(root))
    features = tf.io.parse_example(rows, graph.raw_feature_spec())
    outputs.append(graph.transform_features_layer()(features))
  assert outputs[0].keys() == outputs[1].keys()
  for name, value in outputs[0].items():
    np.testing.assert_array_equal(_dense(value), _dense(outputs[1][name]), err_msg=name)


def _operations(root: pathlib.Path) -> list[tuple[str, str]]:
  from tensorflow.core.protobuf import saved_model_pb2

  content = (root / "transform_fn" / "saved_model.pb").read_bytes()
  [graph] = saved_model_pb2.SavedModel.FromString(content).meta_graphs
  library = [node for f in graph.graph_def.library.function for node in f.node_def]
  return sorted((node.name, node.op) for node in (*graph.graph_def.node, *library))


def _dense(value):
  import tensorflow as tf

  if isinstance(value, tf.RaggedTensor):
    return value.to_tensor().numpy()
  return (tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value).numpy()
