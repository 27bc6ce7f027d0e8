"""What the operating system lets the server have: the ports asked for, and connections."""

from __future__ import annotations

import logging
import resource
import socket

from serving.errors import Unavailable

_LOG = logging.getLogger(__name__)
# The server asks for no more descriptors than this, even if the system would give more.
_ENOUGH = 1 << 16
# Descriptors for models, logs and what TensorFlow opens.
_OTHERS = 256
_FEWEST = 16


def require_free(host: str, port: int) -> None:
  """Refuses a port that another process listens on, before a model is loaded for it.

  The port may be taken between this call and the server's own attempt, which then says so.

  Args:
    host: the address to listen on; empty for all.
    port: its number; 0 for none.

  Raises:
    Unavailable: the server cannot listen there.
  """
  if not port:
    return
  shown = f"[{host}]" if ":" in host else host
  try:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
  except OSError:  # a name that only gRPC resolves
    return
  family, kind, protocol, _, address = found[0]
  with socket.socket(family, kind, protocol) as probe:
    # As servers do: a port that was in use a moment ago is free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
      probe.bind(address)
      probe.listen(1)
    except OSError as err:
      raise Unavailable(
        f"Cannot listen on {shown}:{port} (is another server using it?): {err.strerror or err}"
      ) from err


def connection_share() -> int:
  """Returns how many connections a protocol may have, so that both have enough descriptors.

  Raises the process's soft limit as far as the hard limit allows.
  """
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  most = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
  if soft != resource.RLIM_INFINITY and soft < most:
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft = most
  available = _ENOUGH if soft == resource.RLIM_INFINITY else min(soft, _ENOUGH)
  return max(_FEWEST, (available - _OTHERS) // 2)


def connections_that_fit(wanted: int) -> int:
  """Returns `wanted`, or fewer connections if descriptors are few; 0 means no limit, and stays."""
  share = connection_share()
  if wanted <= share:
    return wanted
  _LOG.warning(
    "%d REST connections instead of %d (--max_connections): there are no descriptors for more.",
    share,
    wanted,
  )
  return share
