"""`RunOptions`: how a run is carried out; the defaults run the whole pipeline, node by node."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

# From a run's id to findings about its data, for the report.
Examine = Callable[[str], Mapping[str, Any] | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
  """Options of `dlpipe run` beside its configuration.

  Attributes:
    from_node: the first node to run; the nodes before it are taken from an earlier run.
    until_node: the last node to run.
    use_cache: whether a result of an earlier run may stand in for a node.
    retries: how often a node is tried again that fails for no reason that a user can mend.
    processes: whether each node runs in its own process, several at the same time.
    memory_mb: the memory that such processes may use together, in MB of 10^6 bytes; None for all
      that is free.
  """

  from_node: str | None = None
  until_node: str | None = None
  use_cache: bool = True
  retries: int = 0
  processes: bool = False
  memory_mb: int | None = None


WHOLE_RUN = RunOptions()
