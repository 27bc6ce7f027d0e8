"""BehaviourGate run on a hand-made model."""

import dataclasses
import io
import json
import pathlib

import pytest
import tensorflow as tf
import yaml
from PIL import Image
from tfx.types import standard_artifacts

from components.behaviour_gate import BehaviourGate
from components.source_example_gen import origins
from components.source_example_gen.origins import Origin
from dlpipe.verdicts import Verdict
from pipeline.behaviour import gate
from pipeline.behaviour.results import Behaviour
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task


@dataclasses.dataclass(frozen=True)
class Judged:
  """What BehaviourGate left: its blessing, its verdict, and what came of the tests."""

  blessed: int
  verdict: Verdict
  behaviour: Behaviour

  def ruling(self, name):
    [found] = [each for each in self.verdict.rulings if each.metric == f"behaviour.{name}"]
    return found

  def tested(self, name):
    [found] = [each for each in self.behaviour.tests if each.name == name]
    return found


@pytest.fixture
def judged(tmp_path):
  """Returns a function that exports a model, writes rows of eval, and has the gate judge."""

  def run(task_name, answer, rows, suite=None, *, tiny=False):
    task = get_task(task_name)
    model = tmp_path / "model" / "Format-Serving"
    signature = tf.function(answer).get_concrete_function(
      tf.TensorSpec([None], tf.string, name=task.input.key)
    )
    tf.saved_model.save(tf.Module(), str(model), signatures={"serving_default": signature})
    _write(tmp_path / "examples" / "Split-eval", task, rows)
    settings = []
    if suite is not None:
      (tmp_path / "mine.yaml").write_text(
        suite if isinstance(suite, str) else yaml.safe_dump(suite), encoding="utf-8"
      )
      settings = [f"gates.behaviour={tmp_path / 'mine.yaml'}"]
    config = make_config(task, data_path="d", workspace=str(tmp_path), settings=settings, tiny=tiny)
    artifacts = {}
    for name, kind in (
      ("examples", standard_artifacts.Examples),
      ("model", standard_artifacts.Model),
      ("blessing", standard_artifacts.InfraBlessing),
    ):
      artifacts[name] = kind()
      artifacts[name].uri = str(tmp_path / name)
    (tmp_path / "blessing").mkdir(exist_ok=True)
    told = json.dumps(gate.parameters(task, config))
    BehaviourGate.test_call(
      **artifacts, judge="pipeline.behaviour.gate.judge", tests=told, code_fingerprint=""
    )
    folder = pathlib.Path(artifacts["blessing"].uri)
    blessed = artifacts["blessing"].get_int_custom_property("blessed")
    assert (folder / ("INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED")).is_file()
    return Judged(blessed, Verdict.read(folder), Behaviour.read(folder))

  return run


def _write(folder, task, rows):
  folder.mkdir(parents=True)
  path = str(folder / "data.gz")
  with tf.io.TFRecordWriter(path, options="GZIP") as writer:
    for value, label in rows:
      example = tf.train.Example()
      for name, each in ((task.input.key, value), (task.label_key, label)):
        data = each.encode() if isinstance(each, str) else each
        example.features.feature[name].bytes_list.value.append(data)
      writer.write(example.SerializeToString())
  lines = [origins.line(Origin(f"data, row {number}")) for number in range(len(rows))]
  origins.write(origins.path_beside(path), lines)


def _classes(names, score_of_last):
  """Returns the outputs of a model of two classes, of whose second a function gives the score."""

  def answer(inputs):
    last = tf.cast(score_of_last(inputs), tf.float32)
    scores = tf.stack([1 - last, last], axis=1)
    return {
      "label": tf.gather(tf.constant(names), tf.argmax(scores, axis=1)),
      "score": tf.reduce_max(scores, axis=1),
      "scores": scores,
      "labels": tf.repeat(tf.constant(names)[tf.newaxis], tf.shape(inputs)[0], axis=0),
    }

  return answer


@pytest.fixture
def classes():
  return _classes


def _translations(translate):
  """Returns the outputs of a model that translates by a function of `[batch]` string."""

  def answer(inputs):
    return {"translation": translate(inputs), "score": tf.zeros(tf.shape(inputs)[:1])}

  return answer


@pytest.fixture
def translations():
  return _translations


def _coloured(red, green, blue, size=16):
  """Returns a PNG of one colour with a dark spot, so that it has a shape, too."""
  picture = Image.new("RGB", (size, size), (red, green, blue))
  picture.paste((20, 20, 20), (2, 2, 5, 5))
  target = io.BytesIO()
  picture.save(target, "PNG")
  return target.getvalue()


@pytest.fixture
def coloured():
  return _coloured


def _pixels(encoded):
  """Decodes `[batch]` string to the mean colour of each picture, `[batch, 3]` in [0, 1]."""
  return tf.map_fn(
    lambda data: tf.reduce_mean(tf.cast(tf.io.decode_png(data, 3), tf.float32) / 255, axis=(0, 1)),
    encoded,
    fn_output_signature=tf.float32,
  )


@pytest.fixture
def pixels():
  return _pixels
