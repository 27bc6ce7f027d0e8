"""The training loop on small models: phases, patience, freezing, and going on after a kill."""

import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dlpipe.errors import BadInputError
from pipeline.task import Phase
from pipeline.training import callbacks, datasets, loop


class Killed(BaseException):
  """What no one catches, as a kill."""


@pytest.fixture(scope="module")
def splits():
  """48 and 24 rows of four numbers whose label is the sign of the first."""
  random = np.random.default_rng(0)

  def split(rows):
    x = random.normal(size=(rows, 4)).astype("float32")
    return datasets.in_memory({"x": x}, (x[:, 0] > 0).astype("int64"))

  return split(48), split(24)


def _model(seed=3):
  keras.utils.set_random_seed(seed)
  return keras.Sequential(
    [
      keras.Input((4,)),
      layers.Dense(5, activation="relu", name="first"),
      layers.BatchNormalization(name="norm"),
      layers.Dense(2, name="head"),
    ]
  )


def _compile_args():
  return {
    "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
  }


def _train(model, splits, tmp_path, *phases, **changes):
  arguments = {
    "train": splits[0],
    "val": splits[1],
    "compile_args": _compile_args,
    "batch_size": 16,
    "monitor": ("val_loss", "min"),
    "patience": 100,
    "seed": 1,
    "distribution": tf.distribute.get_strategy(),
    "checkpoint_dir": None,
    "log_dir": str(tmp_path / "logs"),
  }
  return loop.Training(model=model, phases=phases, **{**arguments, **changes}).run()


def _phase(name="train", epochs=4, learning_rate=0.05, **more):
  return Phase(name=name, epochs=epochs, learning_rate=learning_rate, **more)


def _kill_after(monkeypatch, rows):
  """Ends training, without warning, when the history has so many rows and they are saved."""
  save = callbacks.Checkpoint._save

  def save_and_die(self, arrays):
    save(self, arrays)
    if len(json.loads(str(arrays["state"]))["history"]) == rows:
      raise Killed

  monkeypatch.setattr(callbacks.Checkpoint, "_save", save_and_die)


def _val_loss(model, splits):
  model.compile("sgd", **_compile_args())
  return model.evaluate(splits[1].batches(24, None), verbose=0)[0]


def test_history_has_a_row_an_epoch_and_the_rate_decays_to_nothing(splits, tmp_path):
  history = _train(_model(), splits, tmp_path, _phase(), _phase("second", 2, 0.01))
  assert [(r["phase"], r["epoch"]) for r in history] == [
    *(("train", e) for e in (1, 2, 3, 4)),
    *(("second", e) for e in (1, 2)),
  ]
  # Cosine decay, read after each epoch.
  expected = [0.05 * (1 + np.cos(np.pi * e / 4)) / 2 for e in (1, 2, 3, 4)]
  assert [r["learning_rate"] for r in history[:4]] == pytest.approx(expected, abs=1e-6)
  assert history[4]["learning_rate"] == pytest.approx(0.005)
  assert {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(history[0])
  assert {p.name for p in (tmp_path / "logs").iterdir()} == {"train", "second"}


def test_training_learns(splits, tmp_path):
  history = _train(_model(), splits, tmp_path, _phase(epochs=20))
  assert history[-1]["val_loss"] < 0.5 * history[0]["val_loss"]


def test_the_same_seed_gives_the_same_weights(splits, tmp_path):
  models = [_model(), _model(), _model()]
  for model, seed in zip(models, (1, 1, 2), strict=True):
    _train(model, splits, tmp_path, _phase(), seed=seed)
  first, again, other = (np.concatenate([w.ravel() for w in m.get_weights()]) for m in models)
  np.testing.assert_array_equal(first, again)
  assert not np.allclose(first, other)


def test_the_best_epoch_is_restored(splits, tmp_path):
  model = _model()
  # Training lowers the loss, so that by this measure the last epoch is not the best.
  history = _train(model, splits, tmp_path, _phase(epochs=8), monitor=("val_loss", "max"))
  losses = [r["val_loss"] for r in history]
  assert losses[-1] < max(losses)
  assert _val_loss(model, splits) == pytest.approx(max(losses), rel=1e-5)


def test_a_later_phase_is_held_to_the_best_epoch_before_it(splits, tmp_path):
  model = _model()
  ruinous = _phase("ruin", epochs=3, learning_rate=1000.0)
  history = _train(model, splits, tmp_path, _phase(epochs=6), ruinous)
  best = min(r["val_loss"] for r in history if r["phase"] == "train")
  assert min(r["val_loss"] for r in history if r["phase"] == "ruin") > best
  assert _val_loss(model, splits) == pytest.approx(best, rel=1e-5)


def test_patience_ends_a_phase_and_not_the_training(splits, tmp_path):
  still = _phase("still", epochs=9, learning_rate=1e-30)
  history = _train(
    _model(),
    splits,
    tmp_path,
    still,
    _phase("next", 1),
    patience=2,
    monitor=("val_accuracy", "max"),
  )
  # The first epoch is the best; the moving averages of the norm change nothing that accuracy sees.
  names = [r["phase"] for r in history]
  assert names.count("next") == 1
  # Patience counts from the seventh epoch on.
  assert names.count("still") == 8


def test_a_phase_that_ends_early_has_come_down_with_its_rate(splits, tmp_path):
  # Ruined at once, so that no epoch is better than the first.
  history = _train(_model(), splits, tmp_path, _phase(epochs=40, learning_rate=1000.0), patience=2)
  assert len(history) == 32
  assert 0 < history[-1]["learning_rate"] < 1000 / 6


@pytest.mark.parametrize(("min_steps", "epochs"), [(0, 2), (6, 2), (7, 3), (30, 10)])
def test_small_data_gets_more_epochs(splits, tmp_path, min_steps, epochs):
  # 48 rows in batches of 16 are three steps an epoch.
  history = _train(_model(), splits, tmp_path, _phase(epochs=2, min_steps=min_steps))
  assert len(history) == epochs


def test_a_metric_that_is_not_there_is_an_error_that_names_those_that_are(splits, tmp_path):
  with pytest.raises(BadInputError, match=r"picked by 'val_f1', .* It has: .*val_accuracy, .*loss"):
    _train(_model(), splits, tmp_path, _phase(), monitor=("val_f1", "max"))


def test_a_frozen_prefix_keeps_its_weights_and_the_head_learns(splits, tmp_path):
  model = _model()
  before = {w.path: np.array(w) for w in model.weights}
  _train(model, splits, tmp_path, _phase(frozen=("first", "norm")))
  changed = {w.path for w in model.weights if not np.array_equal(before[w.path], w)}
  assert changed == {w.path for w in model.get_layer("head").weights}
  assert all(layer.trainable for layer in model.layers)


def test_a_frozen_prefix_gives_what_training_through_it_gives(splits, tmp_path):
  """Computing its features once must not change what is learnt."""
  short, long = _model(), _model()
  phase = _phase(epochs=5, frozen=("first", "norm"))
  _train(short, splits, tmp_path, phase)
  streamed = [datasets.Split(size=s.size, batches=s.batches) for s in splits]
  # Without arrays there is nothing to compute once: each step runs the whole model.
  through = _train(long, streamed, tmp_path, phase)
  assert len(through) == 5
  for one, other in zip(short.get_weights(), long.get_weights(), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_frozen_layers_behind_trained_ones_are_kept_too(splits, tmp_path):
  model = _model()
  head = [np.array(w) for w in model.get_layer("head").weights]
  first = np.array(model.get_layer("first").kernel)
  _train(model, splits, tmp_path, _phase(frozen=("head",)))
  for before, now in zip(head, model.get_layer("head").weights, strict=True):
    np.testing.assert_array_equal(before, now)
  assert not np.array_equal(first, model.get_layer("first").kernel)


class _Counted(layers.Dense):
  """A layer that counts how often it is traced."""

  traced = 0

  def call(self, inputs):
    type(self).traced += 1
    return super().call(inputs)


def test_a_phase_with_an_output_runs_no_other_layer_and_judges_what_is_fitted(splits, tmp_path):
  keras.utils.set_random_seed(3)
  inputs = keras.Input((4,))
  fitted = layers.Dense(2, trainable=False, name="fitted")(inputs)
  answer = fitted + _Counted(2, kernel_initializer="zeros", name="correction")(inputs)
  model = keras.Model(inputs, answer)
  first = model.get_layer("fitted").get_weights()
  _Counted.traced = 0
  judged = _phase("judged", 1, 0.0, output="fitted")
  [row] = _train(model, splits, tmp_path, judged)
  assert _Counted.traced == 0
  answers = keras.Model(model.input, model.output)
  assert row["val_loss"] == pytest.approx(_val_loss(answers, splits), rel=1e-5)
  history = _train(model, splits, tmp_path, judged, _phase("second", 5, 0.1))
  assert history[0]["val_loss"] == pytest.approx(row["val_loss"], rel=1e-5)
  assert min(each["val_loss"] for each in history[1:]) < row["val_loss"]
  np.testing.assert_array_equal(model.get_layer("fitted").get_weights()[0], first[0])


def test_freezing_a_layer_that_is_not_there_is_an_error(splits, tmp_path):
  with pytest.raises(ValueError, match=r"'train' freezes layers the model lacks: \['body'\]"):
    _train(_model(), splits, tmp_path, _phase(frozen=("body", "first")))


_TWO_PHASES = (_phase("head", 4, frozen=("first", "norm")), _phase("all", 2, 0.01))


@pytest.fixture(scope="module")
def uninterrupted(splits, tmp_path_factory):
  """A model trained in two phases of whole-batch steps, and its history."""
  model = _model()
  root = tmp_path_factory.mktemp("uninterrupted")
  return model, _train(model, splits, root, *_TWO_PHASES, batch_size=48)


@pytest.mark.parametrize("killed_after", [1, 4, 5])
def test_a_killed_training_goes_on_to_the_same_weights(
  splits, tmp_path, monkeypatch, uninterrupted, killed_after
):
  """With whole-batch steps the order of examples does not matter, so the two must agree."""
  model, whole = uninterrupted
  phases = _TWO_PHASES
  directory = tmp_path / "checkpoints"
  with monkeypatch.context() as patch:
    _kill_after(patch, killed_after)
    with pytest.raises(Killed):
      _train(_model(), splits, tmp_path, *phases, batch_size=48, checkpoint_dir=directory)
  # A new process starts from other weights.
  resumed = _model(seed=99)
  history = _train(resumed, splits, tmp_path, *phases, batch_size=48, checkpoint_dir=directory)
  assert [(r["phase"], r["epoch"]) for r in history] == [(r["phase"], r["epoch"]) for r in whole]
  for name in ("loss", "val_loss", "learning_rate"):
    found, expected = [r[name] for r in history], [r[name] for r in whole]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
  for one, other in zip(model.get_weights(), resumed.get_weights(), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_with_small_batches_a_resumed_training_has_the_same_epochs_and_nearly_the_loss(
  splits, tmp_path, monkeypatch
):
  """The order of examples begins anew, so that the weights differ a little."""
  whole = _train(_model(), splits, tmp_path, _phase(epochs=8))
  with monkeypatch.context() as patch:
    _kill_after(patch, 3)
    with pytest.raises(Killed):
      _train(_model(), splits, tmp_path, _phase(epochs=8), checkpoint_dir=tmp_path / "c")
  resumed = _train(_model(99), splits, tmp_path, _phase(epochs=8), checkpoint_dir=tmp_path / "c")
  assert [r["loss"] for r in resumed[:3]] == [r["loss"] for r in whole[:3]]
  assert [r["learning_rate"] for r in resumed] == [r["learning_rate"] for r in whole]
  assert resumed[-1]["val_loss"] == pytest.approx(whole[-1]["val_loss"], rel=0.25)


def test_a_finished_training_is_not_trained_again(splits, tmp_path):
  first, again = _model(), _model(99)
  arguments = (_phase(), _phase("second", 2, 0.01))
  history = _train(first, splits, tmp_path, *arguments, checkpoint_dir=tmp_path / "c")
  assert _train(again, splits, tmp_path, *arguments, checkpoint_dir=tmp_path / "c") == history
  for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
    np.testing.assert_array_equal(one, other)


def test_a_resumed_phase_remembers_its_patience(splits, tmp_path, monkeypatch):
  ruin = _phase(epochs=16, learning_rate=1000.0)
  whole = _train(_model(), splits, tmp_path, ruin, batch_size=48, patience=3)
  with monkeypatch.context() as patch:
    _kill_after(patch, len(whole) - 1)
    with pytest.raises(Killed):
      _train(
        _model(), splits, tmp_path, ruin, batch_size=48, patience=3, checkpoint_dir=tmp_path / "c"
      )
  resumed = _train(
    _model(99), splits, tmp_path, ruin, batch_size=48, patience=3, checkpoint_dir=tmp_path / "c"
  )
  assert len(resumed) == len(whole) == 15


def test_a_resumed_training_keeps_the_scale_of_the_loss(splits, tmp_path, monkeypatch):
  def compile_args():
    return {
      **_compile_args(),
      # Doubled at every second step.
      "optimizer": lambda rate: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(rate), initial_scale=8.0, dynamic_growth_steps=2
      ),
    }

  scales = {}

  def train(name, folder, seed=3):
    model = _model(seed)
    _train(
      model, splits, tmp_path, _phase(), batch_size=48, compile_args=compile_args,
      checkpoint_dir=tmp_path / folder,
    )  # fmt: skip
    found = model.optimizer
    scales[name] = (float(found.dynamic_scale), int(found.step_counter))
    return model

  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy("mixed_float16")
  try:
    whole = train("whole", "a")
    with monkeypatch.context() as patch:
      _kill_after(patch, 3)
      with pytest.raises(Killed):
        train("killed", "b")
    resumed = train("resumed", "b", seed=99)
  finally:
    keras.config.set_dtype_policy(before)
  # Four steps doubled it twice.
  assert scales["resumed"] == scales["whole"] == (32.0, 0)
  for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3)


def test_the_scale_of_the_loss_is_in_the_checkpoint_by_default(splits, tmp_path):
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy("mixed_float16")
  try:
    model = _model()
    _train(model, splits, tmp_path, _phase(epochs=1), checkpoint_dir=tmp_path / "c")
  finally:
    keras.config.set_dtype_policy(before)
  kept = np.load(tmp_path / "c" / "state.npz")
  saved = [kept[name] for name in kept.files if name.startswith("optimizer/")]
  assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
  assert len(saved) == len(model.optimizer.variables)
  assert any(float(value) == 2.0**15 for value in saved if value.ndim == 0)


def test_only_the_log_folder_is_written_without_a_checkpoint_folder(splits, tmp_path):
  _train(_model(), splits, tmp_path, _phase(epochs=1))
  assert [p.name for p in pathlib.Path(tmp_path).iterdir()] == ["logs"]
