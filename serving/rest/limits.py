"""Limits of the HTTP port: sizes, times, connections, and memory for all callers."""

from __future__ import annotations

import dataclasses
import threading


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
  """The limits that flags set; 0 means no limit.

  Attributes:
    max_request_bytes: size of a body, as sent and as inflated.
    max_bytes_in_flight: memory for all requests, half for bodies and half for what is read of them.
    max_connections: connections at a time.
    header_timeout_s: seconds for the headers of a request, from its first byte.
    body_timeout_s: seconds for its body, in addition to the time at `SLOWEST_RATE`; the same for
      reading the answer.
    idle_timeout_s: seconds between two requests.
  """

  max_request_bytes: int = 0
  max_bytes_in_flight: int = 0
  max_connections: int = 0
  header_timeout_s: float = 0.0
  body_timeout_s: float = 0.0
  idle_timeout_s: float = 0.0


# Bytes a second that a caller must send and receive on average after its timeout.
SLOWEST_RATE = 4 << 10
# The largest first line and headers together, and the largest path and query.
MAX_HEADER_BYTES = 32 << 10
MAX_TARGET_BYTES = 8 << 10
MAX_HEADERS = 256
# Chunk sizes, extensions and trailers may take this much and a sixteenth of the body.
MAX_FRAMING_BYTES = 64 << 10
# A body below this size does not count among the bytes in flight: small requests get in.
FREE_BODY_BYTES = 64 << 10
# After a refusal the server reads on for so long and so much, so that the caller sees the reason.
LINGER_S = 5.0
LINGER_BYTES = 1 << 30


class BytesInFlight:
  """Bytes of bodies that are being received or answered."""

  def __init__(self, total: int):
    """Counts nothing yet.

    Args:
      total: the most bytes; 0 means no limit.
    """
    self._total = total
    self._used = 0
    self._lock = threading.Lock()

  def take(self, size: int, *, to_come: int = 0) -> bool:
    """Counts `size` bytes more; returns False if they and the `to_come` bytes are too many.

    Announced bytes are not counted: a caller who only announces much takes nothing from others.
    """
    with self._lock:
      if 0 < self._total < self._used + size + to_come:
        return False
      self._used += size
      return True

  def give(self, size: int) -> None:
    """Counts `size` bytes less."""
    with self._lock:
      self._used -= size
