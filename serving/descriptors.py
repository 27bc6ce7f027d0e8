"""How many connections the process has descriptors for."""

from __future__ import annotations

import logging
import resource

_LOG = logging.getLogger(__name__)
# More are not asked for, where the system would give more.
_ENOUGH = 1 << 16
# For models, logs and what TensorFlow opens.
_OTHERS = 256
_FEWEST = 16


def connection_share() -> int:
  """How many connections each protocol may have, so that neither takes the other's descriptors.

  Raises the process's soft limit as far as the hard one lets it.
  """
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  most = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
  if soft != resource.RLIM_INFINITY and soft < most:
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft = most
  available = _ENOUGH if soft == resource.RLIM_INFINITY else min(soft, _ENOUGH)
  return max(_FEWEST, (available - _OTHERS) // 2)


def connections_that_fit(wanted: int) -> int:
  """`wanted` connections, or as many as there are descriptors for; 0 is no limit, and stays."""
  share = connection_share()
  if wanted <= share:
    return wanted
  _LOG.warning(
    "%d REST connections instead of %d (--max_connections): there are no descriptors for more.",
    share,
    wanted,
  )
  return share
