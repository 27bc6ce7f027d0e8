"""A training within a time, by a clock that steps and validations move on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.task import Phase
from pipeline.training import callbacks, datasets, loop
from pipeline.training.time_limit import TimeLimit
from pipeline.training.training_record import ENDED_BY, phase_rows

_STEPS = 4  # an epoch


class Killed(BaseException):
  """What no one catches, as a kill."""


class Clock(keras.callbacks.Callback):
  """A step takes a second, a validation two."""

  def __init__(self, monkeypatch):
    super().__init__()
    self.now = 0.0
    self.rates = []
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: self.now)

  def on_train_batch_end(self, batch, logs=None):
    self.now += 1
    self.rates.append(float(self.model.optimizer.learning_rate))

  def on_test_batch_end(self, batch, logs=None):
    self.now += 2


@pytest.fixture
def clock(monkeypatch):
  return Clock(monkeypatch)


@pytest.fixture(scope="module")
def split():
  x = np.random.default_rng(0).normal(size=(4 * _STEPS, 3)).astype("float32")
  return datasets.in_memory({"x": x}, (x[:, 0] > 0).astype("int64"))


def _train(split, clock, seconds, *phases, fixed=(), checkpoint_dir=None):
  keras.utils.set_random_seed(1)
  return loop.Training(
    model=keras.Sequential([keras.Input((3,)), layers.Dense(2)]),
    phases=phases,
    train=split,
    val=split,
    compile_args=lambda: {
      "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
      "metrics": [],
    },
    batch_size=4,
    monitor=("val_loss", "min"),
    patience=100,
    seed=1,
    distribution=tf.distribute.get_strategy(),
    checkpoint_dir=checkpoint_dir,
    log_dir=None,
    limit=TimeLimit(seconds / 60, fixed_epochs=fixed, clock=lambda: clock.now),
    own_callbacks=lambda: [clock],
  ).run()


def _phase(epochs, name="train", **more):
  return Phase(name=name, epochs=epochs, learning_rate=0.1, **more)


# An epoch takes six seconds.
@pytest.mark.parametrize(
  ("seconds", "epochs"), [(3, 1), (6, 1), (8, 1), (9, 2), (36, 6), (39, 7), (600, 40)]
)
def test_it_trains_as_many_epochs_as_fit_and_no_longer(split, clock, seconds, epochs):
  phases = [_phase(10)]
  history = _train(split, clock, seconds, *phases)
  assert len(history) == epochs
  # The first step and a validation take three seconds, whatever is asked for.
  assert clock.now <= max(seconds, 3)
  assert clock.now > seconds - 4 or epochs == 40
  [row] = phase_rows(phases, history, is_timed=True)
  assert (row.scheduled, row.lifted_by) == (40, "train.minutes")
  assert row.ended_by == ("train.minutes" if epochs < 40 else "train.patience")
  assert [n for n, each in enumerate(history, 1) if ENDED_BY in each] == [epochs] * (epochs < 40)


@pytest.mark.parametrize("seconds", [20, 60, 600])
def test_the_rate_comes_down_with_the_time(split, clock, seconds):
  _train(split, clock, seconds, _phase(10))
  assert clock.rates[0] > 0.09
  assert clock.rates == sorted(clock.rates, reverse=True)
  assert clock.rates[-1] < 0.01


def test_epochs_that_the_user_set_are_the_most(split, clock):
  assert len(_train(split, clock, 600, _phase(3), fixed=["epochs"])) == 3
  assert clock.rates[-1] < 1e-6
  assert len(_train(split, clock, 2, _phase(3), fixed=["epochs"])) == 1


def test_phases_share_the_time_and_what_one_leaves_is_the_nexts(split, clock):
  phases = (_phase(9, "head"), _phase(1, "all"))
  history = _train(split, clock, 120, *phases)
  of = {name: sum(r["seconds"] for r in history if r["phase"] == name) for name in ("head", "all")}
  # By epochs the second would have twelve seconds, a quarter is the least.
  assert of["head"] == pytest.approx(120 * 0.9 / 1.15, abs=4)
  assert 18 <= of["all"] <= 120 - of["head"]
  assert clock.now <= 120
  clock.now = 0.0
  short = _train(split, clock, 600, _phase(1, "head"), _phase(50, "all"))
  assert [r["phase"] for r in short].count("head") == 4
  assert clock.now > 590


def test_time_that_was_used_before_a_kill_counts(split, clock, monkeypatch, tmp_path):
  save = callbacks.Checkpoint._save

  def save_and_die(self, arrays):
    save(self, arrays)
    if clock.now > 20:
      raise Killed

  with monkeypatch.context() as patch:
    patch.setattr(callbacks.Checkpoint, "_save", save_and_die)
    with pytest.raises(Killed):
      _train(split, clock, 60, _phase(10), checkpoint_dir=tmp_path)
  used, clock.now = clock.now, 1000.0
  clock.rates.clear()
  history = _train(split, clock, 60, _phase(10), checkpoint_dir=tmp_path)
  assert used == 24
  assert 32 <= clock.now - 1000 <= 36
  assert sum(row["seconds"] for row in history) <= 60
  # The rate goes on where it was, and comes down.
  assert clock.rates[0] < 0.08
  assert clock.rates[-1] < 0.003
  # What the time ended is not trained on.
  before = clock.now
  assert _train(split, clock, 60, _phase(10), checkpoint_dir=tmp_path) == history
  assert clock.now == before
