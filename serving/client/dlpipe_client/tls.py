"""How to reach a server that speaks TLS."""

from __future__ import annotations

import dataclasses
import pathlib
import ssl

import grpc

from dlpipe_client.errors import InvalidInput


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tls:
  """Certificates, as PEM files.

  >>> client = connect("https://models.example", "images", tls=Tls())  # whom the system trusts
  >>> Tls(ca_path="our-ca.pem")
  Traceback (most recent call last):
  dlpipe_client.errors.InvalidInput: `ca_path` must be a PEM file. Received: 'our-ca.pem'.

  Attributes:
    ca_path: who may have signed the server's certificate; None trusts whom the system trusts.
    cert_path: the client's own certificate, where the server asks for one.
    key_path: the key to it.
  """

  ca_path: str | pathlib.Path | None = None
  cert_path: str | pathlib.Path | None = None
  key_path: str | pathlib.Path | None = None

  def __post_init__(self) -> None:
    if (self.cert_path is None) != (self.key_path is None):
      raise InvalidInput("A client certificate needs both `cert_path` and `key_path`.")
    for name in ("ca_path", "cert_path", "key_path"):
      path = getattr(self, name)
      if path is not None and not pathlib.Path(path).is_file():
        raise InvalidInput(f"`{name}` must be a PEM file. Received: {str(path)!r}.")

  def ssl_context(self) -> ssl.SSLContext:
    """Returns the settings for HTTP.

    Raises:
      InvalidInput: a file holds no such thing.
    """
    try:
      context = ssl.create_default_context(cafile=self.ca_path)
      if self.cert_path is not None:
        context.load_cert_chain(self.cert_path, self.key_path)
    except ssl.SSLError as err:
      raise InvalidInput(f"The certificates cannot be used: {err}") from err
    return context

  def channel_credentials(self) -> grpc.ChannelCredentials:
    """Returns the settings for gRPC."""
    return grpc.ssl_channel_credentials(
      root_certificates=_read(self.ca_path),
      private_key=_read(self.key_path),
      certificate_chain=_read(self.cert_path),
    )


def _read(path: str | pathlib.Path | None) -> bytes | None:
  return None if path is None else pathlib.Path(path).read_bytes()
