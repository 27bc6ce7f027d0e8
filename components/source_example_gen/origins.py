"""The origins of examples, beside them: a file for each file of a split, in the same order.

A tf.Example holds what a model may see. Its origin stands in `origins/Split-<split>/` of the same
artifact, outside of the folders that TFX reads as data, so statistics, schema and signatures know
nothing of it. Both files are written from one sorted buffer: line n names record n.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tfx.dsl.io import fileio

from dlpipe.records import Record

FOLDER = "origins"
_SUFFIX = ".jsonl.gz"


class Origin(NamedTuple):
  """Where an example came from: `Record.origin`, and `Record.id` if the data has one."""

  origin: str
  id: str | None = None


def of(record: Record) -> Origin:
  """Names a record; bytes of a file's name that are no UTF-8 are escaped, as in messages."""
  return Origin(_text(record.origin), None if record.id is None else _text(record.id))


def path_beside(examples_file: str) -> str:
  """Returns the path of the origins of a split's file.

  >>> path_beside("/examples/7/Split-val/data_tfrecord-00000-of-00001.gz")
  '/examples/7/origins/Split-val/data_tfrecord-00000-of-00001.jsonl.gz'
  """
  folder, name = os.path.split(examples_file)
  root, split = os.path.split(folder)
  return os.path.join(root, FOLDER, split, name.removesuffix(".gz") + _SUFFIX)


def line(origin: Origin) -> str:
  """Returns an origin as a line of the file."""
  return json.dumps(list(origin) if origin.id is not None else [origin.origin]) + "\n"


def write(path: str, lines: Iterable[str]) -> None:
  """Writes the file; the same lines give the same bytes."""
  fileio.makedirs(os.path.dirname(path))
  with (
    fileio.open(path, "wb") as file,
    gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as packed,
  ):
    packed.write("".join(lines).encode())


def read(path: str) -> Iterator[Origin]:
  """Yields the origins of a split's file, in the order of its examples."""
  with fileio.open(path, "rb") as file, gzip.GzipFile(fileobj=file) as packed:
    for each in packed:
      yield Origin(*json.loads(each))


def _text(value: object) -> str:
  return str(value).encode("utf-8", "backslashreplace").decode()
