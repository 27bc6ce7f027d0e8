"""TLS for both protocols, with certificates made here and servers that may ask for the client's."""

import datetime
import ipaddress
import ssl

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dlpipe_client import Retry, Tls, Unavailable, connect

_USAGES = (
  "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
  "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
_CA_USAGES = ("key_cert_sign", "crl_sign")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
  """A folder with ca.pem, and a certificate and key signed by it for `server` and `client`."""
  folder = tmp_path_factory.mktemp("certificates")
  ca_key = ec.generate_private_key(ec.SECP256R1())
  ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
  _write(folder, "ca", ca_key, _sign(ca_name, ca_key, ca_name, ca_key, is_ca=True))
  for name in ("server", "client"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    _write(folder, name, key, _sign(subject, key, ca_name, ca_key, is_ca=False))
  return folder


def _sign(subject, key, issuer, issuer_key, *, is_ca):
  now = datetime.datetime.now(datetime.timezone.utc)
  names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
  usages = dict.fromkeys(_USAGES, False) | dict.fromkeys(_CA_USAGES if is_ca else _USAGES[:1], True)
  # Since Python 3.13 a client holds certificates to all of RFC 5280.
  return (
    x509.CertificateBuilder()
    .subject_name(subject)
    .issuer_name(issuer)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - datetime.timedelta(minutes=5))
    .not_valid_after(now + datetime.timedelta(hours=1))
    .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    .add_extension(x509.KeyUsage(**usages), critical=True)
    .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    .add_extension(
      x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
    )
    .add_extension(x509.SubjectAlternativeName(names), critical=False)
    .sign(issuer_key, hashes.SHA256())
  )


def _write(folder, name, key, certificate):
  pem = serialization.Encoding.PEM
  (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
  (folder / f"{name}.key").write_bytes(
    key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
  )


def _tls(folder, *, with_client):
  return Tls(
    ca_path=folder / "ca.pem",
    cert_path=folder / "client.pem" if with_client else None,
    key_path=folder / "client.key" if with_client else None,
  )


@pytest.fixture(scope="module", params=["https", "grpcs"])
def endpoints(request, certificates, serve_grpc, serve_http):
  """Two servers of one protocol: one that takes any client, one that asks for a certificate."""
  found = []
  for asks in (False, True):
    if request.param == "https":
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
      if asks:
        context.load_verify_locations(certificates / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
      port = serve_http(context).server_port
    else:
      pairs = [[(certificates / f"server.{end}").read_bytes() for end in ("key", "pem")]]
      root = (certificates / "ca.pem").read_bytes() if asks else None
      port = serve_grpc(grpc.ssl_server_credentials(pairs, root, asks))
    found.append(f"{request.param}://127.0.0.1:{port}")
  return found


def test_a_server_with_the_right_certificate(model, endpoints, certificates):
  with connect(endpoints[0], "m", tls=_tls(certificates, with_client=False)) as client:
    assert client.predict([4])["half"].tolist() == [2]


def test_a_client_with_a_certificate(model, endpoints, certificates):
  with connect(endpoints[1], "m", tls=_tls(certificates, with_client=True)) as client:
    assert client.predict([4])["half"].tolist() == [2]


def test_a_client_without_the_certificate_that_is_asked_for(model, endpoints, certificates):
  once = Retry(attempts=1)
  tls = _tls(certificates, with_client=False)
  with connect(endpoints[1], "m", tls=tls, retry=once) as client, pytest.raises(Unavailable):
    client.predict([4])
  assert model.specs == []


def test_a_server_that_nobody_vouches_for(model, endpoints):
  with connect(endpoints[0], "m", retry=Retry(attempts=1)) as client, pytest.raises(Unavailable):
    client.predict([4])
  assert model.specs == []
