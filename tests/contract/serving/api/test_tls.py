"""TLS and mutual TLS over gRPC and REST."""

import contextlib
import http.client
import json
import ssl
import subprocess

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import prediction_service_pb2_grpc

from dlpipe_client import connect
from dlpipe_client.tls import Tls
from serving.errors import InvalidArgument

X = {"x": [[2.0]]}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
  """A certificate authority, and a key and a certificate that it signed; PEM texts."""
  folder = tmp_path_factory.mktemp("certificates")

  def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

  key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
  # Since Python 3.13 a client holds certificates to all of RFC 5280.
  usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
  openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", *usage)
  openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
  names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n"
  (folder / "names").write_text(names)
  authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
  openssl("x509", "-req", "-in", "server.csr", *authority, "-out", "server.pem")
  return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def ssl_config(certificates, tmp_path):
  """Returns a function that writes an SSLConfig and returns its path."""

  def write(*, is_mutual):
    texts = {"server_key": "server.key", "server_cert": "server.pem", "custom_ca": "ca.pem"}
    config = "".join(f"{k}: {json.dumps(certificates[v])}\n" for k, v in texts.items())
    (tmp_path / "ssl").write_text(config + f"client_verify: {str(is_mutual).lower()}\n")
    for name, text in certificates.items():
      (tmp_path / name).write_text(text)
    return tmp_path / "ssl"

  return write


@pytest.mark.parametrize("is_mutual", [False, True])
def test_tls(start, tools, models, certificates, ssl_config, is_mutual):
  server = start(
    "--model_name=m",
    f"--model_base_path={models / 'half_plus'}",
    f"--ssl_config_file={ssl_config(is_mutual=is_mutual)}",
    *(["--rest_api_port=0"] if is_mutual else []),
  )

  def ask(**client):
    credentials = grpc.ssl_channel_credentials(certificates["ca.pem"].encode(), **client)
    with grpc.secure_channel(f"localhost:{server.port}", credentials) as channel:
      stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
      return stub.Predict(tools.predict_request("m", X), timeout=120).outputs["y"].float_val[0]

  pair = {
    "private_key": certificates["server.key"].encode(),
    "certificate_chain": certificates["server.pem"].encode(),
  }
  if is_mutual:
    assert tools.refused(ask)[0] == "UNAVAILABLE"
    assert ask(**pair) == 4.0
  else:
    assert ask() == 4.0
    assert tools.refused(lambda: server.predict("m", X, timeout_s=300))[0] == "UNAVAILABLE"


def _https(server, folder, *, certificate=False, version=None):
  """A connection that trusts the authority, with or without a certificate of its own."""
  context = ssl.create_default_context(cafile=folder / "ca.pem")
  if certificate:
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
  if version is not None:
    context.minimum_version = context.maximum_version = version
  return http.client.HTTPSConnection("localhost", server.rest_port, timeout=120, context=context)


def _status(connection):
  connection.request("GET", "/v1/models/m")
  return connection.getresponse().status


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("is_mutual", [False, True])
def test_rest_over_tls(start, models, ssl_config, tmp_path, is_mutual, version):
  config = ssl_config(is_mutual=is_mutual)
  server = start(
    "--model_name=m",
    f"--model_base_path={models / 'half_plus'}",
    f"--ssl_config_file={config}",
    f"--rest_ssl_config_file={config}",
  )
  connection = _https(server, tmp_path, certificate=is_mutual, version=version)
  # A long request and a long answer, and several on one connection.
  for rows in (1, 200_000, 1):
    body = json.dumps({"instances": [2.0] * rows})
    connection.request("POST", "/v1/models/m:predict", body)
    answer = json.loads(connection.getresponse().read())
    assert answer["predictions"] == [4.0] * rows
  connection.close()
  with pytest.raises((http.client.HTTPException, OSError)):
    server.http("GET", "/v1/models/m")  # not in plain text
  if is_mutual:
    with (
      contextlib.closing(_https(server, tmp_path, version=version)) as stranger,
      # In TLS 1.3 a client learns only from its first answer that it is not let in.
      pytest.raises((ssl.SSLError, ConnectionError)),
    ):
      _status(stranger)
  tls = Tls(
    ca_path=tmp_path / "ca.pem",
    **(
      {"cert_path": tmp_path / "server.pem", "key_path": tmp_path / "server.key"}
      if is_mutual
      else {}
    ),
  )
  with connect(f"https://localhost:{server.rest_port}", "m", tls=tls) as client:
    assert client.predict({"x": np.float32([[2.0]])})["y"].tolist() == [[4.0]]


def test_a_rest_port_that_would_be_open_beside_mutual_tls_is_not_opened(
  start, models, ssl_config, tmp_path
):
  flags = [
    "--model_name=m",
    f"--model_base_path={models / 'half_plus'}",
    f"--ssl_config_file={ssl_config(is_mutual=True)}",
  ]
  with pytest.raises(InvalidArgument, match="Add --rest_ssl_config_file=") as refused:
    start(*flags)
  assert "--rest_api_port=0" in str(refused.value)
  (tmp_path / "tokens").write_text("one")
  server = start(*flags, f"--auth_tokens_file={tmp_path / 'tokens'}")
  assert server.http("GET", "/v1/models/m")[0] == 401
