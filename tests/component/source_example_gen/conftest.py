"""SourceExampleGen's executor run on a folder."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import Quarantine
from components.source_example_gen.executor import Executor
from pipeline.beam.options import beam_args
from pipeline.settings.config import PipelineConfig

FOLDER = "pipeline.tasks.images.sources.folder"
IN_PROCESS = beam_args(PipelineConfig(task="t", data_path="", workspace=""))


@pytest.fixture
def run(tmp_path):
  """Returns a function that runs the executor and returns both artifacts' folders."""

  def run_executor(data_path, name="out", **exec_properties):
    examples, rejected = standard_artifacts.Examples(), Quarantine()
    for artifact, folder in ((examples, "examples"), (rejected, "quarantine")):
      artifact.uri = str(tmp_path / name / folder)
      (tmp_path / name / folder).mkdir(parents=True)
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=IN_PROCESS)
    properties = {
      "plan_fn": f"{FOLDER}.plan",
      "read_fn": f"{FOLDER}.read",
      "data_path": str(data_path),
      "options": "{}",
      "label_key": "label",
      "code_fingerprint": "",
      "val_fraction": 0.2,
      "eval_fraction": 0.2,
    }
    outputs = {"examples": [examples], "quarantine": [rejected]}
    Executor(context).Do({}, outputs, properties | exec_properties)
    return examples, pathlib.Path(rejected.uri)

  return run_executor


def _read_split(examples, split):
  folder = pathlib.Path(artifact_utils.get_split_uri([examples], split))
  files = sorted(str(f) for f in folder.iterdir())
  records = tf.data.TFRecordDataset(files, compression_type="GZIP")
  parsed = [tf.train.Example.FromString(r.numpy()).features.feature for r in records]
  return [{k: v.bytes_list.value[0] for k, v in features.items()} for features in parsed]


@pytest.fixture
def read_split():
  return _read_split
