"""The type of command options that are paths on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from dlpipe.local_paths import require_local


class LocalPath(click.ParamType):
  """Accepts local paths unchanged; refuses URIs such as `gs://bucket/pictures`."""

  name = "path"

  def __init__(self, path_type: Callable[[str], Any] = str):
    """Converts the path with `path_type` for the command."""
    self._path_type = path_type

  def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
    """Returns the path.

    Raises:
      BadInputError: it is a URI.
    """
    del ctx
    require_local(max(param.opts, key=len) if param is not None else "the path", value)
    return self._path_type(value)
