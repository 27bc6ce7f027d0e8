"""A path on this machine, as an option of a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from dlpipe.local_paths import require_local


class LocalPath(click.ParamType):
  """Refuses addresses such as `gs://bucket/pictures`, and leaves the path as it is."""

  name = "path"

  def __init__(self, path_type: Callable[[str], Any] = str):
    """A path that the command gets as a `path_type`."""
    self._path_type = path_type

  def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
    """The path.

    Raises:
      BadInputError: it is elsewhere.
    """
    del ctx
    require_local(max(param.opts, key=len) if param is not None else "the path", value)
    return self._path_type(value)
