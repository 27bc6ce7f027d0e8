"""What training must do for every task: `run_fn` on sixty rows of each one's sample data."""

import dataclasses
import itertools
import json
import logging
import types

import apache_beam as beam
import attr
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from google.protobuf import text_format
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io
from tfx.components.trainer.fn_args_utils import FnArgs

from components.serving_gate.loaders import load_tf1
from components.source_example_gen.shard_writer import serialize
from dlpipe import progress
from dlpipe.dotted_paths import load_function
from dlpipe.records import Record
from pipeline.params import Params, Role
from pipeline.settings.config import TrainConfig
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task, schema_path, task_names
from pipeline.training import learning, loop
from pipeline.training.machines import strategy, xla
from pipeline.training.run import run_fn

_ROWS = 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
  """A task's `params` for three steps, inputs' `bounds`, transform `graph`, and `file`."""

  task: str
  params: Params
  bounds: dict
  graph: str
  file: str


# Networks that a task has besides its default: settings to say so.
_NETWORKS = {"translation: transformer": ("model.architecture=transformer",)}


@pytest.fixture(scope="module", params=[*task_names(), *_NETWORKS])
def prepared(request, tmp_path_factory):
  name, _, network = request.param.partition(": ")
  root = tmp_path_factory.mktemp(f"{name}{network}")
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    task = get_task(name)
    path = task.shipped_data()
  config = make_config(
    task, data_path=path, workspace="w", tiny=True, settings=_NETWORKS.get(request.param, ())
  )
  name, source = next((n, s) for n, s in task.sources.items() if s.matches(path))
  options = config.data_options(task)
  params = config.params(task)
  if task.infer:
    params = task.infer(name, path, options, params)
  rows = [
    serialize(each.features)
    for shard in source.plan(path, options).shards
    for each in itertools.islice(source.read(shard, options), 2000)
    if isinstance(each, Record)
  ]
  rows = rows[:: len(rows) // _ROWS][:_ROWS]
  with tf.io.TFRecordWriter(str(root / "rows.gz"), options="GZIP") as writer:
    for row in rows:
      writer.write(row)
  _transform(task, params, rows, root)
  return Prepared(
    task=task.name,
    # Three steps, of each phase.
    params=params.replace(
      **dict.fromkeys(params.names_with(Role.EPOCHS), 1), batch_size=_ROWS // 3
    ),
    bounds={name: options[name] for name in task.input.bounds},
    graph=str(root / "graph"),
    file=str(root / "rows.gz"),
  )


def _transform(task, params, rows, root):
  schema = text_format.Parse(schema_path(task.name).read_text("utf-8"), schema_pb2.Schema())
  metadata = dataset_metadata.DatasetMetadata(schema)
  metadata_io.write_metadata(metadata, str(root / "graph" / "metadata"))
  spec = tft.tf_metadata.schema_utils.schema_as_feature_spec(schema).feature_spec
  parsed = [
    {name: value.numpy() for name, value in tf.io.parse_single_example(row, spec).items()}
    for row in rows
  ]
  known = "FnApiRunner" in StandardOptions.KNOWN_RUNNER_NAMES
  options = PipelineOptions([f"--runner={'FnApiRunner' if known else 'DirectRunner'}"])
  with beam.Pipeline(options=options) as pipeline, tft_beam.Context(temp_dir=str(root / "temp")):
    graph = (pipeline | beam.Create(parsed), metadata) | tft_beam.AnalyzeDataset(
      lambda inputs: load_function(task.preprocessing_fn)(inputs, params)
    )
    _ = graph | tft_beam.WriteTransformFn(str(root / "graph"))


@pytest.fixture(scope="module", params=[True, "bfloat16"])
def trained(request, prepared, tmp_path_factory):
  """What the Trainer's function wrote in half precision, where Keras saw a GPU at the end.

  Learning itself would need the GPU.
  """
  root = tmp_path_factory.mktemp("trained")
  before = keras.config.dtype_policy()
  arguments = {field.name: None for field in attr.fields(FnArgs)} | {
    "train_files": [prepared.file],
    "eval_files": [prepared.file],
    "transform_graph_path": prepared.graph,
    "transform_output": prepared.graph,
    "serving_model_dir": str(root / "export"),
    "model_run_dir": str(root / "run"),
    "custom_config": {
      "task": prepared.task,
      "hyperparameters": prepared.params.as_json(),
      "fixed_epochs": [],
      "input_bounds": prepared.bounds,
      "train": TrainConfig(mixed_precision=request.param).model_dump(),
    },
  }
  learn = loop.Training.run
  with pytest.MonkeyPatch.context() as patch:

    def learn_and_see_a_gpu(training):
      history = learn(training)
      patch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["a GPU"])
      return history

    patch.setattr(loop.Training, "run", learn_and_see_a_gpu)
    try:
      run_fn(FnArgs(**arguments))
    finally:
      keras.config.set_dtype_policy(before)
  return root


def test_a_task_learns_in_half_precision(request, trained):
  history = json.loads((trained / "run/history.json").read_text())
  wanted = request.node.callspec.params["trained"]
  assert history["precision"] == f"mixed_{'float16' if wanted is True else wanted}"
  assert all(np.isfinite(row["loss"]) for row in history["epochs"])


def test_what_is_exported_where_a_gpu_is_answers_without(trained):
  assert b"Cudnn" not in (trained / "export" / "saved_model.pb").read_bytes()
  assert not _ops_in_half(trained / "export")
  rows = list(tf.data.TFRecordDataset(str(trained / "run/parity/examples.tfrecord")))
  signature = tf.saved_model.load(str(trained / "export")).signatures["serving_examples"]
  answer = signature(examples=tf.stack(rows))
  expected = np.load(trained / "run/parity/expected.npz")
  assert set(answer) == set(expected.files)
  for name, value in answer.items():
    if value.dtype == tf.string:
      assert (value.numpy() == expected[name].astype(bytes)).all(), name
    else:
      assert value.dtype == tf.float32, name
      assert np.isfinite(value).all(), name
      np.testing.assert_allclose(value, expected[name], atol=1e-5)
  with load_tf1(str(trained / "export")) as (run, _):
    in_tf1 = run("serving_examples", "examples", np.array([row.numpy() for row in rows[:2]]))
  for name, value in in_tf1.items():
    if value.dtype.kind == "f":
      np.testing.assert_allclose(value, expected[name][:2], atol=1e-5)


def _ops_in_half(export):
  """Names of the ops of a SavedModel that compute in half precision."""
  model = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes())
  graph = model.meta_graphs[0].graph_def
  nodes = [*graph.node, *itertools.chain(*(each.node_def for each in graph.library.function))]
  half = (types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)
  return {
    node.op
    for node in nodes
    for value in node.attr.values()
    if value.type in half or set(half) & set(value.list.type)
  }


def test_xla_compiles_a_task_or_says_what_speaks_against_it(prepared, monkeypatch, caplog):
  """Where a GPU is seen; what is compiled runs on the CPU; tests above train the rest."""
  monkeypatch.setattr(strategy, "sees_gpu", lambda: True)
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  decided, fit = [], xla.fit

  def fit_what_is_compiled(model, *, train, **arguments):
    decided.append(xla.decide(model, train, asked=None, replicas=1))
    if decided[-1]:
      fit(model, train=train, **arguments)

  monkeypatch.setattr(xla, "fit", fit_what_is_compiled)
  task, graph = get_task(prepared.task), tft.TFTransformOutput(prepared.graph)
  files = types.SimpleNamespace(train_files=[prepared.file], eval_files=[prepared.file])
  learning.learn(
    task,
    {"train": TrainConfig(mixed_precision=False).model_dump(), "fixed_epochs": []},
    prepared.params.replace(min_steps=0),
    graph,
    learning.load_splits(files, task, graph, cache_mb=100),
    distribution=tf.distribute.get_strategy(),
  )
  reasons = [line for line in caplog.messages if line.startswith("not compiled by XLA: ")]
  phases = load_function(task.training_plan)(prepared.params)
  assert len(decided) == len(phases)
  assert len(reasons) == decided.count(False)
