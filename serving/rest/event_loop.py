"""One thread waits for sockets and does what they ask for; one that is held up is relieved.

What is short is done by the thread that waits, as handing it to another costs as much as reading a
small request. Where something takes longer than `_PATIENCE_S`, its thread stays with it, and a new
one waits from then on: nobody else is kept waiting for more than twice that time.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_PATIENCE_S = 0.02
# Of nothing to do, after which nobody looks for threads that are held up, until there is.
_REST_S = 1.0


class _Turn:
  """One thread's time as the one that waits.

  Attributes:
    busy_since: when it began with what it is at; 0 while it waits.
  """

  __slots__ = ("busy_since",)

  def __init__(self) -> None:
    self.busy_since = 0.0


class EventLoop:
  """Watches sockets. Any thread may call its methods; its callbacks are in a thread of its own.

  A callback may come once too often, and in two threads at once, where one was just relieved.
  """

  def __init__(self, name: str, on_wait: Callable[[], float | None]):
    """Args: the threads' name; called before each wait, returns how long that may take at most."""
    self._name = name
    self._on_wait = on_wait
    self._selector = selectors.DefaultSelector()
    self._ear, self._mouth = socket.socketpair()
    self._turn = _Turn()
    self._thread = threading.Thread()
    self._is_stopped = False
    self._rests = False
    self._began = threading.Event()
    self._held_up: set[_Turn] = set()

  @property
  def held_up(self) -> int:
    """How many threads are still with what they were relieved of waiting for."""
    return len(self._held_up)

  def start(self) -> None:
    """Begins to watch."""
    self._selector.register(self._ear, READ, lambda _: None)
    self._begin_turn()
    threading.Thread(target=self._relieve, name=f"{self._name} relief", daemon=True).start()

  def stop(self) -> None:
    """Stops watching, and returns when no callback will come any more."""
    self._is_stopped = True
    self._began.set()
    self._mouth.send(b"\0")
    self._thread.join()
    self._selector.close()
    self._ear.close()
    self._mouth.close()

  def watch(self, sock: socket.socket, events: int, callback: Callable[[int], None]) -> None:
    """Calls back with the events that happened, again and again while they last; 0 forgets it."""
    is_known = sock in self._selector.get_map()
    if not events:
      if is_known:
        self._selector.unregister(sock)
    elif is_known:
      self._selector.modify(sock, events, callback)
    else:
      self._selector.register(sock, events, callback)

  def _begin_turn(self) -> None:
    self._turn = _Turn()
    self._thread = threading.Thread(
      target=self._run, args=(self._turn,), name=f"{self._name} loop", daemon=True
    )
    self._thread.start()

  def _run(self, turn: _Turn) -> None:
    while turn is self._turn and not self._is_stopped:
      for key, events in self._selector.select(self._on_wait()):
        turn.busy_since = time.monotonic()
        if self._rests:
          self._rests = False
          self._began.set()
        try:
          key.data(events)
        except Exception:
          _LOG.exception("A connection failed")
          self.watch(key.fileobj, 0, key.data)  # type: ignore[arg-type]
        if turn is not self._turn:
          self._held_up.discard(turn)
          return
      turn.busy_since = 0.0
    self._held_up.discard(turn)

  def _relieve(self) -> None:
    """Starts a new thread where the one that waits is held up."""
    idle_since = time.monotonic()
    while not self._is_stopped:
      time.sleep(_PATIENCE_S)
      now, since = time.monotonic(), self._turn.busy_since
      if since:
        idle_since = now
        if now - since > _PATIENCE_S:
          self._held_up.add(self._turn)
          self._begin_turn()
      elif now - idle_since > _REST_S:
        self._began.clear()
        self._rests = True
        if not self._turn.busy_since and not self._is_stopped:
          self._began.wait()
        idle_since = time.monotonic()
