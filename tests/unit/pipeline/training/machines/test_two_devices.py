"""What training does where there are two devices: two logical CPUs, in their own process."""

import json
import subprocess
import sys

import pytest

_SCRIPT = """
import json, sys
import keras, numpy as np, tensorflow as tf
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pipeline.training import datasets
from pipeline.task import Phase
from pipeline.text.teacher_forcing import TeacherForcedModel
from pipeline.training import loop

TOKENS, CLIP = 5, 0.01
said = {}

def captured(data):
  while data is not None:
    function = getattr(getattr(data, "_map_func", None), "function", None)
    yield from function.captured_inputs if function is not None else ()
    data = getattr(data, "_input_dataset", None)

# As where a GPU is: what says nothing of its place would be on the second device.
x = np.ones((6, 4), "int64")
with tf.device("CPU:1"):
  plain = datasets.in_memory({"x": x}, x).batches(2, 1)
  sorted_ = datasets.in_memory(
    {"x": x}, x, sequence_keys=["x"], label_is_sequence=True
  ).batches(2, None)
  said["elsewhere"] = tf.constant(x).device[-5:]
  said["data"] = sorted({t.device[-5:] for d in (plain, sorted_) for t in captured(d)
                         if t.dtype != tf.resource and t.dtype != tf.variant})
  said["rows"] = sum(len(label) for d in (plain, sorted_) for _, label in d)

class Copier(TeacherForcedModel):
  def __init__(self):
    super().__init__(start_id=2, label_smoothing=0.0, clip_norm=CLIP, name="copier")
    self.table = self.add_weight(shape=(TOKENS, TOKENS), initializer="zeros", name="table")
  def call(self, source):
    return source
  def target_states(self, source, shifted, *, training):
    return tf.one_hot(shifted, TOKENS)
  def logits(self, states):
    return tf.matmul(states, self.table)

def trained(strategy, arguments):
  with strategy.scope():
    model = Copier()
  split = datasets.in_memory({"x": np.ones((4, 1), "int64")}, np.array([[4, 3]] * 4))
  history = loop.Training(
    model=model, phases=[Phase(name="train", epochs=1, learning_rate=1.0)], train=split, val=split,
    compile_args=lambda: arguments, batch_size=4,
    monitor=("val_loss", "min"), patience=1, seed=1, distribution=strategy,
    checkpoint_dir=None, log_dir=None,
  ).run()
  return float(np.linalg.norm(np.asarray(model.table))), history[0]["val_loss"]

both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
said["replicas"] = both.num_replicas_in_sync
strategies = tf.distribute.get_strategy(), both
said["norms"], said["losses"] = zip(
  *(trained(each, {"optimizer": keras.optimizers.SGD(1.0)}) for each in strategies)
)
said["by default"] = [trained(each, {})[1] for each in strategies]
json.dump(said, sys.stdout)
"""


@pytest.fixture(scope="module")
def said():
  done = subprocess.run(
    [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, timeout=200, check=False
  )
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


def test_a_split_in_memory_stays_with_the_host(said):
  assert said["elsewhere"] == "CPU:1"
  assert said["data"] == ["CPU:0"]
  assert said["rows"] == 12


def test_replicas_together_clip_as_one_does(said):
  assert said["replicas"] == 2
  one, two = said["norms"]
  assert one == pytest.approx(0.01, rel=1e-3)
  assert two == pytest.approx(one, rel=1e-3)
  assert said["losses"][1] == pytest.approx(said["losses"][0], rel=1e-5)


def test_the_optimizer_that_a_task_gets_by_itself_learns_the_same_on_both(said):
  one, two = said["by default"]
  assert two == pytest.approx(one, rel=1e-5)
  assert one < said["losses"][0]
