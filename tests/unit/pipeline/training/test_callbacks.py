"""The callbacks one by one: which epoch is best, what is reported, what a kill leaves."""

import json
import logging
import math
import os

import keras
import numpy as np
import pytest
from keras import layers

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.training.callbacks import BestEpoch, Checkpoint, Report


@pytest.fixture
def model():
  built = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="zeros")])
  built.compile(keras.optimizers.Adam(0.1), loss="mse")
  built.optimizer.build(built.trainable_variables)
  return built


def _set(model, value):
  model.set_weights([np.full_like(w, value) for w in model.get_weights()])


def _value(model):
  [value] = {float(v) for w in model.get_weights() for v in w.ravel()}
  return value


def _best(model, values, *, mode="max", patience=10, counts_from=0):
  """Shows a `BestEpoch` epochs of these values, with the epoch's number as weights."""
  best = BestEpoch(model, monitor=("m", mode), patience=patience, counts_from=counts_from)
  best.set_model(model)
  model.stop_training = False
  for epoch, value in enumerate(values):
    _set(model, epoch)
    best.on_epoch_end(epoch, {"m": value})
    if model.stop_training:
      break
  return best


@pytest.mark.parametrize(
  ("values", "mode", "best_epoch"),
  [
    ([0.1, 0.3, 0.2], "max", 1),
    ([0.1, 0.3, 0.2], "min", 0),
    # Of equals, the later: its learning rate was lower.
    ([0.3, 0.3, 0.2, 0.3], "max", 3),
    ([math.nan, 0.5, math.nan], "max", 1),
  ],
)
def test_the_best_epochs_weights_come_back(model, values, mode, best_epoch):
  _best(model, values, mode=mode).restore()
  assert _value(model) == best_epoch


@pytest.mark.parametrize(
  ("values", "wait"),
  [([0.3, 0.2, 0.1], 2), ([0.3, 0.3, 0.3], 2), ([0.3, 0.2, 0.4], 0), ([math.nan] * 3, 3)],
)
def test_equal_and_worse_epochs_use_up_patience(model, values, wait):
  best = _best(model, values)
  assert best.wait == wait
  assert not best.exhausted
  assert not model.stop_training


def test_training_stops_when_patience_is_used_up(model):
  best = _best(model, [0.5, 0.4, 0.4, 0.9], patience=2)
  assert best.exhausted
  assert model.stop_training
  assert best.value == 0.5


def test_patience_counts_from_an_epoch_on_and_the_best_epoch_may_come_before(model):
  best = _best(model, [0.5, 0.4, 0.4, 0.4, 0.4, 0.9], patience=2, counts_from=3)
  assert best.exhausted
  assert best.wait == 2
  assert _value(model) == 4  # the epoch after which it stopped
  best.restore()
  assert _value(model) == 0


def test_without_a_usable_epoch_the_model_is_left_as_it_is(model):
  _best(model, [math.nan, math.nan]).restore()
  assert _value(model) == 1


def test_a_start_must_be_beaten(model):
  _set(model, 7)
  best = BestEpoch(model, monitor=("m", "min"), patience=5)
  best.start_from(-0.25)
  best.set_model(model)
  _set(model, 8)
  best.on_epoch_end(0, {"m": 0.3})
  best.restore()
  assert _value(model) == 7
  _set(model, 9)
  best.on_epoch_end(1, {"m": 0.2})
  best.restore()
  assert _value(model) == 9


def test_a_metric_that_is_not_there_is_an_error(model):
  best = BestEpoch(model, monitor=("val_auc", "max"), patience=1)
  best.set_model(model)
  with pytest.raises(BadInputError, match=r"picked by 'val_auc', .* It has: a, loss\. Give"):
    best.on_epoch_end(0, {"loss": 1.0, "a": 1.0})


def test_a_report_is_a_row_and_a_line_with_the_same_facts(model, caplog):
  history = [{"phase": "before"}]
  report = Report(phase="head", epochs=3, steps=10, rows=640, history=history)
  report.set_model(model)
  with caplog.at_level(logging.INFO, logger=progress.LOGGER_NAME):
    report.on_epoch_begin(1)
    report.on_train_batch_end(0, {"loss": 1.0})
    report.on_epoch_end(1, {"loss": np.float32(0.5), "val_accuracy": 0.75})
  _, row = history
  assert row["phase"] == "head"
  assert row["epoch"] == 2
  assert row["learning_rate"] == pytest.approx(0.1)
  assert (row["loss"], row["val_accuracy"]) == (0.5, 0.75)
  assert 0 <= row["seconds"] < 5
  # No line for a step so soon after the epoch's start.
  [record] = caplog.records
  assert record.getMessage() == "head epoch 2/3  loss 0.500  val_accuracy 0.750  0s left"
  assert record.dlpipe.pop("examples_per_s") > 100
  assert record.dlpipe == {"epochs": 3, "left_s": round(row["seconds"], 1), **row}


def test_a_long_epoch_reports_its_steps(model, caplog, monkeypatch):
  now = iter([100.0, 101.0, 103.0, 104.0])
  monkeypatch.setattr("pipeline.training.callbacks.time.monotonic", lambda: next(now))
  report = Report(phase="head", epochs=3, steps=10, rows=640, history=[])
  report.set_model(model)
  with caplog.at_level(logging.INFO, logger=progress.LOGGER_NAME):
    report.on_epoch_begin(0)
    for batch in range(3):
      report.on_train_batch_end(batch, {"loss": 0.25})
  [record] = caplog.records
  # A fifth of an epoch took 3 s: 15 s an epoch, and 2.8 epochs are left.
  assert record.getMessage() == "head epoch 1/3  step 2/10  loss 0.250  42s left"
  assert record.dlpipe == {
    "phase": "head", "epoch": 1, "epochs": 3, "step": 2, "steps": 10, "loss": 0.25,
    "examples_per_s": 42.7, "left_s": 42.0,
  }  # fmt: skip


def test_the_time_left_is_that_of_usual_epochs_or_of_the_limit(model, caplog, monkeypatch):
  history = [
    {"phase": "head", "seconds": seconds, "val_loss": 0.5} for seconds in (60.0, 10.0, 12.0, 11.0)
  ]
  now = iter([100.0, 103.0, 104.0, 107.0])
  monkeypatch.setattr("pipeline.training.callbacks.time.monotonic", lambda: next(now))
  with caplog.at_level(logging.INFO, logger=progress.LOGGER_NAME):
    for limit in (None, lambda: 7.0):
      report = Report(phase="head", epochs=6, steps=4, rows=40, history=history, seconds_left=limit)
      report.on_epoch_begin(4)
      report.on_train_batch_end(1, {"loss": 1.0})
  # The first epoch, which compiles, does not count; the last validation loss stays in sight.
  assert [record.getMessage() for record in caplog.records] == [
    "head epoch 5/6  step 2/4  loss 1.000  val_loss 0.500  16s left",
    "head epoch 5/6  step 2/4  loss 1.000  val_loss 0.500  7s left",
  ]


def _saved(tmp_path, model, best=None, epoch=4, history=()):
  checkpoint = Checkpoint(tmp_path, model)
  best = best or _best(model, [0.1, 0.6, 0.2])
  callback = checkpoint.callback(1, model.optimizer, best, list(history))
  callback.on_epoch_end(epoch, {})
  return best


def test_nothing_is_restored_where_nothing_was_saved(tmp_path, model):
  _set(model, 5)
  assert Checkpoint(tmp_path / "absent", model).restore() is None
  assert _value(model) == 5
  assert not (tmp_path / "absent").exists()


def test_everything_that_was_saved_comes_back(tmp_path, model):
  model.fit(np.ones((4, 2)), np.ones(4), epochs=3, verbose=0)
  history = [{"phase": "x", "epoch": 1, "loss": math.inf}]
  _saved(tmp_path, model, history=history)
  optimizer = [np.array(v) for v in model.optimizer.variables]
  _set(model, 50)
  for variable in model.optimizer.variables:
    variable.assign(variable * 0)
  checkpoint = Checkpoint(tmp_path, model)
  state = checkpoint.restore()
  assert (state["phase"], state["history"]) == (1, history)
  assert _value(model) == 2
  best = BestEpoch(model, monitor=("m", "max"), patience=10)
  assert checkpoint.restore_phase(model.optimizer, best) == 5
  assert (best.value, best.wait) == (0.6, 1)
  best.restore()
  assert _value(model) == 1
  for variable, expected in zip(model.optimizer.variables, optimizer, strict=True):
    np.testing.assert_array_equal(variable, expected)


def test_a_checkpoint_before_any_usable_epoch_leaves_the_model_as_it_is(tmp_path, model):
  _saved(tmp_path, model, best=_best(model, [math.nan, math.nan]))
  checkpoint = Checkpoint(tmp_path, model)
  checkpoint.restore()
  best = BestEpoch(model, monitor=("m", "max"), patience=10)
  checkpoint.restore_phase(model.optimizer, best)
  assert best.value == -math.inf
  assert best.wait == 2
  best.restore()
  assert _value(model) == 1


def test_a_checkpoint_is_on_the_disk_before_it_replaces_another(tmp_path, model, monkeypatch):
  synced, fsync = [], os.fsync
  monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle)) or fsync(handle))
  _saved(tmp_path, model)
  [status], kept = synced, (tmp_path / "state.npz").stat()
  assert (status.st_ino, status.st_size) == (kept.st_ino, kept.st_size)


def test_of_many_arrays_each_comes_back_to_its_place(tmp_path):
  deep = keras.Sequential([keras.Input((1,)), *(layers.Dense(1) for _ in range(6))])
  deep.compile(keras.optimizers.Adam(0.1), loss="mse")
  deep.optimizer.build(deep.trainable_variables)
  weights = [np.full_like(w, number) for number, w in enumerate(deep.get_weights())]
  assert len(weights) == 12
  deep.set_weights(weights)
  best = BestEpoch(deep, monitor=("m", "max"), patience=1)
  Checkpoint(tmp_path, deep).callback(0, deep.optimizer, best, []).on_epoch_end(0, {})
  _set(deep, 50)
  assert Checkpoint(tmp_path, deep).restore()["epoch"] == 1
  assert [float(w.ravel()[0]) for w in deep.get_weights()] == list(range(12))


def test_a_half_written_checkpoint_is_never_read(tmp_path, model):
  (tmp_path / "staged-state.npz").write_bytes(b"cut short")
  _set(model, 5)
  assert Checkpoint(tmp_path, model).restore() is None
  assert _value(model) == 5
  _saved(tmp_path, model)
  (tmp_path / "staged-state.npz").write_bytes(b"cut short")
  assert Checkpoint(tmp_path, model).restore()["epoch"] == 5


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path, model, monkeypatch):
  _saved(tmp_path, model, epoch=4)

  def die(file, **arrays):
    file.write(b"cut short")
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr("pipeline.training.callbacks.np.savez", die)
    with pytest.raises(KeyboardInterrupt):
      _saved(tmp_path, model, epoch=5)
  assert (tmp_path / "staged-state.npz").read_bytes() == b"cut short"
  assert Checkpoint(tmp_path, model).restore()["epoch"] == 5
  _saved(tmp_path, model, epoch=6)
  assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]
  assert Checkpoint(tmp_path, model).restore()["epoch"] == 7


def _cut_short(path):
  path.write_bytes(path.read_bytes()[:200])


def _overwrite_a_byte(path):
  # In the middle of an array: only the archive's checksum tells.
  whole = bytearray(path.read_bytes())
  at = whole.index(b"model/0.npy") + 150
  whole[at] ^= 0xFF
  path.write_bytes(whole)


def _without_state(path):
  np.savez(path, **{"model/0": np.ones((2, 1))})


def _with_half_a_state(path):
  np.savez(path, state=np.array(json.dumps({"phase": 0})))


def _of_a_larger_model(path):
  state = {"phase": 0, "epoch": 1, "best_value": 0.0, "wait": 0, "history": []}
  arrays = {"model/0": np.ones((3, 1)), "model/1": np.ones(1)}
  np.savez(path, state=np.array(json.dumps(state)), **arrays)


@pytest.mark.parametrize(
  "damage",
  [
    _cut_short,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"no archive at all"),
    _overwrite_a_byte,
    _without_state,
    _with_half_a_state,
    _of_a_larger_model,
  ],
)
def test_a_checkpoint_that_cannot_be_used_is_set_aside(tmp_path, model, damage, caplog):
  folder = tmp_path / "abc"
  _saved(folder, model)
  damage(folder / "state.npz")
  damaged = (folder / "state.npz").read_bytes()
  _set(model, 5)
  with caplog.at_level(logging.INFO, logger=progress.LOGGER_NAME):
    assert Checkpoint(folder, model).restore() is None
  assert _value(model) == 5
  kept = tmp_path / "abc-set-aside.npz"
  assert kept.read_bytes() == damaged
  assert not (folder / "state.npz").exists()
  [record] = caplog.records
  assert str(kept) in record.getMessage()
  assert "begins anew" in record.getMessage()


def test_an_optimizer_that_does_not_fit_begins_anew_with_the_weights(tmp_path, model, caplog):
  model.fit(np.ones((4, 2)), np.ones(4), epochs=1, verbose=0)
  _saved(tmp_path, model)
  other = keras.optimizers.SGD(0.1)
  other.build(model.trainable_variables)
  checkpoint = Checkpoint(tmp_path, model)
  checkpoint.restore()
  best = BestEpoch(model, monitor=("m", "max"), patience=10)
  with caplog.at_level(logging.INFO, logger=progress.LOGGER_NAME):
    assert checkpoint.restore_phase(other, best) == 5
  assert "optimizer begins anew" in caplog.text
  assert best.value == 0.6
  assert int(other.iterations.numpy()) == 0


def test_only_the_chief_writes(tmp_path, model, monkeypatch):
  monkeypatch.setenv("TF_CONFIG", '{"task": {"type": "worker", "index": 1}}')
  _saved(tmp_path, model)
  assert list(tmp_path.iterdir()) == []
