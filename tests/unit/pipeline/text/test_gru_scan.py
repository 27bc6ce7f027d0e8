"""The loop of its own computes what Keras' recurrent layer does, and learns what it learns."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.serving_gate.replay import op_reasons
from components.serving_gate.serving_ops import release_of_tag
from pipeline.text import gru_scan
from pipeline.text.recurrent import GRU, Bidirectional

_UNITS, _FEATURES, _ROWS = 5, 4, 3
# Less than a chunk of steps, and chunks without and with a rest.
_TIMES = [3, 16, 21]


def _normal(*shape: int) -> np.ndarray:
  return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def _pair(**arguments) -> tuple[GRU, keras.layers.GRU]:
  keras.utils.set_random_seed(1)
  both = GRU(_UNITS, **arguments), keras.layers.GRU(_UNITS, **arguments)
  for layer in both:
    layer.build([None, None, _FEATURES])
    layer.set_weights([_normal(*weight.shape) / 2 for weight in layer.weights])
  return both


def _traced(call, layers, *rest):
  """A function to the outputs, and the gradients of their weighted sum by inputs and weights.

  The time is known only when it runs, as in training: one trace is for all.
  """

  @tf.function(reduce_retracing=True)
  def step(sequence, *rest):
    with tf.GradientTape() as tape:
      tape.watch([sequence, *rest])
      outputs = tf.nest.flatten(call(sequence, *rest))
      weighed = [each * _normal(*each.shape[1:]) for each in outputs if each.shape.rank == 2]
      weighed += [
        each * tf.cast(tf.range(tf.shape(each)[1]), each.dtype)[:, None] for each in outputs[:1]
      ]
      loss = tf.add_n([tf.reduce_sum(each) for each in weighed])
    weights = [weight.value for layer in layers for weight in layer.weights]
    return outputs, tape.gradient(loss, [sequence, *rest, *weights])

  return step.get_concrete_function(tf.TensorSpec([None, None, _FEATURES]), *rest)


def _assert_close(found, expected) -> None:
  for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * max(1, np.abs(other).max()))


@pytest.fixture(scope="module")
def pair_traced():
  """A layer of ours and of Keras', traced; by whether they train."""
  return {training: _pair_traced(training) for training in (True, False)}


def _pair_traced(training):
  return [
    _traced(
      lambda x, h, layer=layer: layer(x, initial_state=h, training=training),
      [layer],
      tf.TensorSpec([None, _UNITS]),
    )
    for layer in _pair(return_sequences=True, return_state=True)
  ]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("time", _TIMES)
def test_outputs_and_gradients_are_those_of_keras(time, training, pair_traced):
  sequence, state = _normal(_ROWS, time, _FEATURES), _normal(_ROWS, _UNITS)
  found, expected = (
    learned(tf.constant(sequence), tf.constant(state)) for learned in pair_traced[training]
  )
  _assert_close(found, expected)


@pytest.mark.parametrize("time", [1, 8, 21])
def test_a_known_number_of_steps_and_eager_calls_give_the_same(time):
  ours, theirs = _pair()
  sequence = _normal(_ROWS, time, _FEATURES)
  _assert_close(ours(sequence, training=True), theirs(sequence))
  _assert_close(tf.function(ours)(tf.constant(sequence)), theirs(sequence))


@pytest.fixture(scope="module")
def directions_traced():
  """Two directions of ours and of Keras', traced; by whether they train."""
  return {training: _directions_traced(training) for training in (True, False)}


def _directions_traced(training):
  def call(layer, x):
    time = tf.shape(x)[1]
    lengths = tf.stack([time, tf.maximum(time // 2, 1), 0])
    within = tf.cast(tf.range(time) < lengths[:, None], tf.float32)[..., None]
    return layer(x, lengths, training=training) * within

  traced = []
  for each in (GRU, keras.layers.GRU):
    layer = Bidirectional(each, _UNITS)
    layer.build([None, None, _FEATURES])
    layer.set_weights([_normal(*weight.shape) / 2 for weight in layer.weights])
    traced.append(_traced(functools.partial(call, layer), [layer]))
  return traced


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("time", _TIMES)
def test_two_directions_are_two_layers_of_keras(time, training, directions_traced):
  sequence = tf.constant(_normal(_ROWS, time, _FEATURES))
  found, expected = (learned(sequence) for learned in directions_traced[training])
  _assert_close(found, expected)


def test_the_padding_changes_no_output_at_all():
  layer = Bidirectional(GRU, _UNITS)
  sequence, lengths = _normal(_ROWS, 9, _FEATURES), np.array([9, 4, 2], "int32")
  padded = np.concatenate([sequence, 100 * _normal(_ROWS, 30, _FEATURES)], axis=1)
  short, long = layer(sequence, lengths), layer(padded, lengths)
  for row, length in enumerate(lengths):
    np.testing.assert_allclose(short[row, :length], long[row, :length], atol=1e-6)


def test_xla_compiles_the_loop():
  layer = Bidirectional(GRU, _UNITS)
  sequence, lengths = _normal(_ROWS, 21, _FEATURES), np.array([21, 4, 2], "int32")

  def step():
    with tf.GradientTape() as tape:
      loss = tf.reduce_sum(layer(sequence, lengths, training=True) ** 2)
    return tape.gradient(loss, [weight.value for weight in layer.weights])

  _assert_close(tf.function(step, jit_compile=True)(), step())


def test_half_precision_learns_about_the_same():
  sequence = _normal(_ROWS, 21, _FEATURES)
  half, whole = (GRU(_UNITS, return_sequences=True, dtype=t) for t in ("mixed_float16", "float32"))
  for layer in (half, whole):
    layer.build([None, None, _FEATURES])
    layer.set_weights([_normal(*weight.shape) / 2 for weight in layer.weights])

  def call(layer):
    return lambda x: tf.cast(layer(x, training=True), tf.float32)

  (found, gradients), (expected, others) = (
    _traced(call(layer), [layer])(tf.constant(sequence)) for layer in (half, whole)
  )
  assert half(sequence).dtype == tf.float16
  assert all(gradient.dtype == tf.float32 for gradient in gradients)
  np.testing.assert_allclose(found[0], expected[0], atol=0.01)
  for one, other in zip(gradients, others, strict=True):
    np.testing.assert_allclose(one, other, atol=0.02 * np.abs(other).max())


def test_a_layer_is_saved_and_loaded_with_its_class(tmp_path):
  model = keras.Sequential([keras.Input([None, _FEATURES]), GRU(_UNITS, return_sequences=True)])
  model.save(tmp_path / "model.keras")
  loaded = keras.saving.load_model(tmp_path / "model.keras")
  assert type(loaded.layers[0]) is GRU
  sequence = _normal(_ROWS, 9, _FEATURES)
  np.testing.assert_array_equal(loaded(sequence), model(sequence))


@pytest.mark.parametrize(
  "arguments",
  [
    {"reset_after": False},
    {"activation": "relu"},
    {"use_bias": False},
    {"go_backwards": True},
    {"dropout": 0.5},
  ],
  ids=lambda arguments: next(iter(arguments)),
)
def test_what_the_loop_lacks_is_left_to_keras(arguments, monkeypatch):
  monkeypatch.delattr(gru_scan, "gru")
  ours, theirs = _pair(**arguments)
  sequence = _normal(_ROWS, 9, _FEATURES)
  _assert_close(ours(sequence), theirs(sequence))
  masked = [layer(sequence, mask=np.eye(_ROWS, 9) > 0) for layer in (ours, theirs)]
  _assert_close(*masked)


def test_an_export_runs_in_a_session_and_its_ops_are_those_of_a_server(tmp_path):
  layer = Bidirectional(GRU, _UNITS)
  sequence, lengths = _normal(_ROWS, 21, _FEATURES), np.array([21, 4, 2], "int32")
  expected = layer(sequence, lengths)
  module = tf.Module()
  module.kept = [variable.value for variable in layer.variables]
  specs = [tf.TensorSpec([None, None, _FEATURES], name="x"), tf.TensorSpec([None], tf.int32, "n")]
  module.call = tf.function(lambda x, n: {"y": layer(x, n)}, input_signature=specs)
  tf.saved_model.save(module, str(tmp_path), signatures=module.call)
  with tf.compat.v1.Session(graph=tf.Graph()) as session:
    graph = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
    signature = graph.signature_def["serving_default"]
    names = {name: info.name for name, info in signature.inputs.items()}
    [output] = (info.name for info in signature.outputs.values())
    found = session.run(output, {names["x"]: sequence, names["n"]: lengths})
  np.testing.assert_allclose(found, expected, atol=1e-6)
  assert op_reasons(str(tmp_path), release_of_tag("2.16.1")) == []


def test_where_a_gpu_is_keras_takes_its_kernels(monkeypatch):
  monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: ["a GPU"])
  layers = [GRU(_UNITS), Bidirectional(GRU, _UNITS)]

  def kinds(layer, *rest) -> set[str]:
    call = tf.function(lambda x: layer(x, *rest)).get_concrete_function(
      tf.TensorSpec([_ROWS, None, _FEATURES])
    )
    return {operation.type for operation in call.graph.get_operations()}

  single, both = layers
  lengths = tf.constant([3, 2, 1])
  assert "CudnnRNNV3" in kinds(single)
  assert "CudnnRNNV3" in kinds(both, lengths)
  for each in both._flatten_layers():
    each.use_cudnn = False
  assert "CudnnRNNV3" not in kinds(both, lengths)
