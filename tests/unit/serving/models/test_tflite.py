"""TFLite models: signatures in their metadata, or made of their tensors' names."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import meta_graph_pb2

from serving.errors import Internal, InvalidArgument
from serving.models.tflite import FILE, TfliteSession


@pytest.fixture(scope="module")
def model():
  """x * 2 for `[batch, 2]` float32, as today's converter writes it: with signatures of its own."""

  @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
  def double(x):
    return {"y": x * 2.0}

  module = tf.Module()
  module.double = double
  converter = tf.lite.TFLiteConverter.from_concrete_functions(
    [double.get_concrete_function()], module
  )
  return converter.convert()


@pytest.fixture(scope="module")
def tensors(model):
  """Names of the model's only input and output."""
  interpreter = tf.lite.Interpreter(model_content=model)
  (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
  return given["name"], made["name"]


@pytest.fixture
def load(tmp_path):
  def session(data):
    (tmp_path / FILE).write_bytes(data)
    return TfliteSession(tmp_path, interpreters=2)

  return session


def _signature(given, made, alias=("in", "out")):
  signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
  for infos, name, tensor in (
    (signature.inputs, alias[0], given),
    (signature.outputs, alias[1], made),
  ):
    infos[name].name = tensor
    infos[name].dtype = tf.float32.as_datatype_enum
    infos[name].tensor_shape.dim.add(size=-1)
    infos[name].tensor_shape.dim.add(size=2)
  return signature


def test_a_model_without_metadata_is_called_as_its_tensors(model, tensors, load):
  session = load(model)
  assert session.signatures.keys() == {"serving_default"}
  definition = session.signatures["serving_default"]
  given, made = tensors
  assert given.endswith(":0")
  assert {alias: info.name for alias, info in definition.inputs.items()} == {given[:-2]: given}
  assert [info.name for info in definition.outputs.values()] == [made]
  assert definition.method_name == "tensorflow/serving/predict"
  for rows in (1, 3, 2):
    x = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    (y,) = session.run({given: x}, [made])
    np.testing.assert_array_equal(y, x * 2)


def test_signatures_of_the_metadata_are_served(model, tensors, load, with_signatures):
  written = {
    "serving_default": _signature(*tensors),
    "other": _signature(*tensors, alias=("a", "b")),
  }
  session = load(with_signatures(model, written))
  assert session.signatures == written
  x = np.float32([[1, 2]])
  (y,) = session.run({tensors[0]: x}, [session.signatures["other"].outputs["b"].name])
  np.testing.assert_array_equal(y, x * 2)


def test_tensors_may_be_named_with_the_suffix_that_early_converters_dropped(
  model, tensors, load, with_signatures
):
  """Such as TensorFlow Serving's own test model: its tensors are "x", its signature says "x:0"."""
  early = _renamed(model, {tensors[0]: "x", tensors[1]: "y"})
  session = load(with_signatures(early, {"serving_default": _signature("x:0", "y:0")}))
  definition = session.signatures["serving_default"]
  assert (definition.inputs["in"].name, definition.outputs["out"].name) == ("x", "y")
  np.testing.assert_array_equal(session.run({"x": np.float32([[1, 2]])}, ["y"]), [[[2, 4]]])


def _renamed(model, names):
  import flatbuffers
  from tensorflow.lite.python import schema_py_generated as schema

  changed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
  for graph in changed.subgraphs:
    for tensor in graph.tensors:
      tensor.name = names.get(tensor.name.decode(), tensor.name.decode())
  changed.signatureDefs = None
  builder = flatbuffers.Builder(1024)
  builder.Finish(changed.Pack(builder), b"TFL3")
  return bytes(builder.Output())


@pytest.mark.parametrize("wrong", ["input", "output"])
def test_a_signature_that_names_an_unknown_tensor_is_refused(
  model, tensors, load, with_signatures, wrong
):
  given, made = ("z:0", tensors[1]) if wrong == "input" else (tensors[0], "z:0")
  alias = "in" if wrong == "input" else "out"
  with pytest.raises(Internal) as refused:
    load(with_signatures(model, {"serving_default": _signature(given, made)}))
  assert str(refused.value) == (
    f"Signature {wrong} {alias} references an unknown tensor: Unknown tensor 'z:0'."
  )


def test_metadata_that_hold_no_signatures_are_refused(model, load, with_signatures):
  with pytest.raises(InvalidArgument, match="Invalid SignatureDefs found in TfLite model: "):
    load(with_signatures(model, {"serving_default": b"\xff\xff no message"}))


def test_what_is_given_must_be_the_models_inputs(model, tensors, load, with_signatures):
  session = load(with_signatures(model, {"serving_default": _signature(*tensors)}))
  with pytest.raises(
    InvalidArgument, match=r"The model takes the tensors \['.*'\]. Received: \['z'"
  ):
    session.run({"z": np.zeros(1)}, [])
  with pytest.raises(
    InvalidArgument, match="Expected input in to be of type float32. Received: int"
  ):
    session.run({tensors[0]: np.int32([[1, 2]])}, [tensors[1]])


def test_text_of_a_signature_survives(model, tensors, load, with_signatures):
  """Bytes that are no UTF-8, of which a size of -1 has ten."""
  signature = _signature(*tensors)
  assert b"\xff" in signature.SerializeToString()
  session = load(with_signatures(model, {"serving_default": signature}))
  found = session.signatures["serving_default"]
  assert text_format.MessageToString(found) == text_format.MessageToString(signature)
