"""How long requests of a kind take, learnt from those before."""

from __future__ import annotations

from serving.rest.messages import Request

_SHORT_S = 0.001
_SHORT_BYTES = 64 << 10
# Taken at its word: what is below may be a moment in which the machine did something else.
_LONG_S = 0.02
_RISE, _FALL = 1.2, 0.9
_MOST_KINDS = 1000


class Durations:
  """Expectations by path. May be used from several threads."""

  def __init__(self) -> None:
    """Expects nothing of any path."""
    self._seconds: dict[str, float] = {}

  def is_short(self, request: Request) -> bool:
    """Whether a request will take less than it costs to have another thread do it."""
    return (
      self._seconds.get(request.target, _SHORT_S) < _SHORT_S and len(request.body) < _SHORT_BYTES
    )

  def learn(self, request: Request, seconds: float) -> None:
    """Takes note of how long a request took."""
    expected = self._seconds.get(request.target)
    if expected is None:
      if len(self._seconds) >= _MOST_KINDS:
        self._seconds.clear()
      expected = seconds
    elif seconds > _LONG_S:
      expected = max(expected, seconds)
    else:
      expected *= _RISE if seconds > expected else _FALL
    self._seconds[request.target] = expected
