"""Whether the ports that are asked for can be had, before a model is loaded for them."""

from __future__ import annotations

import socket

from serving.errors import Unavailable


def require_free(host: str, port: int) -> None:
  """Refuses a port that another process listens on.

  It may be taken between this and the server's own attempt, which then says so.

  Args:
    host: the address to listen on; empty for all.
    port: its number; 0 for none.

  Raises:
    Unavailable: it cannot be listened on.
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
