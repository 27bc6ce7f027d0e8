"""What tests of one component share: `ServingGate` run on a hand-made export."""

import json

import numpy as np
import psutil
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.serving_gate.executor import Executor
from pipeline.training.export import serving_assets

_TEXTS = [b"a", b"bb", b"a longer one", b"", b"yes", b"no", b"\xc3\xa9", b"x", b"nine", b"ten"]


def _export(module, path, functions, batch=None):
  signatures = {
    name: tf.function(function).get_concrete_function(
      tf.TensorSpec([batch], tf.string, name=input_name)
    )
    for name, (input_name, function) in functions.items()
  }
  tf.saved_model.save(module, str(path), signatures=signatures)


def _arrays(outputs):
  return {
    k: np.asarray(v.numpy().tolist() if v.dtype == tf.string else v.numpy())
    for k, v in outputs.items()
  }


@pytest.fixture
def gate(tmp_path):
  """Runs `Do`; returns the blessing and what `parity.json` says, with no process left."""

  def run(
    module,
    functions=None,
    *,
    predict=None,
    explain=None,
    tolerance=1e-5,
    max_latency_ms=None,
    serving_release=None,
    damage=None,
  ):
    rows = _TEXTS
    export = tmp_path / "model" / "Format-Serving"
    _export(module, export, functions or module.functions())
    serving_assets.write(export, "toy", "text", rows[0])
    parity = tmp_path / "run" / "parity"
    parity.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(parity / "examples.tfrecord")) as writer:
      for text in rows:
        example = tf.train.Example()
        example.features.feature["text"].bytes_list.value.append(text)
        writer.write(example.SerializeToString())
    expected = (predict or module.predict)(tf.constant(rows, tf.string))
    np.savez(parity / "expected.npz", **_arrays(expected))
    if explain:
      np.savez(parity / "explained.npz", **_arrays(explain(tf.constant(rows[:3], tf.string))))
    (parity / "input.json").write_text('{"input_key": "text"}')
    if damage:
      damage(tmp_path)
    artifacts = {}
    for name, artifact_type in (
      ("model", standard_artifacts.Model),
      ("run", standard_artifacts.ModelRun),
      ("blessing", standard_artifacts.InfraBlessing),
    ):
      (tmp_path / name).mkdir(exist_ok=True)
      artifacts[name] = artifact_type()
      artifacts[name].uri = str(tmp_path / name)
    others = psutil.Process().children()
    Executor().Do(
      {"model": [artifacts["model"]], "model_run": [artifacts["run"]]},
      {"blessing": [artifacts["blessing"]]},
      {
        "model_name": "toy",
        "tolerance": tolerance,
        # TFX leaves out what is None.
        **({} if max_latency_ms is None else {"max_latency_ms": max_latency_ms}),
        **({} if serving_release is None else {"serving_release": serving_release}),
      },
    )
    assert psutil.Process().children() == others
    run.blessing = artifacts["blessing"]
    blessed = run.blessing.get_int_custom_property("blessed")
    names = {p.name for p in (tmp_path / "blessing").iterdir()} - {"server.log"}
    assert names == {"parity.json", "INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED"}
    return blessed, json.loads((tmp_path / "blessing" / "parity.json").read_text())

  return run
