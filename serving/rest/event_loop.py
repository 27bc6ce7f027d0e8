"""Watches sockets for the HTTP server, from threads that take turns."""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Callable

from serving.network.tls import AnySocket
from serving.network.turns import Turn, Turns

_LOG = logging.getLogger(__name__)
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class EventLoop:
  """Watches sockets. Any thread may call its methods; its callbacks are in a thread of its own.

  A callback may come once too often, and in two threads at once, where one was just relieved.
  """

  def __init__(self, name: str, on_wait: Callable[[], float | None]):
    """Args: the threads' name; called before each wait, returns how long that may take at most."""
    self._on_wait = on_wait
    self._selector = selectors.DefaultSelector()
    self._ear, self._mouth = socket.socketpair()
    self._turns = Turns(name, self._run)

  @property
  def held_up(self) -> int:
    """How many threads are still with what they were relieved of waiting for."""
    return self._turns.held_up

  def start(self) -> None:
    """Begins to watch."""
    self._selector.register(self._ear, READ, lambda _: None)
    self._turns.start()

  def stop(self) -> None:
    """Stops watching, and returns when no callback will come any more."""
    self._turns.stop()
    self._mouth.send(b"\0")
    self._turns.join()
    self._selector.close()
    self._ear.close()
    self._mouth.close()

  def watch(self, sock: AnySocket, events: int, callback: Callable[[int], None]) -> None:
    """Calls back with the events that happened, again and again while they last; 0 forgets it."""
    is_known = sock in self._selector.get_map()
    if not events:
      if is_known:
        self._selector.unregister(sock)
    elif is_known:
      self._selector.modify(sock, events, callback)
    else:
      self._selector.register(sock, events, callback)

  def _run(self, turn: Turn) -> None:
    while not self._turns.has_ended(turn):
      for key, events in self._selector.select(self._on_wait()):
        self._turns.begin(turn)
        try:
          key.data(events)
        except Exception:
          _LOG.exception("A connection failed")
          self.watch(key.fileobj, 0, key.data)  # type: ignore[arg-type]
        if self._turns.has_ended(turn):
          return
      self._turns.end(turn)
