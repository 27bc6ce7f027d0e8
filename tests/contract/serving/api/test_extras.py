"""What is off by default: metrics, batches, CORS, sockets, tokens, limits, the request log."""

import json
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
  model_management_pb2,
  prediction_log_pb2,
  prediction_service_pb2_grpc,
)

X = {"x": [[2.0]]}


def _warm(models, path, *logs, source="half_plus/1"):
  shutil.copytree(models / source, path / "1")
  (path / "1" / "assets.extra").mkdir()
  file = path / "1" / "assets.extra" / "tf_serving_warmup_requests"
  with tf.io.TFRecordWriter(str(file)) as writer:
    for log in logs:
      writer.write(log.SerializeToString())
  return file


def _predict_log(x):
  log = prediction_log_pb2.PredictionLog()
  log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(x))
  return log


@pytest.fixture(scope="module")
def full(start, models, tmp_path_factory):
  """A server with all that can be switched on, and a metrics path of its own."""
  folder = tmp_path_factory.mktemp("full")
  _warm(models, folder / "m", _predict_log([[1.0]]), _predict_log([[2.0]]))
  (folder / "monitoring").write_text('prometheus_config { enable: true path: "/metrics" }')
  (folder / "batching").write_text("max_batch_size { value: 8 } allowed_batch_sizes: [4, 8]")
  (folder / "tokens").write_text("# one a line\nfirst\nsecond\nchief admin\n")
  return start(
    "--model_name=m",
    f"--model_base_path={folder / 'm'}",
    f"--monitoring_config_file={folder / 'monitoring'}",
    "--enable_batching",
    f"--batching_parameters_file={folder / 'batching'}",
    "--rest_api_enable_cors_support=true",
    "--enable_grpc_healthcheck_service",
    f"--grpc_socket_path={folder / 'socket'}",
    f"--auth_tokens_file={folder / 'tokens'}",
    f"--request_log_dir={folder / 'log'}",
    "--request_log_sample=1",
    "--max_request_bytes=100000",
    "--enable_serialization_as_tensor_content",
  ), folder


BEARER = {"Authorization": "Bearer second"}
METADATA = (("authorization", "Bearer first"),)


def test_cors(full):
  status, headers, _ = full[0].http("GET", "/v1/models/m", **BEARER)
  assert status == 200
  assert headers["access-control-allow-origin"] == "*"
  assert headers["access-control-allow-methods"] == "POST, GET"
  assert headers["access-control-allow-headers"] == "Content-Type, Authorization"
  status, headers, _ = full[0].http(
    "OPTIONS",
    "/v1/models/m",
    Origin="http://a.example",
    Access_Control_Request_Headers="authorization",
  )
  assert (status, headers["access-control-allow-origin"]) == (200, "*")
  assert headers["access-control-allow-headers"] == "Content-Type, Authorization"
  # A browser shows the page that asks only what has these, an error too.
  status, headers, _ = full[0].http("GET", "/v1/models/m")
  assert (status, headers["access-control-allow-origin"]) == (401, "*")


@pytest.mark.parametrize(
  ("given", "message"),
  [({}, "This server needs a token"), ({"Authorization": "Bearer third"}, "The token is not one")],
)
def test_without_a_token_nobody_gets_in(full, tools, given, message):
  server = full[0]
  status, headers, body = server.http("GET", "/v1/models/m", **given)
  assert status == 401
  assert headers["www-authenticate"] == 'Bearer realm="models"'
  assert json.loads(body)["error"].startswith(message)
  metadata = [(name.lower(), value) for name, value in given.items()]
  call = tools.refused(
    lambda: server.prediction.Predict(tools.predict_request("m", X), metadata=metadata, timeout=120)
  )
  assert call[0] == "UNAUTHENTICATED"
  assert call[1].startswith(message)


def test_only_an_admin_reconfigures_and_profiles(full, tools):
  server = full[0]
  request = model_management_pb2.ReloadConfigRequest()
  request.config.model_config_list.config.add(
    name="m", base_path=str(full[1] / "m"), model_platform="tensorflow"
  )

  def reload(token):
    metadata = [("authorization", f"Bearer {token}")]
    return server.models.HandleReloadConfigRequest(request, metadata=metadata, timeout=120)

  code, message = tools.refused(lambda: reload("first"))
  assert code == "PERMISSION_DENIED"
  assert message == "This needs a token with the role admin. The request's has the role predict."
  assert reload("chief").status.error_code == 0
  profile = server.channel.unary_unary("/tensorflow.ProfilerService/Profile")
  call = tools.refused(lambda: profile(b"", metadata=METADATA, timeout=120))
  assert call[0] == "PERMISSION_DENIED"


def test_refused_tokens_are_counted(full, tools):
  server = full[0]
  count = ':tensorflow:serving:request_count{model_name="",status="UNAUTHENTICATED"} '

  def refused():
    lines = server.http("GET", "/metrics", **BEARER)[2].decode().splitlines()
    return sum(int(line.split()[-1]) for line in lines if line.startswith(count))

  before = refused()
  assert server.http("GET", "/v1/models/m", Authorization="Bearer guess")[0] == 401
  request = tools.predict_request("m", X)
  metadata = [("authorization", "Bearer guess")]
  call = tools.refused(lambda: server.prediction.Predict(request, metadata=metadata, timeout=120))
  assert call[0] == "UNAUTHENTICATED"
  assert refused() == before + 2


def test_reloading_can_be_switched_off(start, tools, models):
  server = start(
    "--model_name=m", f"--model_base_path={models / 'half_plus'}", "--enable_config_reload=false"
  )
  request = model_management_pb2.ReloadConfigRequest()
  request.config.model_config_list.SetInParent()
  call = tools.refused(lambda: server.models.HandleReloadConfigRequest(request, timeout=120))
  assert call[0] == "PERMISSION_DENIED"
  assert "--enable_config_reload=false" in call[1]
  assert server.states("m")[2] == "AVAILABLE"


def test_the_answer_is_tensor_content_where_it_is_asked_for(full, tools):
  answer = full[0].prediction.Predict(tools.predict_request("m", X), metadata=METADATA, timeout=120)
  assert answer.outputs["y"].tensor_content == np.float32(3.0).tobytes()


def test_unix_socket(full, tools):
  with grpc.insecure_channel(f"unix:{full[1] / 'socket'}") as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    answer = stub.Predict(tools.predict_request("m", X), metadata=METADATA, timeout=120)
  assert tf.make_ndarray(answer.outputs["y"]).tolist() == [[3.0]]


@pytest.mark.parametrize("name", ["", "PredictionService", "ModelService"])
def test_health_needs_no_token(full, name):
  call = full[0].channel.unary_unary("/grpc.health.v1.Health/Check")
  assert call(bytes([10, len(name)]) + name.encode() if name else b"", timeout=120) == b"\x08\x01"


def test_health_of_another_service(full, tools):
  call = full[0].channel.unary_unary("/grpc.health.v1.Health/Check")
  assert tools.refused(lambda: call(b"\x0a\x01x", timeout=120)) == ("NOT_FOUND", "unknown service")


def test_requests_that_are_too_large(full, tools):
  server = full[0]
  body = b'{"instances": [' + b"1," * 60_000 + b"1]}"
  status, _, answer = server.http("POST", "/v1/models/m:predict", body, **BEARER)
  assert status == 413
  assert "--max_request_bytes" in json.loads(answer)["error"]
  request = tools.predict_request("m", {"x": np.zeros((60_000, 1), np.float32)})
  call = tools.refused(lambda: server.prediction.Predict(request, metadata=METADATA, timeout=120))
  assert call[0] == "RESOURCE_EXHAUSTED"


def test_metrics(full):
  server = full[0]
  body = json.dumps({"instances": [1.0]})
  assert server.http("POST", "/v1/models/m:predict", body, **BEARER)[0] == 200
  assert server.http("POST", "/v1/models/m:predict", b"{}", **BEARER)[0] == 400
  status, headers, text = server.http("GET", "/metrics", **BEARER)
  assert (status, headers["content-type"]) == (200, "text/plain")
  lines = text.decode().splitlines()
  assert "# TYPE :tensorflow:serving:request_count counter" in lines
  count = ':tensorflow:serving:request_count{model_name="m",status="INVALID_ARGUMENT"} '
  assert any(line.startswith(count) for line in lines)
  labels = 'model_name="m",API="predict",entrypoint="REST"'
  latency = ":tensorflow:serving:request_latency"
  assert any(line.startswith(f"{latency}_sum{{{labels}}}") for line in lines)
  buckets = [line for line in lines if line.startswith(f"{latency}_bucket{{{labels},le=")]
  assert len(buckets) == 34
  assert buckets[0].split("le=")[1].startswith('"10"')
  assert 'le="+Inf"' in buckets[-1]
  assert any(line.startswith(":tensorflow:serving:runtime_latency_count{") for line in lines)
  assert any(":model_warmup_records_read{" in line and line.endswith(" 2") for line in lines)
  assert any(line.startswith(":tensorflow:serving:batching_session:wrapped") for line in lines)
  status, _, body = server.http("GET", "/metrics?x=1", **BEARER)
  assert (status, json.loads(body)) == (400, {"error": "Unexpected path: /metrics?x=1"})


def test_batches_take_what_arrives_together_and_refuse_what_is_larger(full, tools):
  server = full[0]

  def ask(count):
    request = tools.predict_request("m", {"x": np.float32([[i] for i in range(count)])})
    answer = server.prediction.Predict(request, metadata=METADATA, timeout=120)
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [[i / 2 + 2] for i in range(count)]

  threads = [threading.Thread(target=ask, args=(1 + number % 8,)) for number in range(32)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert tools.refused(lambda: ask(9)) == (
    "INVALID_ARGUMENT",
    "Task size 9 is larger than maximum input batch size 8",
  )
  scalar = tools.predict_request("m", {"x": np.float32(1)})
  found = tools.refused(lambda: server.prediction.Predict(scalar, metadata=METADATA, timeout=120))
  assert found == (
    "INVALID_ARGUMENT",
    "Batching Run() input tensors must have at least one dimension",
  )


def test_the_sample_of_requests_can_be_read_again(full, tools):
  """Last: stops the server, which completes the file."""
  server, folder = full
  request = tools.predict_request("m", {"x": [[41.0]]})
  server.prediction.Predict(request, metadata=METADATA, timeout=120)
  body = json.dumps({"signature_name": "regress_x_to_y", "examples": [{"x": 43.0}]})
  assert server.http("POST", "/v1/models/m:regress", body, **BEARER)[0] == 200
  server.server.stop()
  (file,) = (folder / "log" / "m" / f"span-{int(time.time()) // 86400}").iterdir()
  records = [
    prediction_log_pb2.PredictionLog.FromString(record.numpy())
    for record in tf.data.TFRecordDataset(str(file))
  ]
  predict, regress = records[-2:]
  assert tf.make_ndarray(predict.predict_log.request.inputs["x"]).tolist() == [[41.0]]
  assert tf.make_ndarray(predict.predict_log.response.outputs["y"]).tolist() == [[22.5]]
  assert predict.log_metadata.model_spec.version.value == 1
  assert regress.regress_log.response.result.regressions[0].value == 23.5
  example = regress.regress_log.request.input.example_list.examples[0]
  assert example.features.feature["x"].float_list.value == [43.0]
  assert regress.log_metadata.model_spec.signature_name == "regress_x_to_y"


def test_one_request_too_many_is_refused(start, models):
  server = start(
    "--model_name=slow",
    f"--model_base_path={models / 'slow'}",
    "--max_concurrent_requests=2",
    "--rest_api_timeout_in_ms=3000",
  )
  statuses = []

  def ask():
    statuses.append(server.post("/v1/models/slow:predict", {"instances": [50_000_000]})[0])

  threads = [threading.Thread(target=ask) for _ in range(2)]
  for thread in threads:
    thread.start()
  deadline = time.monotonic() + 120
  while server.server._http._pending < 2:
    assert time.monotonic() < deadline
    time.sleep(0.01)
  status, answer = server.post("/v1/models/slow:predict", {"instances": [1]})
  assert status == 429
  assert statuses == [], "it did not wait for the others"
  assert "--max_concurrent_requests" in answer["error"]
  for thread in threads:
    thread.join()
  assert statuses == [504, 504]
