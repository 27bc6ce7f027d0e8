"""What the HTTP port takes from its callers: sizes, times, connections, memory for all of them."""

from __future__ import annotations

import dataclasses
import threading


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
  """0 is no limit.

  Attributes:
    max_request_bytes: of a body, as it is sent and as it is inflated.
    max_bytes_in_flight: of all requests, half for bodies and half for what is read from them.
    max_connections: at a time.
    header_timeout_s: for the headers of a request, from its first byte.
    body_timeout_s: for its body, beside the time that it takes at `SLOWEST_RATE`; and for reading
      the answer.
    idle_timeout_s: between two requests.
  """

  max_request_bytes: int = 0
  max_bytes_in_flight: int = 0
  max_connections: int = 0
  header_timeout_s: float = 0.0
  body_timeout_s: float = 0.0
  idle_timeout_s: float = 0.0


# Bytes a second that a caller must send and take on average, once its time is over.
SLOWEST_RATE = 4 << 10
# Of a request's first line and headers together, and of its path and query.
MAX_HEADER_BYTES = 32 << 10
MAX_TARGET_BYTES = 8 << 10
MAX_HEADERS = 256
# Of chunk sizes, chunk extensions and trailers, beside a sixteenth of the body.
MAX_FRAMING_BYTES = 64 << 10
# Of a body, below which it is not counted among the bytes in flight: who sends little gets in.
FREE_BODY_BYTES = 64 << 10
# After a refusal: how long, and how much of what the caller still sends is read, for it to see why.
LINGER_S = 5.0
LINGER_BYTES = 1 << 30


class BytesInFlight:
  """Bytes of bodies that are being received or answered."""

  def __init__(self, total: int):
    """Args: how many there may be; 0 is no limit."""
    self._total = total
    self._used = 0
    self._lock = threading.Lock()

  def take(self, size: int, *, to_come: int = 0) -> bool:
    """Counts `size` bytes more; False where they, or those that are to come behind, are too many.

    What is to come is not counted: who only announces much takes nothing from others.
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
