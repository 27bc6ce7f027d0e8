"""How long requests of a kind take, learnt from those before."""

from __future__ import annotations

from collections.abc import Hashable

_SHORT_S = 0.001
_SHORT_BYTES = 64 << 10
# Taken at its word: what is below may be a moment in which the machine did something else.
_LONG_S = 0.02
_RISE, _FALL = 1.2, 0.9
_MOST_KINDS = 1000


class Durations:
  """Expectations by kind, whatever a protocol takes for one. May be used from several threads."""

  def __init__(self) -> None:
    """Expects nothing of any kind."""
    self._seconds: dict[Hashable, float] = {}

  def is_short(self, kind: Hashable, size: int) -> bool:
    """Whether a request of so many bytes takes less than it costs to have another thread do it."""
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
