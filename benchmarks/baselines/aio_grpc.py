"""Baseline: the gRPC server that a good engineer writes, in one loop, with one TensorFlow thread.

    python aio_grpc.py MODEL_FOLDER PORT

`grpc.aio`, so that a request changes no thread; the model is small enough to be asked in the loop.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
  """Predict only."""

  def __init__(self, folder: pathlib.Path):
    """Args: the folder that holds version 1."""
    self._model = tf.saved_model.load(str(folder / "1"))
    self._signature = self._model.signatures["serving_default"]

  async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
    inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
    response = predict_pb2.PredictResponse()
    for name, tensor in self._signature(**inputs).items():
      response.outputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
    return response


async def main() -> None:
  """Serves until it is killed."""
  tf.config.threading.set_intra_op_parallelism_threads(1)
  tf.config.threading.set_inter_op_parallelism_threads(1)
  server = grpc.aio.server()
  prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
    PredictionService(pathlib.Path(sys.argv[1])), server
  )
  server.add_insecure_port(f"127.0.0.1:{sys.argv[2]}")
  await server.start()
  await server.wait_for_termination()


if __name__ == "__main__":
  asyncio.run(main())
