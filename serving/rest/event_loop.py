"""Watches sockets for the HTTP server, in threads that take turns."""

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
  """Watches sockets. Any thread may call its methods; callbacks come in separate threads.

  A callback may come once too often, and in two threads at once if one was just relieved.
  """

  def __init__(self, name: str, on_wait: Callable[[], float | None]):
    """Starts no thread yet.

    Args:
      name: what the threads are called.
      on_wait: called before each wait; returns the most seconds to wait, None for no limit.
    """
    self._on_wait = on_wait
    self._selector = selectors.DefaultSelector()
    self._ear, self._mouth = socket.socketpair()
    self._turns = Turns(name, self._run)

  @property
  def held_up(self) -> int:
    """How many threads were relieved of waiting and are still busy."""
    return self._turns.held_up

  def start(self) -> None:
    """Begins to watch."""
    self._selector.register(self._ear, READ, lambda _: None)
    self._turns.start()

  def stop(self) -> None:
    """Stops watching; returns when no more callback can come."""
    self._turns.stop()
    self._mouth.send(b"\0")
    self._turns.join()

  def close(self) -> None:
    """Closes what was opened to watch; nothing watches any more, or ever did."""
    self._selector.close()
    self._ear.close()
    self._mouth.close()

  def watch(self, sock: AnySocket, events: int, callback: Callable[[int], None]) -> None:
    """Calls back with the events that happened, as long as they last; `events=0` forgets `sock`."""
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
