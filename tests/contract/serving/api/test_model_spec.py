"""Which model a request means, and what it is told of it."""

import grpc
import pytest
from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  predict_pb2,
  prediction_service_pb2_grpc,
  regression_pb2,
  session_service_pb2,
)

X = {"x": [[4.0]]}


def _metadata(server, **spec):
  request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
  request.model_spec.name = spec.get("name", "half_plus")
  return request


@pytest.mark.parametrize(
  ("spec", "version", "value"),
  [
    ({}, 2, 5.0),
    ({"version": 1}, 1, 4.0),
    ({"version": 2}, 2, 5.0),
    ({"label": "stable"}, 1, 4.0),
    ({"label": "canary"}, 2, 5.0),
  ],
)
def test_a_version_is_chosen_and_told(server, spec, version, value):
  response = server.predict("half_plus", X, **spec)
  assert response.outputs["y"].float_val == [value]
  assert response.model_spec.name == "half_plus"
  assert response.model_spec.version.value == version
  assert response.model_spec.signature_name == "serving_default"
  assert response.model_spec.version_label == ""


def test_the_signature_that_was_asked_for_is_told(server):
  response = server.predict("half_plus", X, signature="predict_two")
  assert response.model_spec.signature_name == "predict_two"


@pytest.mark.parametrize(
  ("spec", "error"),
  [
    ({"model": "nobody"}, ("NOT_FOUND", "Servable not found for request: Latest(nobody)")),
    (
      {"version": 7},
      ("NOT_FOUND", "Servable not found for request: Specific(half_plus, 7)"),
    ),
    (
      {"label": "new"},
      ("INVALID_ARGUMENT", "Unrecognized servable version label: new"),
    ),
    ({"model": ""}, ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
  ],
)
def test_no_such_model(server, tools, spec, error):
  model = spec.pop("model", "half_plus")
  assert tools.refused(lambda: server.predict(model, X, **spec)) == error


@pytest.mark.parametrize(
  ("method", "request_class"),
  [
    ("Predict", predict_pb2.PredictRequest),
    ("Classify", classification_pb2.ClassificationRequest),
    ("Regress", regression_pb2.RegressionRequest),
    ("GetModelMetadata", get_model_metadata_pb2.GetModelMetadataRequest),
    ("GetModelStatus", get_model_status_pb2.GetModelStatusRequest),
  ],
)
def test_no_spec_at_all(server, tools, method, request_class):
  stub = server.models if method == "GetModelStatus" else server.prediction
  found = tools.refused(lambda: getattr(stub, method)(request_class(), timeout=120))
  assert found == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_metadata_has_every_signature(server):
  response = server.prediction.GetModelMetadata(_metadata(server), timeout=120)
  assert response.model_spec.name == "half_plus"
  assert response.model_spec.version.value == 2
  assert response.model_spec.signature_name == ""
  packed = response.metadata["signature_def"]
  assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
  found = get_model_metadata_pb2.SignatureDefMap()
  packed.Unpack(found)
  assert found.signature_def["serving_default"].inputs["x"].name == "x:0"
  assert "regress_x_to_y" in found.signature_def


def test_metadata_has_defaults_and_the_init_op(server):
  for name, signature in (("many", "with_default"), ("doubler", "__saved_model_init_op")):
    response = server.prediction.GetModelMetadata(_metadata(server, name=name), timeout=120)
    found = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(found)
    assert signature in found.signature_def
    if name == "many":
      assert found.signature_def[signature].defaults["factor"].float_val == [10.0]


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ([], "GetModelMetadataRequest must specify at least one metadata_field"),
    (["assets"], "Metadata field assets is not supported"),
  ],
)
def test_metadata_of_another_kind(server, tools, fields, message):
  request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
  request.model_spec.name = "half_plus"
  found = tools.refused(lambda: server.prediction.GetModelMetadata(request, timeout=120))
  assert found == ("INVALID_ARGUMENT", message)


def test_a_service_that_is_not_served(server, tools):
  call = server.channel.unary_unary(
    "/tensorflow.serving.SessionService/SessionRun",
    request_serializer=session_service_pb2.SessionRunRequest.SerializeToString,
    response_deserializer=session_service_pb2.SessionRunResponse.FromString,
  )
  code, _ = tools.refused(lambda: call(session_service_pb2.SessionRunRequest(), timeout=120))
  assert code == "UNIMPLEMENTED"


def test_bytes_that_are_no_message(server, tools):
  call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
  found = tools.refused(lambda: call(b"\xff\xff\xff", timeout=120))
  assert found == ("INTERNAL", "Exception deserializing request!")


def test_a_compressed_call(server, tools):
  channel = grpc.insecure_channel(f"127.0.0.1:{server.port}", compression=grpc.Compression.Gzip)
  with channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(tools.predict_request("half_plus", {"x": [[1.0]] * 500}), timeout=120)
  assert response.outputs["y"].float_val == [3.5] * 500


def test_a_long_message_is_cut_over_grpc_only(server, tools):
  name = "n" * 3000
  code, details = tools.refused(lambda: server.predict("half_plus", X, signature=name))
  assert code == "FAILED_PRECONDITION"
  assert details == f'Serving signature key "{name}'[:1024] + "...TRUNCATED"
  body = {"signature_name": name, "instances": [1.0]}
  status, answer = server.post("/v1/models/half_plus:predict", body)
  assert status == 400
  assert name in answer["error"]
