"""One thread at a time waits for the network and does what it asks for; one held up is relieved.

What is short is done by the thread that waits, as handing it to another costs as much as reading a
small request. Where something takes longer than `_PATIENCE_S`, its thread stays with it, and a new
one waits from then on: nobody else is kept waiting for more than twice that time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PATIENCE_S = 0.02
# Of nothing to do, after which nobody looks for threads that are held up, until there is.
_REST_S = 1.0


class Turn:
  """One thread's time as the one that waits.

  Attributes:
    busy_since: when it began with what it is at; 0 while it waits.
  """

  __slots__ = ("busy_since",)

  def __init__(self) -> None:
    self.busy_since = 0.0


class Turns:
  """Threads that take turns."""

  def __init__(self, name: str, wait: Callable[[Turn], None]):
    """Args: the threads' name; what they run, until `has_ended` says so of their turn."""
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
    """How many threads are still with what they were relieved of waiting for."""
    return len(self._held_up)

  def start(self) -> None:
    """Begins the first turn."""
    self._start_turn()
    threading.Thread(target=self._relieve, name=f"{self._name} relief", daemon=True).start()

  def stop(self) -> None:
    """Ends the last turn; who calls it wakes its thread, and then joins it."""
    self._is_stopped = True
    self._began.set()

  def join(self) -> None:
    """Returns when the last turn's thread has ended."""
    self._thread.join()

  def has_ended(self, turn: Turn) -> bool:
    """Whether a thread is to leave, as another waits or none is to."""
    return turn is not self._current or self._is_stopped

  def begin(self, turn: Turn) -> None:
    """A thread that has waited begins to do something."""
    turn.busy_since = time.monotonic()
    if self._rests:
      self._rests = False
      self._began.set()

  def end(self, turn: Turn) -> None:
    """It is done, and waits again."""
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
    """Starts a new thread where the one that waits is held up."""
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
