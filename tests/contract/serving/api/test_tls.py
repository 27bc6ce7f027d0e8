"""TLS and mutual TLS over gRPC."""

import json
import shutil
import subprocess

import grpc
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

X = {"x": [[2.0]]}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
  """A certificate authority, and a key and a certificate that it signed; PEM texts."""
  folder = tmp_path_factory.mktemp("certificates")

  def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

  key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
  openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test")
  openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
  (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
  authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
  openssl("x509", "-req", "-in", "server.csr", *authority, "-out", "server.pem")
  return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("is_mutual", [False, True])
def test_tls(start, tools, models, certificates, tmp_path, is_mutual):
  if shutil.which("openssl") is None:
    pytest.skip("needs openssl")
  texts = {"server_key": "server.key", "server_cert": "server.pem", "custom_ca": "ca.pem"}
  config = "".join(f"{k}: {json.dumps(certificates[v])}\n" for k, v in texts.items())
  (tmp_path / "ssl").write_text(config + f"client_verify: {str(is_mutual).lower()}\n")
  server = start(
    "--model_name=m",
    f"--model_base_path={models / 'half_plus'}",
    f"--ssl_config_file={tmp_path / 'ssl'}",
  )

  def ask(**client):
    credentials = grpc.ssl_channel_credentials(certificates["ca.pem"].encode(), **client)
    with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
      stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
      return stub.Predict(tools.predict_request("m", X), timeout=5).outputs["y"].float_val[0]

  pair = {
    "private_key": certificates["server.key"].encode(),
    "certificate_chain": certificates["server.pem"].encode(),
  }
  if is_mutual:
    assert tools.refused(ask)[0] == "UNAVAILABLE"
    assert ask(**pair) == 4.0
  else:
    assert ask() == 4.0
    assert tools.refused(lambda: server.predict("m", X, timeout_s=2))[0] == "UNAVAILABLE"
