"""Writes and reads the origin of a record: its file, and the row if the file has rows.

Sources name every record in one of these forms, and messages, reports and `dlpipe runs rows` show
the name unchanged. Imports only the standard library.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

ROW = ", row "  # between the file and the number of a row
_ROW = re.compile(rf"(?P<file>.*){ROW}(?P<row>\d+)(: (?P<other>.*))?", re.DOTALL)
_RECORD = re.compile(r"(?P<file>.*)\[(?P<row>\d+)\]", re.DOTALL)


class Place(NamedTuple):
  """The parts of an origin.

  Attributes:
    file: the file that holds the input.
    row: the row that holds or names it; None if there are no rows.
    is_file: whether the file holds this input alone.
  """

  file: str
  row: int | None
  is_file: bool


def of_row(file: str, row: int) -> str:
  """Names a row or a line of a file; rows count from 1, the header included.

  >>> of_row("reviews.csv", 7)
  'reviews.csv, row 7'
  """
  return f"{file}{ROW}{row}"


def of_record(file: str, number: int) -> str:
  """Names a record of a binary file; records count from 0.

  >>> of_record("train.tfrecord", 7)
  'train.tfrecord[7]'
  """
  return f"{file}[{number}]"


def of_named_file(origin: str, file: str) -> str:
  """Names a file that a row of a table names.

  >>> of_named_file("pictures.csv, row 7", "cats/1.jpg")
  'pictures.csv, row 7: cats/1.jpg'
  """
  return f"{origin}: {file}"


def place(origin: str) -> Place:
  """Returns the parts of an origin.

  >>> place("reviews.csv, row 7")
  Place(file='reviews.csv', row=7, is_file=False)
  >>> place("pictures.csv, row 7: cats/1.jpg")
  Place(file='cats/1.jpg', row=7, is_file=True)
  >>> place("train.tfrecord[7]")
  Place(file='train.tfrecord', row=7, is_file=False)
  >>> place("cats/1.jpg")
  Place(file='cats/1.jpg', row=None, is_file=True)
  """
  found = _ROW.fullmatch(origin)
  if found is not None:
    other = found["other"]
    return Place(other or found["file"], int(found["row"]), bool(other))
  found = _RECORD.fullmatch(origin)
  if found is not None:
    return Place(found["file"], int(found["row"]), False)
  return Place(origin, None, True)


def on_disk(data_path: str, file: str) -> str | None:
  """Returns the path of a file that a place names; None if it is not there.

  Args:
    data_path: the input of the run: the file, or the folder that holds it.
    file: the name in the place: relative to the folder, or the path that a table gives.
  """
  if os.path.isfile(data_path) and os.path.basename(data_path) == file:
    return os.path.abspath(data_path)
  folder = data_path if os.path.isdir(data_path) else os.path.dirname(data_path)
  found = os.path.abspath(os.path.join(folder, file))
  try:
    return found if os.path.isfile(found) else None
  except ValueError:  # a null byte
    return None
