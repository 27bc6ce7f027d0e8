"""A request log as a server writes it."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving.models.servable import Run
from serving.telemetry.request_log import RequestLog


@pytest.fixture
def write_log(tmp_path):
  """Returns a function that logs `(text, label, score)` rows, a request each."""

  def write(*rows, name="sentiment", key="text", client=lambda number: ""):
    log = RequestLog(str(tmp_path / "log"))
    for number, (value, label, score) in enumerate(rows):
      request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
      request.inputs[key].CopyFrom(tf.make_tensor_proto([value]))
      response.outputs["label"].CopyFrom(tf.make_tensor_proto([label]))
      response.outputs["score"].CopyFrom(tf.make_tensor_proto([score], tf.float32))
      response.model_spec.name = name
      response.model_spec.version.value = 3
      log.messages("Predict", request, response, Run(client_id=client(number)))
    log.close()
    return tmp_path / "log"

  return write
