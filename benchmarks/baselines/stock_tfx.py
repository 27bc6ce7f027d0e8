"""Baseline (c): the data part of the pipeline with TFX's own components at their defaults.

python stock_tfx.py write DATA_FOLDER RECORDS_FOLDER
python stock_tfx.py run RECORDS_FOLDER PIPELINE_ROOT
"""

from __future__ import annotations

import json
import pathlib
import resource
import sys
import time

import tensorflow as tf
from tfx import v1 as tfx

from benchmarks.baselines.plain_keras import read


def write(folder: str, records: str) -> None:
  """Writes the idx files as TFRecords of PNG pictures, one folder a split."""
  for split, name in (("train", "train"), ("t10k", "eval")):
    target = pathlib.Path(records) / name
    target.mkdir(parents=True)
    pixels, labels = read(pathlib.Path(folder), split)
    with tf.io.TFRecordWriter(str(target / "data.tfrecord")) as writer:
      for picture, label in zip(pixels[..., :1], labels, strict=True):
        feature = {
          "image": _bytes(tf.io.encode_png(picture).numpy()),
          "label": _bytes(str(label).encode()),
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        writer.write(example.SerializeToString())


def run(records: str, root: str) -> None:
  """Runs the components and prints the seconds they took without imports."""
  split = tfx.proto.Input.Split
  examples = tfx.components.ImportExampleGen(
    input_base=records,
    input_config=tfx.proto.Input(
      splits=[split(name=name, pattern=f"{name}/*") for name in ("train", "eval")]
    ),
  )
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
    preprocessing_fn="pipeline.training.transform.preprocessing_fn",
    custom_config={
      "preprocessing_fn": "pipeline.tasks.images.preprocessing.preprocessing_fn",
      "params": "pipeline.tasks.images.params.ImageParams",
      "hyperparameters": {"image_size": 28},
    },
  )
  pipeline = tfx.dsl.Pipeline(
    pipeline_name="stock",
    pipeline_root=root,
    components=[examples, statistics, schema, validator, transform],
    metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
      f"{root}/metadata.db"
    ),
  )
  started = time.monotonic()
  tfx.orchestration.LocalDagRunner().run(pipeline)
  print(json.dumps({"data_seconds": round(time.monotonic() - started, 1)}))
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
  print(f"PEAK_MB {peak:.1f}", file=sys.stderr)


def _bytes(value: bytes) -> tf.train.Feature:
  return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


if __name__ == "__main__":
  {"write": write, "run": run}[sys.argv[1]](*sys.argv[2:])
