"""Certificates of the HTTP port; that it speaks TLS is shown by the contract tests."""

import json
import ssl
import subprocess

import pytest

from serving.errors import InvalidArgument, NotFound
from serving.network.tls import http_context


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
  """Two pairs of a key and a certificate, and a key with a password; PEM texts."""
  folder = tmp_path_factory.mktemp("pems")
  key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
  for name, protection in {"a": ["-nodes"], "b": ["-nodes"], "c": ["-passout", "pass:x"]}.items():
    files = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", "/CN=test"]
    command = ["openssl", "req", "-x509", *key, *protection, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
  return {path.name: path.read_text() for path in folder.iterdir()}


def written(folder, **fields):
  path = folder / "ssl"
  path.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items()))
  return str(path)


def test_what_clients_must_bring(pems, tmp_path):
  pair = {"server_key": pems["a.key"], "server_cert": pems["a.pem"], "custom_ca": pems["b.pem"]}
  context = http_context(written(tmp_path, **pair))
  assert context.verify_mode == ssl.CERT_NONE
  assert context.minimum_version == ssl.TLSVersion.TLSv1_2
  context = http_context(written(tmp_path, **pair, client_verify=True))
  assert context.verify_mode == ssl.CERT_REQUIRED
  assert len(context.get_ca_certs()) == 1


def test_what_cannot_be_used_is_refused(pems, tmp_path):
  pair = {"server_key": pems["a.key"], "server_cert": pems["a.pem"]}
  for wrong in (
    pair | {"server_key": pems["b.key"]},
    pair | {"server_key": "no key"},
    pair | {"server_key": pems["c.key"], "server_cert": pems["c.pem"]},
    pair | {"custom_ca": "no certificate"},
  ):
    with pytest.raises(InvalidArgument, match="PEM texts and a pair"):
      http_context(written(tmp_path, **wrong))
  with pytest.raises(InvalidArgument, match="needs server_key and server_cert"):
    http_context(written(tmp_path, server_key=pems["a.key"]))
  with pytest.raises(InvalidArgument, match="asks for client_verify and has no custom_ca"):
    http_context(written(tmp_path, **pair, client_verify=True))
  with pytest.raises(NotFound):
    http_context(str(tmp_path / "none"))
