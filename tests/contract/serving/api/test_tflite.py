"""--prefer_tflite_model: the same API in front of a TFLite model."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from serving.models.tflite import FILE


class Halves(tf.Module):
  """x/2 + 2."""

  @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
  def half(self, x):
    return {"y": x / 2 + 2.0}


@pytest.fixture(scope="module")
def tflite_server(start, tmp_path_factory, with_signatures):
  """Serves `m`, whose signatures are in the metadata, and `plain`, which has none there."""
  root, module = tmp_path_factory.mktemp("tflite"), Halves()
  converter = tf.lite.TFLiteConverter.from_concrete_functions(
    [module.half.get_concrete_function()], module
  )
  plain = converter.convert()
  interpreter = tf.lite.Interpreter(model_content=plain)
  (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()
  signatures = {}
  for key, given, made in (("serving_default", "x", "y"), ("other", "a", "b")):
    signature = signatures[key] = meta_graph_pb2.SignatureDef(
      method_name="tensorflow/serving/predict"
    )
    for infos, name, tensor in ((signature.inputs, given, x), (signature.outputs, made, y)):
      infos[name].name = tensor["name"]
      infos[name].dtype = tf.float32.as_datatype_enum
      for size in tensor["shape_signature"]:
        infos[name].tensor_shape.dim.add(size=size)
  models = {"m": with_signatures(plain, signatures), "plain": plain}
  configs = []
  for name, data in models.items():
    (root / name / "1").mkdir(parents=True)
    (root / name / "1" / FILE).write_bytes(data)
    configs.append(
      f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "tensorflow" }}'
    )
  (root / "models.config").write_text(f"model_config_list {{ {' '.join(configs)} }}")
  return start(f"--model_config_file={root / 'models.config'}", "--prefer_tflite_model")


@pytest.mark.parametrize("rows", [1, 3])
def test_any_number_of_rows_over_both_protocols(tflite_server, rows):
  x = [[float(row)] for row in range(rows)]
  y = [[row / 2 + 2] for row in range(rows)]
  answer = tflite_server.predict("m", {"x": x}).outputs["y"]
  assert tf.make_ndarray(answer).tolist() == y
  found = tflite_server.post("/v1/models/m:predict", {"instances": x})
  assert found == (200, {"predictions": y})


def test_another_signature(tflite_server):
  answer = tflite_server.predict("m", {"a": [[4.0]]}, signature="other")
  assert tf.make_ndarray(answer.outputs["b"]).tolist() == [[4.0]]


def test_without_signatures_in_the_metadata_tensors_names_count(tflite_server):
  _, answer = tflite_server.get("/v1/models/plain/metadata")
  signatures = answer["metadata"]["signature_def"]["signature_def"]
  assert signatures.keys() == {"serving_default"}
  ((given, info),) = signatures["serving_default"]["inputs"].items()
  assert info["name"] == f"{given}:0"
  found = tflite_server.post("/v1/models/plain:predict", {"instances": [{given: [4.0]}]})
  assert found == (200, {"predictions": [[4.0]]})


def test_metadata_and_status(tflite_server):
  _, answer = tflite_server.get("/v1/models/m/metadata")
  signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
  assert signature["method_name"] == "tensorflow/serving/predict"
  assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
  assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "1"]
  assert tflite_server.states("m") == {1: "AVAILABLE"}


@pytest.mark.parametrize(
  ("inputs", "message"),
  [
    ({"x": np.int32([[1]])}, "Expected input x to be of type float32. Received: int32"),
    ({"z": [[1.0]]}, "Signature input alias: x(feed name: "),
  ],
)
def test_what_is_refused(tflite_server, tools, inputs, message):
  code, text = tools.refused(lambda: tflite_server.predict("m", inputs))
  assert code == "INVALID_ARGUMENT"
  assert text.startswith(message)


def test_a_file_that_is_no_model(start, tmp_path):
  (tmp_path / "1").mkdir()
  (tmp_path / "1" / FILE).write_bytes(b"no model")
  with pytest.raises(Exception, match="DATA_LOSS: Failed to load"):
    start(f"--model_base_path={tmp_path}", "--prefer_tflite_model")
