"""Predict over gRPC: inputs, defaults, filters, types, and what the graph refuses."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import model_management_pb2

MANY = {"a": [[1.0, 2.0]], "b": np.int32([5]), "s": [b"word"]}


def _proto(dtype, shape, **fields):
  dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape]
  shape_proto = tensor_shape_pb2.TensorShapeProto(dim=dims)
  return tensor_pb2.TensorProto(dtype=dtype, tensor_shape=shape_proto, **fields)


def test_several_inputs_and_outputs(server):
  outputs = server.predict("many", MANY).outputs
  assert outputs["sum"].float_val == [3.0]
  assert outputs["next"].int_val == [6]
  assert outputs["upper"].string_val == [b"WORD"]


@pytest.mark.parametrize("names", [["sum"], ["upper", "next"]])
def test_only_the_outputs_that_are_asked_for(server, names):
  response = server.predict("many", MANY, outputs=names)
  assert sorted(response.outputs) == sorted(names)


@pytest.mark.parametrize(
  ("inputs", "total"), [({"a": [[1.0, 2.0]]}, 30.0), ({"a": [[1.0, 2.0]], "factor": 2.0}, 6.0)]
)
def test_a_default_is_used_where_the_input_is_missing(server, inputs, total):
  response = server.predict("many", inputs, signature="with_default")
  assert response.outputs["sum"].float_val == [total]


def _values(name):
  if name == "string":
    return np.array([[b"a", b"\xff\0"]], object)
  if name == "bool":
    return np.array([[True, False]])
  return np.array([[0, 1], [3, 100]]).astype(tf.as_dtype(name).as_numpy_dtype)


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize(
  ("name", "field"),
  [
    ("float32", "float_val"),
    ("float64", "double_val"),
    ("float16", "half_val"),
    ("bfloat16", "half_val"),
    ("complex64", "scomplex_val"),
    ("complex128", "dcomplex_val"),
    ("bool", "bool_val"),
    ("string", "string_val"),
    ("int8", "int_val"),
    ("int16", "int_val"),
    ("int32", "int_val"),
    ("int64", "int64_val"),
    ("uint8", "int_val"),
    ("uint16", "int_val"),
    ("uint32", "uint32_val"),
    ("uint64", "uint64_val"),
  ],
)
def test_every_type_comes_back_in_its_typed_field(server, name, field, as_content):
  values = _values(name)
  proto = tf.make_tensor_proto(values, dtype=name)
  if not as_content:
    proto = tensor_pb2.TensorProto(dtype=proto.dtype, tensor_shape=proto.tensor_shape)
    if name.startswith("complex"):
      pairs = [part for value in values.ravel() for part in (value.real, value.imag)]
      getattr(proto, field).extend(pairs)
    elif field == "half_val":
      proto.half_val.extend(values.ravel().view(np.uint16).tolist())
    else:
      getattr(proto, field).extend(values.ravel().tolist())
  answer = server.predict("types", {"x": proto}, signature=name).outputs["y"]
  assert answer.tensor_content == b""
  assert len(getattr(answer, field)) == values.size * (2 if name.startswith("complex") else 1)
  np.testing.assert_array_equal(tf.make_ndarray(answer), values)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1, 1, 1, 1)])
def test_any_shape(server, shape):
  answer = server.predict("types", {"x": np.ones(shape, np.float32)}, signature="float32")
  assert tf.make_ndarray(answer.outputs["y"]).shape == shape


@pytest.mark.parametrize(
  ("fields", "values"),
  [
    ({"float_val": [1.0, 2.0]}, [1.0, 2.0, 2.0, 2.0]),
    ({}, [0.0, 0.0, 0.0, 0.0]),
    ({"float_val": [1.0, 2.0, 3.0, 4.0, 5.0]}, [1.0, 2.0, 3.0, 4.0]),
  ],
)
def test_too_few_values_repeat_the_last_and_too_many_are_cut(server, fields, values):
  proto = _proto(types_pb2.DT_FLOAT, [2, 2], **fields)
  answer = server.predict("types", {"x": proto}, signature="float32")
  assert answer.outputs["y"].float_val == values


def test_strings_without_values_are_empty(server):
  answer = server.predict("types", {"x": _proto(types_pb2.DT_STRING, [2])}, signature="string")
  assert answer.outputs["y"].string_val == [b"", b""]


@pytest.mark.parametrize(
  "proto",
  [
    _proto(0, [1]),
    _proto(types_pb2.DT_FLOAT, [-1]),
    _proto(types_pb2.DT_FLOAT, [2**40, 2**40]),
    _proto(types_pb2.DT_FLOAT, [2], tensor_content=b"123"),
    _proto(types_pb2.DT_FLOAT, [2**33], float_val=[1.0]),
    _proto(types_pb2.DT_STRING, [2], tensor_content=b"\x05"),
    tensor_pb2.TensorProto(
      dtype=types_pb2.DT_FLOAT,
      tensor_shape=tensor_shape_pb2.TensorShapeProto(unknown_rank=True),
    ),
  ],
)
def test_a_tensor_that_contradicts_itself(server, tools, proto):
  found = tools.refused(lambda: server.predict("types", {"x": proto}, signature="float32"))
  assert found == ("INVALID_ARGUMENT", "tensor parsing error: x")


@pytest.mark.parametrize(
  ("inputs", "spec", "error"),
  [
    (
      {"x": [[1.0]]},
      {"model": "half_plus", "signature": "nope"},
      ("FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
    ),
    (
      {"a": [[1.0, 2.0]]},
      {},
      (
        "INVALID_ARGUMENT",
        (
          "input size does not match signature: 1!=3 len({a}) != len({a,b,s}). Sent extra: {}. "
          "Missing but required: {b,s}."
        ),
      ),
    ),
    (
      {**MANY, "z": [1.0]},
      {},
      (
        "INVALID_ARGUMENT",
        (
          "input size does not match signature: 4!=3 len({a,b,s,z}) != len({a,b,s}). Sent extra: "
          "{z}. Missing but required: {}."
        ),
      ),
    ),
    (
      {"a": [[1.0, 2.0]], "b": np.int32([5]), "z": [1.0]},
      {},
      (
        "INVALID_ARGUMENT",
        (
          "Signature input alias: s(feed name: s:0) not found in request and no default value "
          "provided. Inputs expected to be in the request {a,b,z}, or default input alias set: {}"
        ),
      ),
    ),
    (
      {"a": [[1.0, 2.0]], "z": [1.0]},
      {"signature": "with_default"},
      (
        "INVALID_ARGUMENT",
        "Inputs contains invalid name. Used request inputs: {a}, request input: {a,z}",
      ),
    ),
    (
      MANY,
      {"outputs": ["sum", "q"]},
      (
        "INVALID_ARGUMENT",
        (
          "output tensor alias not found in signature: q Outputs expected to be in the set "
          "{next,sum,upper}."
        ),
      ),
    ),
    (
      MANY,
      {"outputs": ["sum", "sum"]},
      ("INVALID_ARGUMENT", "duplicate output tensor alias: sum"),
    ),
    (
      {"x": [["text"]]},
      {"model": "half_plus"},
      ("INVALID_ARGUMENT", "Expects arg[0] to be float but string is provided"),
    ),
    (
      {"x": np.int32([[1]])},
      {"model": "half_plus"},
      ("INVALID_ARGUMENT", "Expects arg[0] to be float but int32 is provided"),
    ),
  ],
)
def test_what_is_refused(server, tools, inputs, spec, error):
  spec = dict(spec)
  model = spec.pop("model", "many")
  assert tools.refused(lambda: server.predict(model, inputs, **spec)) == error


def test_the_graphs_own_error_comes_through(server, tools):
  inputs = {"m": np.ones((1, 3), np.float32)}
  code, details = tools.refused(lambda: server.predict("many", inputs, signature="matmul"))
  assert code == "INVALID_ARGUMENT"
  assert details.startswith("Matrix size-incompatible: In[0]: [1,3], In[1]: [4,1]")
  assert "\n\t [[{{node MatMul}}]]" in details


def test_the_shape_is_the_graphs_to_accept(server):
  answer = server.predict("half_plus", {"x": [1.0, 3.0]})
  assert answer.outputs["y"].float_val == [3.5, 4.5]


@pytest.mark.parametrize("signature", ["classify_labels", "odd_method"])
def test_predict_runs_signatures_of_any_method(server, signature):
  example = tf.train.Example()
  example.features.feature["x"].float_list.value.append(2.0)
  inputs = {"inputs": [example.SerializeToString()]} if "classify" in signature else {"x": [[2.0]]}
  outputs = server.predict("half_plus", inputs, signature=signature).outputs
  assert outputs["scores" if "classify" in signature else "y"].float_val == [4.0]


def test_a_deadline_ends_a_long_run(server, tools):
  inputs = {"rounds": np.int32([5_000_000])}
  code, _ = tools.refused(lambda: server.predict("slow", inputs, timeout_s=0.5))
  assert code == "DEADLINE_EXCEEDED"
  assert server.predict("slow", {"rounds": np.int32([10])}).outputs["done"].int_val == [10]


def test_callers_without_a_deadline(start, models):
  fresh = start("--model_name=slow", f"--model_base_path={models / 'slow'}")
  rounds = {"rounds": np.int32([3])}
  assert fresh.predict("slow", rounds, timeout_s=None).outputs["done"].int_val == [3]
  request = model_management_pb2.ReloadConfigRequest()
  for name in ("slow", "half_plus"):
    request.config.model_config_list.config.add(
      name=name, base_path=str(models / name), model_platform="tensorflow"
    )
  assert fresh.models.HandleReloadConfigRequest(request).status.error_code == 0
  assert fresh.predict("half_plus", {"x": [[1.0]]}).outputs["y"].float_val == [3.5]


def test_functions_and_resources_of_tf2(server):
  answer = server.predict("doubler", {"rows": [[1.0, 2.0, 3.0]]})
  assert answer.outputs["doubled"].float_val == [2.0, 4.0, 6.0]
  answer = server.predict("doubler", {"words": [b"b", b"z"]}, signature="words")
  assert answer.outputs["number"].float_val == [2.0, -1.0]
