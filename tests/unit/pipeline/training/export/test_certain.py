"""What a trained model does not know, fitted on splits and answered by the exported graph."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.problems import classes, number, text
from pipeline.training import datasets
from pipeline.training.answering import answering
from pipeline.training.export import certain

_NAMES = [b"one", b"two", b"three"]
_OUTPUTS = {"label", "score", "scores", "labels"}
_SETTINGS = {"seed": 1, "coverage": 0.9, "accepted_accuracy": None}
_CENTERS = 6 * np.eye(3, 5)


def _split(rows, seed):
  random = np.random.default_rng(seed)
  chosen = random.integers(0, 3, rows)
  x = (_CENTERS[chosen] + 1.7 * random.normal(size=(rows, 5))).astype("float32")
  return datasets.in_memory({"x": x}, chosen)


@pytest.fixture(scope="module")
def splits():
  """600 and 300 rows of five numbers around three points, one for each class."""
  return _split(600, 0), _split(300, 1)


@pytest.fixture(scope="module")
def new():
  return _split(1_000, 2).arrays


def _weights(dense):
  dense.build((None, 5))
  dense.set_weights([_CENTERS.T[:, :3].astype("float32") / 3, np.zeros(3, "float32")])
  return dense


def _functional(end=None):
  inputs = keras.Input((5,), name="x")
  seen = layers.Activation("linear")(inputs)
  outputs = _weights(layers.Dense(3, name="head"))(seen)
  return keras.Model(inputs, layers.Activation(end)(outputs) if end else outputs)


class Subclassed(keras.Model):
  """As in Keras' guide; its layers are nobody's but its own."""

  def __init__(self):
    super().__init__()
    self.head = _weights(layers.Dense(3))

  def call(self, inputs):
    return self.head(inputs)


class WithEvidence(Subclassed):
  def evidence(self, inputs):
    return inputs


def _sequential():
  return keras.Sequential([keras.Input((5,)), _weights(layers.Dense(3))])


def _served(model, splits, x, problem=classes.PROBLEM, **settings):
  tft_output = types.SimpleNamespace(vocabulary_by_name=lambda name: _NAMES)
  doubts = certain.fitted(
    problem,
    model,
    tft_output,
    splits,
    calibration=None,
    options={},
    settings={**_SETTINGS, **settings},
  )
  task = types.SimpleNamespace(problem=problem, sequence_keys=(), left_out=tuple)
  outputs = answering(task, model, tft_output, {}, None, doubts)
  answer = tf.function(outputs, autograph=False)({"x": tf.constant(x)})
  return doubts, {name: value.numpy() for name, value in answer.items()}


@pytest.mark.parametrize(
  "make", [_functional, lambda: _functional("softmax"), _sequential, WithEvidence]
)
def test_every_kind_of_model_says_what_it_does_not_know(splits, new, make):
  inputs, labels = new
  doubts, answer = _served(make(), splits, inputs["x"])
  assert set(answer) == {*_OUTPUTS, "set", "familiarity", "decision"}
  held = [_NAMES[y] in row.tolist() for y, row in zip(labels, answer["set"], strict=True)]
  assert np.mean(held) >= 0.88
  assert (answer["familiarity"] < 0.01).mean() < 0.03
  strange = -np.abs(np.random.default_rng(3).normal(size=(200, 5))) * 20
  _, of_strange = _served(make(), splits, strange.astype("float32"))
  assert np.median(of_strange["familiarity"]) < 0.01
  assert (of_strange["decision"] == b"unsure").mean() > 0.8
  alone = (answer["set"][:, 1] == b"") & (answer["familiarity"] >= 0.01)
  np.testing.assert_array_equal(answer["decision"] == b"accepted", alone)
  assert doubts.record.familiarity.reason is None
  assert doubts.record.familiarity.train_rows == 600


def test_no_answer_changes(splits, new):
  model = _functional()
  _, answer = _served(model, splits, new[0]["x"])
  np.testing.assert_allclose(answer["scores"], tf.nn.softmax(model(new[0]["x"])).numpy(), atol=1e-6)


def test_a_model_that_hides_its_layers_has_sets_and_no_familiarity(splits, new):
  doubts, answer = _served(Subclassed(), splits, new[0]["x"])
  assert set(answer) == {*_OUTPUTS, "set", "decision"}
  assert doubts.variables == []
  assert "no method `evidence`" in doubts.record.familiarity.sentence


@pytest.mark.parametrize(
  ("evidence", "reason"),
  [
    (lambda self, inputs: inputs[:, :, None], "must be [batch, numbers]"),
    (lambda self, inputs: inputs["no such feature"], "cannot be computed"),
    (property(lambda self: layers.Dense), "cannot be computed"),  # a name that is taken
  ],
)
def test_evidence_that_cannot_be_used_breaks_nothing(splits, new, evidence, reason):
  own = type("Own", (Subclassed,), {"evidence": evidence})
  doubts, answer = _served(own(), splits, new[0]["x"])
  assert set(answer) == {*_OUTPUTS, "set", "decision"}
  assert reason in doubts.record.familiarity.reason


def test_a_sum_of_two_parts_has_no_layer_that_answers(splits, new):
  inputs = keras.Input((5,), name="x")
  parts = [_weights(layers.Dense(3))(inputs) for _ in range(2)]
  doubts, answer = _served(keras.Model(inputs, layers.Add()(parts)), splits, new[0]["x"])
  assert "familiarity" not in answer
  assert "no single layer" in doubts.record.familiarity.reason


def test_an_answer_of_the_tasks_own_without_scores_is_left_as_it_is(splits, new, monkeypatch):
  own = types.SimpleNamespace(answer=lambda *_: lambda said, features: {"mine": said})
  monkeypatch.setitem(__import__("sys").modules, "own_answer", own)
  problem = classes.PROBLEM.but(answer="own_answer.answer")
  doubts, answer = _served(_functional(), splits, new[0]["x"], problem)
  assert set(answer) == {"mine", "familiarity", "decision"}
  assert doubts.record.sentence == "no sets: the model's answers have no scores"


def test_what_a_task_answers_itself_is_not_replaced(splits, new, monkeypatch):
  def answer(*_):
    made = classes.answer(types.SimpleNamespace(vocabulary_by_name=lambda name: _NAMES), "", {})
    return lambda said, features: {**made(said, features), "decision": tf.constant(["mine"])}

  monkeypatch.setitem(__import__("sys").modules, "own_answer", types.SimpleNamespace(answer=answer))
  problem = classes.PROBLEM.but(answer="own_answer.answer")
  _, found = _served(_functional(), splits, new[0]["x"], problem)
  assert found["decision"].tolist() == [b"mine"]


def test_an_accuracy_that_is_wanted_is_kept_on_new_rows(splits, new):
  inputs, labels = new
  _, answer = _served(_functional(), splits, inputs["x"], accepted_accuracy=0.98)
  accepted = answer["decision"] == b"accepted"
  assert (answer["scores"].argmax(axis=1) == labels)[accepted].mean() >= 0.965
  assert 0.3 < accepted.mean() < 1


def test_numbers_have_an_interval_and_familiarity(new):
  random = np.random.default_rng(0)

  def split(rows):
    x = random.normal(size=(rows, 5)).astype("float32")
    return datasets.in_memory({"x": x}, (x[:, :1] + 0.3 * random.normal(size=(rows, 1))))

  inputs = keras.Input((5,), name="x")
  dense = layers.Dense(1)
  model = keras.Model(inputs, dense(inputs))
  dense.set_weights([np.eye(5, 1, dtype="float32"), np.zeros(1, "float32")])
  doubts = certain.fitted(
    number.PROBLEM,
    model,
    None,
    (split(300), split(200)),
    calibration=None,
    options={},
    settings=_SETTINGS,
  )
  task = types.SimpleNamespace(
    problem=number.PROBLEM, sequence_keys=(), left_out=lambda: number.PROBLEM.serving_keys
  )
  x = random.normal(size=(2_000, 5)).astype("float32")
  truth = 100 + 10 * (x[:, 0] + 0.3 * random.normal(size=2_000))
  features = {"x": x, number.MEAN: np.full(2_000, 100.0), number.DEVIATION: np.full(2_000, 10.0)}
  answer = answering(task, model, None, {}, None, doubts)(
    {name: tf.constant(value, tf.float32) for name, value in features.items()}
  )
  assert set(answer) == {"value", "low", "high", "familiarity", "decision"}
  held = (truth >= answer["low"].numpy()) & (truth <= answer["high"].numpy())
  assert held.mean() == pytest.approx(0.9, abs=0.05)


def test_texts_have_nothing_of_it(splits):
  assert (
    certain.fitted(
      text.PROBLEM, _functional(), None, splits, calibration=None, options={}, settings=_SETTINGS
    )
    is None
  )


def test_few_rows_of_val_say_so_and_break_nothing(splits, new, caplog):
  caplog.set_level("INFO")
  doubts, answer = _served(_functional(), (splits[0], _split(5, 4)), new[0]["x"][:3])
  assert set(answer) == {*_OUTPUTS, "set", "decision"}
  assert (answer["set"] != b"").all()
  assert (answer["decision"] == b"unsure").all()
  assert "val has 5 rows" in doubts.record.sentence
  assert "val has 5 rows" in doubts.record.familiarity.sentence
