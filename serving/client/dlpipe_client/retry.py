"""Deadlines, and when a call is tried again."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from typing import TypeVar

from dlpipe_client.errors import DeadlineExceeded, NotFound, Unavailable

_T = TypeVar("_T")


class Deadline:
  """A point in time, counted from now."""

  def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic):
    """Ends in `timeout_s` seconds; `clock` returns the current time in seconds."""
    self.timeout_s = timeout_s
    self._clock = clock
    self._at = clock() + timeout_s

  def remaining_s(self) -> float:
    """Returns the seconds left.

    Raises:
      DeadlineExceeded: none are.
    """
    left = self._at - self._clock()
    if left <= 0:
      raise DeadlineExceeded(f"No answer within {self.timeout_s:g} s.")
    return left


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retry:
  """When a call is tried again: after UNAVAILABLE, and once after NOT_FOUND.

  NOT_FOUND may be one version leaving as another arrives. Waiting grows exponentially, and is a
  random part of that, so that many clients do not come back together. Each method here only
  reads, so a call that may have reached the server is tried again as well.

  >>> never_again = Retry(attempts=1)
  >>> client = connect("http://127.0.0.1:8501", "images", retry=never_again)

  Attributes:
    attempts: calls at most; 1 never tries again.
    first_delay_s: the longest wait before the second call.
    max_delay_s: the longest wait before any call.
    sleep: waits for so many seconds.
    jitter: a random number in [0, 1).
  """

  attempts: int = 4
  first_delay_s: float = 0.1
  max_delay_s: float = 2.0
  sleep: Callable[[float], None] = time.sleep
  jitter: Callable[[], float] = random.random

  def __post_init__(self) -> None:
    if self.attempts < 1:
      raise ValueError(f"`attempts` must be at least 1. Received: attempts={self.attempts!r}")

  def call(
    self, function: Callable[[float], _T], deadline: Deadline, *, retry_not_found: bool = True
  ) -> _T:
    """Calls `function` with the seconds that are left, until it returns.

    Raises:
      DeadlineExceeded: the time is over.
      ServingClientError: what the last call raised.
    """
    attempt, not_found = 0, 0
    while True:
      attempt += 1
      try:
        return function(deadline.remaining_s())
      except Unavailable as err:
        failure: Exception = err
      except NotFound as err:
        not_found += 1
        if not retry_not_found or not_found > 1:
          raise
        failure = err
      if attempt == self.attempts:
        raise failure
      delay_s = self.jitter() * min(self.max_delay_s, self.first_delay_s * 2 ** (attempt - 1))
      try:
        left_s = deadline.remaining_s()
      except DeadlineExceeded as err:
        raise err from failure
      if delay_s >= left_s:
        raise failure  # what happened says more than that there is no time to try again
      self.sleep(delay_s)
