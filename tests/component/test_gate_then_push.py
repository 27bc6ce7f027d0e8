"""`ServingGate` and `VersionedPusher` in one run: the refusal reaches the pusher through MLMD."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.serving_gate.component import ServingGate
from components.versioned_pusher.component import VersionedPusher
from components.versioned_pusher.version_folders import content_digest, list_versions
from pipeline.training.export import serving_assets


def _export(root, expected):
  """Writes a model that gives a text's length, and rows that expect `expected` for "abc"."""
  module = tf.Module()
  module.scale = tf.Variable(1.0)

  def length(texts):
    return {"length": module.scale * tf.cast(tf.strings.length(texts), tf.float32)}

  def of_examples(examples):
    spec = {"text": tf.io.FixedLenFeature([], tf.string)}
    return length(tf.io.parse_example(examples, spec)["text"])

  signatures = {
    name: tf.function(function).get_concrete_function(tf.TensorSpec([None], tf.string, name=key))
    for name, key, function in (
      ("serving_default", "text", length),
      ("serving_examples", "examples", of_examples),
    )
  }
  model = root / "model" / "Format-Serving"
  tf.saved_model.save(module, str(model), signatures=signatures)
  serving_assets.write(model, "lengths", "text", b"abc")
  parity = root / "run" / "parity"
  parity.mkdir(parents=True)
  example = tf.train.Example()
  example.features.feature["text"].bytes_list.value.append(b"abc")
  with tf.io.TFRecordWriter(str(parity / "examples.tfrecord")) as writer:
    writer.write(example.SerializeToString())
  np.savez(parity / "expected.npz", length=np.float32([expected]))
  (parity / "input.json").write_text('{"input_key": "text"}')
  for name in ("verdict", "behaviour"):
    (root / name).mkdir()


def _run(root):
  def imported(name, artifact_type, **properties):
    importer = Importer(
      source_uri=str(root / name), artifact_type=artifact_type, custom_properties=properties
    )
    return importer.with_id(name)

  model = imported("model", standard_artifacts.Model)
  model_run = imported("run", standard_artifacts.ModelRun)
  verdict = imported("verdict", standard_artifacts.ModelBlessing, blessed=1)
  behaviour = imported("behaviour", standard_artifacts.InfraBlessing, blessed=1)
  gate = ServingGate(
    model=model.outputs["result"], model_run=model_run.outputs["result"], model_name="lengths"
  )
  pusher = VersionedPusher(
    model=model.outputs["result"],
    model_blessing=verdict.outputs["result"],
    behaviour_blessing=behaviour.outputs["result"],
    infra_blessing=gate.outputs["blessing"],
    serving_dir=str(root / "serving"),
  )
  connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
  LocalDagRunner().run(
    Pipeline(
      pipeline_name="gate-then-push",
      pipeline_root=str(root / "artifacts"),
      components=[model, model_run, verdict, behaviour, gate, pusher],
      metadata_connection_config=connection,
      enable_cache=True,
    )
  )
  with metadata.Metadata(connection) as handle:
    (pushed,) = handle.store.get_artifacts_by_type("PushedModel")
    [blessing] = [
      each
      for each in handle.store.get_artifacts_by_type("InfraBlessing")
      if not each.uri.endswith("behaviour")
    ]
  properties = {
    name: getattr(value, value.WhichOneof("value"))
    for name, value in pushed.custom_properties.items()
  }
  return properties, blessing


@pytest.mark.parametrize(("expected", "blessed"), [(3.0, 1), (3.5, 0)])
def test_only_a_model_that_the_gate_blessed_is_pushed(tmp_path, expected, blessed):
  _export(tmp_path, expected)
  pushed, blessing = _run(tmp_path)
  assert blessing.custom_properties["blessed"].int_value == blessed
  with open(f"{blessing.uri}/parity.json") as f:
    assert json.load(f)["passed"] is bool(blessed)
  assert pushed["pushed"] == blessed
  assert list_versions(tmp_path / "serving") == ([1] if blessed else [])
  if blessed:
    served = tmp_path / "serving" / "1"
    assert (pushed["pushed_version"], pushed["pushed_destination"]) == ("1", str(served))
    assert content_digest(served) == content_digest(tmp_path / "model" / "Format-Serving")
