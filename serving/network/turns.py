"""Threads that take turns at waiting for the network, and what they answer without handing it on.

One thread at a time waits and does what arrives. A short request is answered by the thread that
waits, because handing it to another thread costs as much as reading a small request. If a request
takes longer than `_PATIENCE_S`, its thread stays with it and a new thread waits from then on, so
no other request is kept waiting for more than twice that time. `Durations` knows which requests are
short.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

_PATIENCE_S = 0.02
# After this time without work, nobody looks for threads that are held up until there is work again.
_REST_S = 1.0

_SHORT_S = 0.001
_SHORT_BYTES = 64 << 10
# A request that is slower than this counts at once; a shorter delay may be the machine's.
_LONG_S = 0.02
_RISE, _FALL = 1.2, 0.9
_MOST_KINDS = 1000


class Durations:
  """How long requests of a kind are expected to take, learnt from those before.

  The protocol decides what a kind is. Threads may use it side by side.
  """

  def __init__(self) -> None:
    """Starts without an expectation for any kind."""
    self._seconds: dict[Hashable, float] = {}

  def is_short(self, kind: Hashable, size: int) -> bool:
    """Returns whether it takes less time to answer `size` bytes than to hand them to a thread."""
    return size < _SHORT_BYTES and self._seconds.get(kind, _SHORT_S) < _SHORT_S

  def learn(self, kind: Hashable, seconds: float) -> None:
    """Takes note of how long a request took."""
    expected = self._seconds.get(kind)
    if expected is None:
      if len(self._seconds) >= _MOST_KINDS:
        self._seconds.clear()
      expected = seconds
    elif seconds > _LONG_S:
      expected = max(expected, seconds)
    else:
      expected *= _RISE if seconds > expected else _FALL
    self._seconds[kind] = expected


class Turn:
  """The time in which one thread is the one that waits.

  Attributes:
    busy_since: when the thread began its current work; 0 while it waits.
  """

  __slots__ = ("busy_since",)

  def __init__(self) -> None:
    self.busy_since = 0.0


class Turns:
  """Threads that take turns."""

  def __init__(self, name: str, wait: Callable[[Turn], None]):
    """Starts no thread yet.

    Args:
      name: what the threads are called.
      wait: the loop of a thread; it returns when `has_ended` is true for its turn.
    """
    self._name = name
    self._wait = wait
    self._current = Turn()
    self._thread = threading.Thread()
    self._is_stopped = False
    self._rests = False
    self._began = threading.Event()
    self._held_up: set[Turn] = set()

  @property
  def held_up(self) -> int:
    """How many threads were relieved of waiting and are still busy."""
    return len(self._held_up)

  def start(self) -> None:
    """Begins the first turn."""
    self._start_turn()
    threading.Thread(target=self._relieve, name=f"{self._name} relief", daemon=True).start()

  def stop(self) -> None:
    """Ends the last turn. The caller then wakes the waiting thread and calls `join`."""
    self._is_stopped = True
    self._began.set()

  def join(self) -> None:
    """Returns when the last turn's thread has ended."""
    self._thread.join()

  def has_ended(self, turn: Turn) -> bool:
    """Returns whether a thread must leave, because another one waits or the turns were stopped."""
    return turn is not self._current or self._is_stopped

  def begin(self, turn: Turn) -> None:
    """Marks the waiting thread as busy."""
    turn.busy_since = time.monotonic()
    if self._rests:
      self._rests = False
      self._began.set()

  def end(self, turn: Turn) -> None:
    """Marks the thread as waiting again."""
    turn.busy_since = 0.0

  def _start_turn(self) -> None:
    self._current = turn = Turn()
    self._thread = threading.Thread(
      target=self._take, args=(turn,), name=f"{self._name} loop", daemon=True
    )
    self._thread.start()

  def _take(self, turn: Turn) -> None:
    self._wait(turn)
    self._held_up.discard(turn)

  def _relieve(self) -> None:
    """Starts a new thread if the one that waits is held up."""
    idle_since = time.monotonic()
    while not self._is_stopped:
      time.sleep(_PATIENCE_S)
      now, since = time.monotonic(), self._current.busy_since
      if since:
        idle_since = now
        if now - since > _PATIENCE_S:
          self._held_up.add(self._current)
          self._start_turn()
      elif now - idle_since > _REST_S:
        self._began.clear()
        self._rests = True
        if not self._current.busy_since and not self._is_stopped:
          self._began.wait()
        idle_since = time.monotonic()
