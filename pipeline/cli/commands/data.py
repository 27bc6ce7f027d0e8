"""`dlpipe data` fetches public data sets, with checksums, into folders that tasks read."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from data import fetch as fetching
from data.catalog import DATA_SETS, DataSet
from data.download import DownloadError
from data.fetch import Fetched, Step
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.progress import can_redraw
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import json_last_option, json_option
from pipeline.shipped import cache_folder

_MIRROR = "DLPIPE_DATA_MIRROR"
_PLAIN_INTERVAL_S = 5.0

_to_option = click.option(
  "--to",
  "parent",
  type=LocalPath(pathlib.Path),
  metavar="DIR",
  help="The folder that holds them, each in a folder of its name. Default: "
  "$XDG_CACHE_HOME/dlpipe/datasets, else ~/.cache/dlpipe/datasets.",
)


@click.group(short_help="List and fetch public data sets.")
def data() -> None:
  """Public data sets, fetched from their publishers and checked against published checksums."""


@data.command("list", short_help="List the data sets that can be fetched.")
@_to_option
@json_option
def list_(parent: pathlib.Path | None, as_json: bool) -> None:
  """List the data sets that can be fetched, with licence and size."""
  parent = (parent or pathlib.Path(cache_folder("datasets"))).absolute()
  rows = [_row(data_set, parent) for data_set in DATA_SETS.values()]
  if as_json:
    echo_json({"data_sets": rows})
    return
  for row in rows:
    size = "size not published" if row["size_bytes"] is None else _megabytes(row["size_bytes"])
    state = f"here: {row['data']}" if row["data"] else "not fetched"
    click.echo(f"{row['name']:<15}{row['task']:<13}{row['title']}")
    click.echo(f"{'':<15}{size}; licence: {row['licence']}")
    click.echo(f"{'':<15}{row['source']}")
    click.echo(f"{'':<15}{state}")


@data.command("fetch", short_help="Fetch one of them.")
@click.argument("name")
@_to_option
@click.option(
  "--mirror",
  metavar="URL",
  envvar=_MIRROR,
  help="Take the files from URL/NAME/FILE instead of their publisher; checksums hold all the same. "
  f"Default: ${_MIRROR}, if set.",
)
@json_last_option
def fetch(name: str, parent: pathlib.Path | None, mirror: str | None, as_json: bool) -> None:
  """Fetch the data set NAME and say how to run a task on it.

  A data set that is there already is left as it is. A fetch that was stopped goes on where it was.

  \b
  Examples:
    dlpipe data fetch fashion_mnist
    dlpipe data fetch imdb --to my_data/ --mirror https://example.org/public
  """
  data_set = _known(name)
  parent = (parent or pathlib.Path(cache_folder("datasets"))).absolute()
  try:
    with _shown(sys.stderr) as on_step:
      found = fetching.fetch(data_set, parent, mirror=mirror, on_step=on_step)
  except DownloadError as err:
    raise DlpipeError(str(err)) from err
  except OSError as err:
    raise BadInputError(
      f"Cannot write to {str(parent)!r}: {err.strerror or err}. Choose another folder with --to."
    ) from err
  path = os.path.normpath(found.data_path)
  command = f"dlpipe run {data_set.task} --data {shlex.quote(path)}"
  if as_json:
    echo_json(_result(data_set, found, path, command))
    return
  verb = "Fetched" if found.is_new else "Already there:"
  click.echo(f"{verb} {data_set.name}: {data_set.title}")
  click.echo(f"Source   {data_set.source}; licence: {data_set.licence}")
  click.echo(f"Data     {path}")
  click.echo(f"Next: {command}")


def _known(name: str) -> DataSet:
  if name not in DATA_SETS:
    import difflib

    close = difflib.get_close_matches(name, DATA_SETS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise BadInputError(f"Unknown data set {name!r}.{hint} Known: {', '.join(DATA_SETS)}.")
  return DATA_SETS[name]


def _row(data_set: DataSet, parent: pathlib.Path) -> dict[str, Any]:
  try:
    found = fetching.find(data_set, parent)
  except DownloadError:  # another file has this name; `fetch` reports it
    found = None
  return {
    "name": data_set.name,
    "task": data_set.task,
    "title": data_set.title,
    "licence": data_set.licence,
    "source": data_set.source,
    "size_bytes": data_set.size_bytes,
    "files": [
      {"url": file.url, "size_bytes": file.size_bytes, "checksum": str(file.checksum)}
      for file in data_set.files
    ],
    "data": os.path.normpath(found.data_path) if found else None,
  }


def _result(data_set: DataSet, found: Fetched, path: str, command: str) -> dict[str, Any]:
  return {
    "name": data_set.name,
    "task": data_set.task,
    "state": "fetched" if found.is_new else "present",
    "data": path,
    "licence": data_set.licence,
    "source": data_set.source,
    "sha256": found.sha256,
    "next": command,
  }


def _megabytes(size: float) -> str:
  return f"{size / 1e6:,.1f} MB"


@contextlib.contextmanager
def _shown(stream: Any) -> Iterator[Callable[[Step], None]]:
  """Yields a listener that shows steps: a bar on a terminal, plain lines elsewhere."""
  if not can_redraw(stream):
    yield _Lines(stream)
    return
  from rich import console, progress

  columns = (
    progress.TextColumn("{task.description}"),
    progress.BarColumn(),
    progress.DownloadColumn(),
    progress.TransferSpeedColumn(),
    progress.TimeRemainingColumn(),
  )
  with progress.Progress(*columns, console=console.Console(file=stream)) as bars:
    tasks: dict[str, Any] = {}

    def show(step: Step) -> None:
      if step.stage != fetching.DOWNLOADING:
        bars.console.print(_sentence(step))
        return
      if step.what not in tasks:
        tasks[step.what] = bars.add_task(step.what, total=step.total)
      bars.update(tasks[step.what], completed=step.done, total=step.total)

    yield show


class _Lines:
  """Prints a line for each step, and one every few seconds during a download."""

  def __init__(self, stream: Any):
    self._stream = stream
    self._what = ""
    self._next_s = 0.0

  def __call__(self, step: Step) -> None:
    now = time.monotonic()
    is_end = step.done == step.total
    if step.what == self._what and now < self._next_s and not is_end:
      return
    self._what, self._next_s = step.what, now + _PLAIN_INTERVAL_S
    click.echo(_sentence(step), file=self._stream)


def _sentence(step: Step) -> str:
  if step.stage == fetching.WAITING:
    return "Another fetch of this data set is at work; waiting for it ..."
  if step.stage == fetching.UNPACKING:
    return f"{step.what}: unpacking"
  of = "" if step.total is None else f" of {_megabytes(step.total)}"
  return f"{step.what}: {_megabytes(step.done)}{of}"
