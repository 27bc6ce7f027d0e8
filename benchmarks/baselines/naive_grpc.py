"""Baseline: the gRPC server that a person writes with TensorFlow's own functions.

    python naive_grpc.py MODEL_FOLDER PORT

A thread pool, a loaded signature, `make_ndarray` and `make_tensor_proto`.
"""

from __future__ import annotations

import os
import pathlib
import sys
from concurrent import futures
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

_THREADS = 16


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
  """Predict only."""

  def __init__(self, folder: pathlib.Path):
    """Args: the folder that holds version 1."""
    self._model = tf.saved_model.load(str(folder / "1"))
    self._signature = self._model.signatures["serving_default"]

  def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
    inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
    response = predict_pb2.PredictResponse()
    for name, tensor in self._signature(**inputs).items():
      response.outputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
    return response


def main() -> None:
  """Serves until it is killed."""
  server = grpc.server(futures.ThreadPoolExecutor(_THREADS))
  prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
    PredictionService(pathlib.Path(sys.argv[1])), server
  )
  server.add_insecure_port(f"127.0.0.1:{sys.argv[2]}")
  server.start()
  server.wait_for_termination()


if __name__ == "__main__":
  main()
