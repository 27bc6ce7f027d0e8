"""The endpoint's scheme decides which client it is."""

import pytest

from dlpipe_client import GrpcClient, InvalidInput, RestClient, Tls, connect


@pytest.mark.parametrize(
  ("endpoint", "kind"),
  [
    ("http://a:8501", RestClient),
    ("https://a", RestClient),
    ("grpc://a:8500", GrpcClient),
    ("grpcs://a:8500/", GrpcClient),
    ("unix:/run/model.sock", GrpcClient),
  ],
)
def test_schemes(endpoint, kind):
  with connect(endpoint, "m") as client:
    assert type(client) is kind


@pytest.mark.parametrize("endpoint", ["", "a:8500", "ftp://a", "grpc://"])
def test_endpoints_that_are_none(endpoint):
  with pytest.raises(InvalidInput, match="Expected "):
    connect(endpoint, "m")


def test_certificates_need_a_scheme_with_tls(tmp_path):
  for endpoint in ("grpc://a:1", "http://a:1", "unix:/a"):
    with pytest.raises(InvalidInput, match="Certificates need"):
      connect(endpoint, "m", tls=Tls())
  with pytest.raises(InvalidInput, match="needs both `cert_path` and `key_path`"):
    Tls(cert_path=tmp_path)
  with pytest.raises(InvalidInput, match="`ca_path` must be a PEM file"):
    Tls(ca_path=tmp_path / "none.pem")
  (tmp_path / "bad.pem").write_text("no certificate")
  with pytest.raises(InvalidInput, match="The certificates cannot be used"):
    connect("https://a", "m", tls=Tls(ca_path=tmp_path / "bad.pem"))
