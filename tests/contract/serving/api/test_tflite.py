"""--prefer_tflite_model: the same API in front of a TFLite model."""

import numpy as np
import pytest
import tensorflow as tf

from serving.tflite import FILE


class Halves(tf.Module):
  """x/2 + 2, and words as they are."""

  @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
  def half(self, x):
    return {"y": x / 2 + 2.0}

  @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int32, name="n")])
  def double(self, n):
    return {"y": n * 2}


@pytest.fixture(scope="module")
def tflite_server(start, tmp_path_factory):
  base, module = tmp_path_factory.mktemp("tflite"), Halves()
  tf.saved_model.save(
    module, str(base / "1"), {"serving_default": module.half, "double": module.double}
  )
  converter = tf.lite.TFLiteConverter.from_saved_model(
    str(base / "1"), signature_keys=["serving_default", "double"]
  )
  (base / "1" / FILE).write_bytes(converter.convert())
  (base / "1" / "saved_model.pb").unlink()
  return start("--model_name=m", f"--model_base_path={base}", "--prefer_tflite_model")


@pytest.mark.parametrize("rows", [1, 3])
def test_any_number_of_rows_over_both_protocols(tflite_server, rows):
  x = [[float(row)] for row in range(rows)]
  y = [[row / 2 + 2] for row in range(rows)]
  answer = tflite_server.predict("m", {"x": x}).outputs["y"]
  assert tf.make_ndarray(answer).tolist() == y
  found = tflite_server.post("/v1/models/m:predict", {"instances": x})
  assert found == (200, {"predictions": y})


def test_another_signature(tflite_server):
  answer = tflite_server.predict("m", {"n": np.int32([[4]])}, signature="double")
  assert answer.outputs["y"].int_val == [8]


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
    ({"z": [[1.0]]}, "Signature input alias: x(feed name: serving_default_x:0) not found in"),
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
