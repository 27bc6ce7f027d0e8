"""One part of `text_overhead.py` in a process of its own; the last line of stdout is JSON.

python text_parts.py stock CSV_FOLDER PIPELINE_ROOT
python text_parts.py ours CSV WORKSPACE
python text_parts.py fit WORKSPACE EPOCHS
"""

from __future__ import annotations

import glob
import json
import pathlib
import resource
import sys
import time
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from benchmarks.baselines import data_nodes


def stock(folder: str, root: str) -> dict[str, Any]:
  """TFX's own components at their defaults, with the usual tokenization and vocabulary."""
  from tfx import v1 as tfx

  examples = tfx.components.CsvExampleGen(input_base=folder)
  statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
  schema = tfx.components.SchemaGen(
    statistics=statistics.outputs["statistics"], infer_feature_shape=True
  )
  validator = tfx.components.ExampleValidator(
    statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
  )
  transform = tfx.components.Transform(
    examples=examples.outputs["examples"],
    schema=schema.outputs["schema"],
    preprocessing_fn="benchmarks.baselines.text_parts.preprocessing_fn",
  )
  pipeline = tfx.dsl.Pipeline(
    pipeline_name="stock",
    pipeline_root=root,
    components=[examples, statistics, schema, validator, transform],
    metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
      f"{root}/metadata.db"
    ),
  )
  return _measured(pipeline)


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
  """Lower case, split at spaces, a vocabulary: what tutorials do."""
  words = tf.strings.split(tf.strings.lower(tf.reshape(inputs["text"], [-1])))
  ids = tft.compute_and_apply_vocabulary(words, num_oov_buckets=1)
  return {
    "ids": ids.to_tensor(default_value=-1, shape=[None, 256]),
    "label": tft.compute_and_apply_vocabulary(inputs["label"]),
  }


def ours(data: str, workspace: str) -> dict[str, Any]:
  """The same nodes of `dlpipe run sentiment`, up to Transform."""
  return _measured(data_nodes.draw("sentiment", data, workspace))


def _measured(pipeline: Any) -> dict[str, Any]:
  nodes = data_nodes.run(pipeline)
  return {
    "seconds": round(sum(node["seconds"] for node in nodes.values()), 2),
    "nodes": {name: node["seconds"] for name, node in nodes.items()},
  }


def fit(workspace: str, epochs: str) -> dict[str, Any]:
  """Trains the model of a run's history with Keras alone, from the run's own arrays.

  Two ways: `fit` on the arrays, padded to the longest, and `fit` on the batches of the run.
  """
  import keras

  from dlpipe.dotted_paths import load_function
  from pipeline.tasks import get_task
  from pipeline.training import datasets

  task = get_task("sentiment")
  root = pathlib.Path(workspace) / "sentiment" / "artifacts"
  [history] = glob.glob(f"{root}/Trainer/model_run/*/history.json")
  params = task.params.of(json.loads(pathlib.Path(history).read_text())["hyperparameters"])
  [graph] = glob.glob(f"{root}/Transform/transform_graph/*")
  output = tft.TFTransformOutput(graph)
  transform = datasets.transform_fn(output)
  splits = [
    datasets.load_split(
      glob.glob(f"{root}/SourceExampleGen/examples/*/Split-{split}/*"),
      transform,
      label_id_key=task.problem.label_id_key,
      cache_mb=4096,
      cache_dtypes=task.cache_dtypes,
      sequence_keys=task.sequence_keys,
      left_out=(*task.transformed_slices, *task.serving_keys),
    )
    for split in ("train", "val")
  ]
  size = params.batch_size
  steps = -(-splits[0].size // size)

  def seconds(**data: Any) -> list[float]:
    keras.utils.set_random_seed(1)
    model = load_function(task.build_model)(params, output)
    model.compile(
      keras.optimizers.Adam(params.learning_rate),
      **load_function(task.problem.compile_args)(params),
      jit_compile=False,
    )
    clock = _Clock()
    model.fit(**data, epochs=int(epochs), verbose=0, callbacks=[clock])
    return clock.seconds

  found: dict[str, Any] = {"steps": steps}
  found["batches"] = seconds(
    x=splits[0].batches(size, 1), validation_data=splits[1].batches(256, None)
  )
  (train, train_labels), (val, val_labels) = (split.arrays for split in splits)
  found["arrays"] = seconds(
    x=_only(train),
    y=train_labels,
    batch_size=size,
    validation_data=(_only(val), val_labels),
    validation_batch_size=256,
  )
  return found


def _only(inputs: dict[str, Any]) -> Any:
  return next(iter(inputs.values())) if len(inputs) == 1 else inputs


class _Clock(tf.keras.callbacks.Callback):
  """Seconds of each epoch, validation included."""

  def __init__(self) -> None:
    super().__init__()
    self.seconds: list[float] = []

  def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
    self._started = time.monotonic()

  def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
    self.seconds.append(round(time.monotonic() - self._started, 3))


if __name__ == "__main__":
  part = {"stock": stock, "ours": ours, "fit": fit}[sys.argv[1]]
  result = part(*sys.argv[2:])
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
  print(json.dumps({**result, "peak_mb": round(peak)}))
