"""Models to serve, each a few nodes."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
TYPES = [
  *("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "bool", "string"),
  *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
]
v1 = tf.compat.v1


def _info(**tensors):
  return {
    name: meta_graph_pb2.TensorInfo(
      name=tensor.name,
      dtype=tensor.dtype.as_datatype_enum,
      tensor_shape=tensor.shape.as_proto(),
    )
    for name, tensor in tensors.items()
  }


def _signature(inputs, outputs, method=PREDICT, defaults=None):
  made = v1.saved_model.build_signature_def(_info(**inputs), _info(**outputs), method)
  for name, value in (defaults or {}).items():
    made.defaults[name].CopyFrom(tf.make_tensor_proto(value))
  return made


def _save(path, session, signatures, init_op=None):
  builder = v1.saved_model.Builder(str(path))
  builder.add_meta_graph_and_variables(session, ["serve"], signatures, main_op=init_op)
  builder.save()


def half_plus(path, plus=2.0):
  """TF1 style: x/2 + `plus` by Predict, Classify and Regress, with a variable."""
  with tf.Graph().as_default(), v1.Session() as session:
    half = v1.get_variable("half", initializer=0.5)
    example = v1.placeholder(tf.string, [None], name="tf_example")
    parsed = v1.io.parse_example(
      example,
      {
        "x": v1.io.FixedLenFeature([1], tf.float32),
        "x2": v1.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
      },
    )
    x = v1.placeholder_with_default(parsed["x"], [None, 1], name="x")
    y = tf.add(tf.multiply(half, x), plus, name="y")
    y2 = tf.add(y, 1.0, name="y2")
    y3 = tf.add(tf.multiply(half, parsed["x2"]), plus + 1.0, name="y3")
    labels = tf.fill(tf.shape(y), "label")
    session.run(v1.global_variables_initializer())
    _save(
      path,
      session,
      {
        "serving_default": _signature({"x": x}, {"y": y}),
        "classify_x_to_y": _signature({"inputs": example}, {"scores": y}, CLASSIFY),
        "classify_labels": _signature(
          {"inputs": example}, {"scores": y, "classes": labels}, CLASSIFY
        ),
        "regress_x_to_y": _signature({"inputs": example}, {"outputs": y}, REGRESS),
        "regress_x_to_y2": _signature({"inputs": example}, {"outputs": y2}, REGRESS),
        "regress_x2_to_y3": _signature({"inputs": example}, {"outputs": y3}, REGRESS),
        "regress_wide": _signature({"inputs": example}, {"outputs": tf.tile(y, [1, 2])}, REGRESS),
        "regress_int": _signature({"inputs": example}, {"outputs": tf.cast(y, tf.int32)}, REGRESS),
        "regress_short": _signature({"inputs": example}, {"outputs": y[:1]}, REGRESS),
        "classify_flat": _signature({"inputs": example}, {"scores": y[:, 0]}, CLASSIFY),
        "predict_two": _signature({"x": x}, {"y": y, "y2": y2}),
        "no_inputs_key": _signature({"x": example}, {"outputs": y}, REGRESS),
        "odd_method": _signature({"x": x}, {"y": y}, "some/other/method"),
      },
    )
  return pathlib.Path(path)


def many(path):
  """Several inputs of several types, with and without defaults; outputs of several shapes."""
  with tf.Graph().as_default(), v1.Session() as session:
    a = v1.placeholder(tf.float32, [None, 2], name="a")
    b = v1.placeholder(tf.int32, [None], name="b")
    s = v1.placeholder(tf.string, [None], name="s")
    factor = v1.placeholder(tf.float32, [], name="factor")
    sums = tf.reduce_sum(a, 1) * factor
    outputs = {"sum": sums, "next": b + 1, "upper": tf.strings.upper(s)}
    inputs = {"a": a, "b": b, "s": s}
    m = v1.placeholder(tf.float32, None, name="m")
    weights = tf.constant([[1.0], [2.0], [3.0], [4.0]])
    _save(
      path,
      session,
      {
        "serving_default": _signature(
          inputs, {"sum": tf.reduce_sum(a, 1), "next": b + 1, "upper": tf.strings.upper(s)}
        ),
        "with_default": _signature(
          {"a": a, "factor": factor}, {"sum": sums}, defaults={"factor": 10.0}
        ),
        "scalar": _signature({"a": a}, {"total": tf.reduce_sum(a)}),
        "uneven": _signature({"a": a}, {"rows": tf.identity(a), "columns": tf.transpose(a)}),
        "encode": _signature({"s": s}, {"image_bytes": tf.identity(s)}),
        "encode_two": _signature({"s": s}, {"image_bytes": tf.identity(s), "text": tf.identity(s)}),
        "matmul": _signature({"m": m}, {"product": tf.matmul(m, weights)}),
        "fill": _signature({"b": b}, {"zeros": tf.zeros(b)}),
        "all_outputs": _signature(inputs | {"factor": factor}, outputs),
      },
    )
  return pathlib.Path(path)


def types(path):
  """One signature for each type, named after it: `x` of any shape to itself."""
  with tf.Graph().as_default(), v1.Session() as session:
    signatures = {}
    for name in TYPES:
      x = v1.placeholder(name, None, name=f"x_{name}")
      signatures[name] = _signature({"x": x}, {"y": tf.identity(x)})
    _save(path, session, signatures)
  return pathlib.Path(path)


def slow(path):
  """`rounds` turns of a loop that nothing shortens, then how many there were."""
  with tf.Graph().as_default(), v1.Session() as session:
    rounds = v1.placeholder(tf.int32, [1], name="rounds")
    done = v1.while_loop(
      lambda i: i < rounds[0], lambda i: i + 1, [tf.constant(0)], back_prop=False
    )
    _save(path, session, {"serving_default": _signature({"rounds": rounds}, {"done": done})})
  return pathlib.Path(path)


class Doubler(tf.Module):
  """TF2 style: functions, a variable, an asset-free resource."""

  def __init__(self):
    super().__init__()
    self.factor = tf.Variable(2.0)
    self.table = tf.lookup.StaticHashTable(
      tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0]), -1.0
    )

  @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="rows")])
  def __call__(self, rows):
    return {"doubled": rows * self.factor}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
  def look_up(self, words):
    return {"number": self.table.lookup(words)}


def doubler(path):
  module = Doubler()
  tf.saved_model.save(
    module, str(path), signatures={"serving_default": module.__call__, "words": module.look_up}
  )
  return pathlib.Path(path)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
  """A folder of base paths, each with a version 1; half_plus has versions 1 (+2) and 2 (+3)."""
  root = tmp_path_factory.mktemp("models")
  half_plus(root / "half_plus" / "1")
  half_plus(root / "half_plus" / "2", 3.0)
  for make in (many, types, slow, doubler):
    make(root / make.__name__ / "1")
  return root


@pytest.fixture(scope="session")
def save_half_plus():
  """The function that writes x/2 + `plus` to a path."""
  return half_plus


@pytest.fixture(scope="session")
def type_names():
  """Names of the types that the model `types` has signatures for."""
  return TYPES
