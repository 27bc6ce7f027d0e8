"""Trainings that are drawn as `dlpipe run` draws them, and stop where Keras would begin.

Each is handed to the Trainer's own function, with sixty rows of the task's sample data. Only Keras'
`fit` is stood in for, which is given optimizer, batches and callbacks, and takes long.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attr
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.source_example_gen.shard_writer import serialize
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.records import Record
from pipeline.api.inputs import Inputs
from pipeline.params import Role
from pipeline.training import run as trainer
from pipeline.training.callbacks import BestEpoch
from pipeline.training.export import calibrating, certain, signatures

_ROWS = 60
_MOST_EPOCHS = 40  # that patience is counted in


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fit:
  """What one phase of training would have done.

  Attributes:
    rate: the largest learning rate of its steps.
    epochs: passes over the data.
    sizes: of each batch, the smallest first.
    first: what the first batch holds, as bytes.
    frozen: names of the layers that keep their weights.
    ends_after: the epochs after which training ends where none is better than the first.
    policy: Keras' policy of dtypes.
    compiled: whether XLA compiles its steps.
    weights: the sum of the weights' absolute values.
  """

  rate: float
  epochs: int
  sizes: list[int]
  first: bytes
  frozen: set[str]
  ends_after: int
  policy: str
  compiled: bool
  weights: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
  """A training that stopped before its export."""

  model: keras.Model
  fits: list[Fit]
  in_memory: bool
  calibrates: bool
  asks: tuple[float | None, float | None]

  def layers(self, kind: type[keras.layers.Layer]) -> list[Any]:
    return [each for each in self.model._flatten_layers() if isinstance(each, kind)]


class _NoExport(Exception):
  pass


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
  """A transform graph, the rows that it is of, and what they become."""

  graph: str
  file: str
  rows: list[bytes]

  @functools.cached_property
  def output(self) -> tft.TFTransformOutput:
    return tft.TFTransformOutput(self.graph)

  @functools.cached_property
  def values(self) -> dict[str, np.ndarray]:
    parsed = tf.io.parse_example(self.rows, self.output.raw_feature_spec())
    return {
      name: value.numpy() for name, value in self.output.transform_features_layer()(parsed).items()
    }


def _rows(inputs: Inputs) -> list[bytes]:
  options = inputs.config.data_options(inputs.task)
  records = [
    serialize(each.features)
    for shard in inputs.source.plan(inputs.config.data_path, options).shards
    for each in itertools.islice(inputs.source.read(shard, options), 2000)
    if isinstance(each, Record)
  ]
  return records[:: len(records) // _ROWS][:_ROWS]


@pytest.fixture(scope="session")
def transformed(tmp_path_factory):
  """Returns a function from a run to what the run's Transform makes of sixty rows; made once."""
  made: dict[str, Prepared] = {}

  def transform(inputs: Inputs, given: Mapping[str, Any]) -> Prepared:
    config = given["custom_config"]
    key = json.dumps([inputs.task.name, config["hyperparameters"]], sort_keys=True)
    if key not in made:
      root = tmp_path_factory.mktemp(inputs.task.name)
      rows = _rows(inputs)
      with tf.io.TFRecordWriter(str(root / "rows.gz"), options="GZIP") as writer:
        for row in rows:
          writer.write(row)
      _transform(inputs, given, rows, root)
      made[key] = Prepared(graph=str(root / "graph"), file=str(root / "rows.gz"), rows=rows)
    return made[key]

  return transform


def _transform(inputs, given, rows, root):
  import apache_beam as beam
  import tensorflow_transform.beam as tft_beam
  from apache_beam.options.pipeline_options import PipelineOptions
  from google.protobuf import text_format
  from tensorflow_metadata.proto.v0 import schema_pb2
  from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

  from pipeline.beam.options import beam_args
  from pipeline.tasks import schema_path

  schema = text_format.Parse(schema_path(inputs.task.name).read_text("utf-8"), schema_pb2.Schema())
  metadata = dataset_metadata.DatasetMetadata(schema)
  metadata_io.write_metadata(metadata, str(root / "graph" / "metadata"))
  spec = schema_utils.schema_as_feature_spec(schema).feature_spec
  parsed = [
    {name: value.numpy() for name, value in tf.io.parse_single_example(row, spec).items()}
    for row in rows
  ]
  preprocessing_fn = load_function(given["preprocessing_fn"])
  options = PipelineOptions(beam_args(inputs.config))
  with beam.Pipeline(options=options) as pipeline, tft_beam.Context(temp_dir=str(root / "temp")):
    graph = (pipeline | beam.Create(parsed), metadata) | tft_beam.AnalyzeDataset(
      lambda features: preprocessing_fn(features, given["custom_config"])
    )
    _ = graph | tft_beam.WriteTransformFn(str(root / "graph"))


@pytest.fixture(scope="session")
def loaded():
  """`run.load_splits`, which reads what it has read before only once."""
  real, made = trainer.load_splits, {}

  def load(fn_args, task, tft_output, *, cache_mb):
    key = (fn_args.transform_output, cache_mb)
    if key not in made:
      made[key] = real(fn_args, task, tft_output, cache_mb=cache_mb)
    return made[key]

  return load


@pytest.fixture(scope="session")
def known():
  """The trainings that were seen, by task and settings."""
  return {}


@pytest.fixture
def train(run, drawn, transformed, loaded, known, monkeypatch, tmp_path):
  """Returns a function from a task and its settings to what training would be; seen once."""
  fits: list[Fit] = []
  found: dict[str, Any] = {}

  def fit(model, data, *, callbacks, initial_epoch, epochs, **_):
    batches = list(data)
    best = next(each for each in callbacks.callbacks if isinstance(each, BestEpoch))
    fits.append(
      Fit(
        rate=_peak(model.optimizer, len(batches) * (epochs - initial_epoch)),
        epochs=epochs - initial_epoch,
        sizes=sorted(int(labels.shape[0]) for _, labels in batches),
        first=b"".join(np.asarray(each).tobytes() for each in tf.nest.flatten(batches[0])),
        frozen={layer.name for layer in model.layers if not layer.trainable},
        ends_after=_epochs_without_a_better_one(best, model, epochs),
        policy=keras.config.dtype_policy().name,
        compiled=bool(model.jit_compile),
        weights=float(sum(np.abs(each).sum() for each in model.get_weights())),
      )
    )

  def export(_, *, model, **__):
    found["model"] = model
    raise _NoExport

  def calibrated(problem, model, val, *, wanted, seed):
    found["calibrates"] = wanted

  def fitted(*_, settings, **__):
    found["asks"] = (settings["coverage"], settings["accepted_accuracy"])

  monkeypatch.setattr(keras.Model, "fit", fit)
  monkeypatch.setattr(calibrating, "calibrated", calibrated)
  monkeypatch.setattr(certain, "fitted", fitted)
  monkeypatch.setattr(signatures, "export", export)
  monkeypatch.setattr(trainer, "load_splits", loaded)

  def trained(task: str, *settings: str, anew: bool = False) -> Seen:
    if (task, settings) in known and not anew:
      return known[task, settings]
    fits.clear()
    inputs = run(task, *settings, tiny=True)
    given = drawn(inputs)
    prepared = transformed(inputs, given["Transform"])
    config = dict(given["Trainer"]["custom_config"])
    del config["checkpoint_root"]  # where it would go on after a kill
    with _policy_restored(), contextlib.suppress(_NoExport):
      trainer.run_fn(_fn_args(prepared, config, tmp_path))
    train_split, _ = loaded(
      _fn_args(prepared, config, tmp_path),
      inputs.task,
      prepared.output,
      cache_mb=config["train"]["cache_mb"],
    )
    known[task, settings] = Seen(
      model=found["model"],
      fits=list(fits),
      in_memory=train_split.arrays is not None,
      calibrates=found["calibrates"],
      asks=found["asks"],
    )
    return known[task, settings]

  return trained


def _peak(optimizer: keras.Optimizer, steps: int) -> float:
  """The largest learning rate of the steps; one that is no schedule's is the same in all."""
  schedule = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
  if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
    return float(optimizer.learning_rate)
  return max(float(schedule(step)) for step in range(steps))


def _epochs_without_a_better_one(best: BestEpoch, model: keras.Model, epochs: int) -> int:
  best.set_model(model)
  metric = {best.metric: 0.5}
  for epoch in range(min(epochs, _MOST_EPOCHS)):
    best.on_epoch_end(epoch, metric)
    if best.exhausted:
      return epoch + 1
  return epochs


def _fn_args(prepared: Prepared, config: Mapping[str, Any], folder) -> FnArgs:
  arguments = {field.name: None for field in attr.fields(FnArgs)}
  return FnArgs(
    **{
      **arguments,
      "train_files": [prepared.file],
      "eval_files": [prepared.file],
      "transform_graph_path": prepared.graph,
      "transform_output": prepared.graph,
      "serving_model_dir": str(folder / "export"),
      "model_run_dir": str(folder / "run"),
      "custom_config": dict(config),
    }
  )


@contextlib.contextmanager
def _policy_restored() -> Iterator[None]:
  before = keras.config.dtype_policy()
  try:
    yield
  finally:
    keras.config.set_dtype_policy(before)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
  """What a check has."""

  task: str
  train: Callable[..., Seen]
  run: Callable[..., Inputs]
  drawn: Callable[..., Any]
  transformed: Callable[..., Prepared]
  folder: Any

  def seen(self, *settings: str, anew: bool = False) -> Seen:
    return self.train(self.task, *settings, anew=anew)

  def prepared(self, *settings: str) -> Prepared:
    inputs = self.run(self.task, *settings, tiny=True)
    return self.transformed(inputs, self.drawn(inputs)["Transform"])

  def check_min_steps(self) -> None:
    """`model.min_steps` lifts the epochs of the last phase, and is refused where all are said."""
    [*_, usual] = self.seen().fits
    [*_, lifted] = self.seen("model.min_steps=90").fits
    assert usual.epochs < lifted.epochs == math.ceil(90 / len(usual.sizes))
    task = self.run(self.task).task
    unread = task.params.usual().unread()
    said = [
      f"{task.params.full_name(name)}=2"
      for name in task.params.names_with(Role.EPOCHS)
      if name not in unread
    ]
    with pytest.raises(
      BadInputError, match=r"^model\.min_steps lifts only epochs that are not set"
    ):
      self.run(self.task, "model.min_steps=90", *said)


@pytest.fixture
def desk(task_name, train, run, drawn, transformed, tmp_path):
  return Desk(
    task=task_name,
    train=train,
    run=run,
    drawn=drawn,
    transformed=transformed,
    folder=tmp_path,
  )
