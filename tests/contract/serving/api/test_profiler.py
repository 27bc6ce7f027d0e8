"""tensorflow.ProfilerService on the gRPC port, asked by TensorFlow's own client."""

import threading

import tensorflow as tf


def test_a_trace_of_the_running_server(server, tmp_path):
  stopping = threading.Event()

  def ask():
    while not stopping.is_set():
      server.predict("half_plus", {"x": [[1.0]]})

  thread = threading.Thread(target=ask)
  thread.start()
  try:
    address = f"grpc://127.0.0.1:{server.port}"
    tf.profiler.experimental.client.trace(address, str(tmp_path), 300)
  finally:
    stopping.set()
    thread.join()
  (trace,) = tmp_path.rglob("*.xplane.pb")
  assert b"/host:CPU" in trace.read_bytes()
