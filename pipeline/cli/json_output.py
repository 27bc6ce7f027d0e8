"""What a command prints with `--json`: one line of standard JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from dlpipe.artifact_files import finite


def echo_json(document: Any, *, default: Callable[[Any], Any] | None = None) -> None:
  """Prints a document; a number that standard JSON excludes (NaN, infinity) is null.

  Args:
    document: a JSON value, but for such numbers.
    default: as that of `json.dumps`.
  """
  click.echo(json.dumps(finite(document), default=default, allow_nan=False))
