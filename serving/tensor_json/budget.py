"""Limits what reading a request costs: memory, steps and time, over all requests together.

With a Python object for each JSON value, a body of a few megabytes takes hundreds. So each reader
asks for the memory it will need before it makes anything, and reads on only if it gets it. Bodies
below `FREE_BYTES` ask for nothing, so that small requests cost nothing to count.
"""

from __future__ import annotations

import math
import threading
import time

from serving.errors import DeadlineExceeded, ResourceExhausted, TooLarge

FREE_BYTES = 256 << 10
# Steps of the exact reader; each takes about a microsecond.
_MOST_STEPS = 1_500_000
_STEPS_BETWEEN_LOOKS = 0xFFF
# TensorFlow's text for a run that it gives up.
_TOO_LATE = "Timed out waiting for notification"


class Pool:
  """Memory that requests share. A request that needs more than is left waits for the others.

  No request waits while it holds memory that others wait for: it takes all that it needs at once,
  except for an inflated body, and only one inflated body is read at a time.
  """

  def __init__(self, total: int = 0):
    """Starts with all memory free.

    Args:
      total: bytes; 0 means no limit.
    """
    self.total = total
    self.inflating = threading.Lock()
    self._used = 0
    self._changed = threading.Condition()

  def take(self, size: int, ends_at: float) -> None:
    """Takes `size` bytes, as soon as they are free.

    Raises:
      DeadlineExceeded: not before `ends_at`, which `time.monotonic` counts.
    """
    with self._changed:
      while self._used + size > self.total:
        left = ends_at - time.monotonic()
        if left <= 0:
          raise DeadlineExceeded(_TOO_LATE)
        self._changed.wait(min(left, threading.TIMEOUT_MAX))
      self._used += size

  def is_taken(self, size: int) -> bool:
    """Takes `size` bytes if they are free now; returns whether they were."""
    with self._changed:
      is_free = self._used + size <= self.total
      self._used += size if is_free else 0
      return is_free

  def give(self, size: int) -> None:
    """Gives back what was taken."""
    with self._changed:
      self._used -= size
      self._changed.notify_all()


_WITHOUT_LIMIT = Pool()


class Budget:
  """One request's share; a `with` block gives it back.

  >>> with Budget(Pool(1 << 30), ends_at=time.monotonic() + 30) as budget:
  ...   budget.read(3 << 20)
  """

  __slots__ = (
    "_content", "_ends_at", "_is_inflating", "_pool", "_steps", "_taken", "max_bytes",
  )  # fmt: skip

  def __init__(self, pool: Pool | None = None, *, max_bytes: int = 0, ends_at: float = math.inf):
    """Takes no memory yet.

    Args:
      pool: the memory to take from.
      max_bytes: the most bytes that a body may inflate to; 0 means no limit.
      ends_at: deadline on the clock of `time.monotonic`.
    """
    self.max_bytes = max_bytes
    self._pool = pool or _WITHOUT_LIMIT
    self._ends_at = ends_at
    self._content = self._taken = self._steps = 0
    self._is_inflating = False

  @property
  def holds_memory(self) -> bool:
    """Whether there is memory to give back."""
    return self._taken > 0 or self._is_inflating

  def inflate(self, size: int) -> None:
    """Asks for `size` bytes more of an inflated body.

    Raises:
      TooLarge: there are never so many.
      DeadlineExceeded: the request's time is over.
    """
    self._content += size
    if self._pool.total and self._content > FREE_BYTES and not self._is_inflating:
      left = min(max(self._ends_at - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
      if not self._pool.inflating.acquire(timeout=left):
        raise DeadlineExceeded(_TOO_LATE)
      self._is_inflating = True
    self.read(0)

  def read(self, size: int) -> None:
    """Asks for the memory of one way to read, in place of the memory of the way tried before.

    Raises:
      TooLarge: there is never so much.
      DeadlineExceeded: the request's time is over.
    """
    self.check()
    wanted = self._content + size
    if not self._pool.total or wanted <= FREE_BYTES:
      return
    self._refuse_beyond(wanted)
    if wanted < self._taken:
      self._shrink(wanted)
      return
    if not self._is_inflating:
      self._shrink(0)
    self._pool.take(wanted - self._taken, self._ends_at)
    self._taken = wanted

  def grow(self, size: int) -> None:
    """Asks for `size` bytes more; does not wait, because the bytes it holds keep others waiting.

    Raises:
      TooLarge: there are never so many.
      ResourceExhausted: there are not now.
      DeadlineExceeded: the request's time is over.
    """
    self.check()
    wanted = self._taken + size
    if not self._pool.total or wanted <= FREE_BYTES:
      return
    self._refuse_beyond(wanted)
    if not self._pool.is_taken(size):
      raise ResourceExhausted(
        "Other requests take the memory that this one needs. Try again later."
      )
    self._taken = wanted

  def keep(self, size: int) -> None:
    """Gives back all but `size` bytes, when the request is read."""
    self._content = 0
    self._shrink(size)
    if self._is_inflating:
      self._is_inflating = False
      self._pool.inflating.release()

  def check(self) -> None:
    """Stops work for a caller who no longer waits.

    Raises:
      DeadlineExceeded: the request's time is over.
    """
    if time.monotonic() > self._ends_at:
      raise DeadlineExceeded(_TOO_LATE)

  def step(self) -> None:
    """Counts one step of a loop in Python.

    Raises:
      TooLarge: there were too many steps, and memory has a limit.
      DeadlineExceeded: the request's time is over.
    """
    self._steps += 1
    if not self._steps & _STEPS_BETWEEN_LOOKS:
      self.check()
      if self._pool.total and self._steps > _MOST_STEPS:
        raise TooLarge(
          "Reading this request takes too long: it holds more values or escapes than can be looked "
          "at one by one. Send fewer at once, or use gRPC."
        )

  def _refuse_beyond(self, wanted: int) -> None:
    if wanted > self._pool.total:
      raise TooLarge(
        f"Reading this request takes more than {self._pool.total} bytes of memory, which is half "
        "of --max_bytes_in_flight. Send fewer values at once, or use gRPC."
      )

  def _shrink(self, size: int) -> None:
    if self._taken > size:
      self._pool.give(self._taken - size)
      self._taken = size

  def __enter__(self) -> Budget:
    self.check()
    return self

  def __exit__(self, *exc_info: object) -> None:
    if self.holds_memory:
      self.keep(0)
