"""The types of command options that are paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from dlpipe.local_paths import require_local, require_readable


class LocalPath(click.ParamType):
  """Accepts local paths; refuses URIs such as `gs://bucket/pictures`.

  A home folder is `~` in `--data=~/pictures`, too, where a shell leaves it as it is.
  """

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
    path = os.path.expanduser(value)
    require_local(_named(param), path)
    return self._path_type(path)


class DataPath(click.ParamType):
  """Accepts local paths, with `~` as `LocalPath` has it, and addresses that can be read."""

  name = "path"

  def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
    """Returns the path or the address.

    Raises:
      BadInputError: it is an address that cannot be read.
    """
    del ctx
    path = os.path.expanduser(value)
    require_readable(_named(param), path)
    return path


def _named(param: click.Parameter | None) -> str:
  return max(param.opts, key=len) if param is not None else "the path"
