"""Finds the picture that a table names, also by a path of Windows or macOS."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Any

from pipeline.sources.encoding import UndecodableError, decode, is_encodable

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_DRIVE = re.compile(r"[a-z]:[\\/]|\\\\", re.IGNORECASE)


def written_path(value: Any) -> str:
  """Returns the path in a cell of a table.

  Raises:
    ValueError: the cell is empty or not a path; the quarantine stores the message.
  """
  if isinstance(value, bytes):
    try:
      value = decode(value)
    except UndecodableError as err:
      raise ValueError(f"the path is {err}") from err
  if value is None or (isinstance(value, float) and value != value):
    raise ValueError("the row names no picture")
  if not isinstance(value, str):
    raise ValueError(f"the path is no string, but of type {type(value).__name__}")
  path = value.strip()
  if not path:
    raise ValueError("the row names no picture")
  if "\0" in path or not is_encodable(path):
    raise ValueError("the path holds a character that is none: NUL or half a surrogate pair")
  return path


def find(root: str, path: str) -> str:
  """Returns the path of the existing file; a relative path stays relative to `root`.

  Windows separates folders by backslashes, and macOS decomposes the accents of file names. If no
  file exists, the path is returned unchanged.

  Raises:
    ValueError: no file exists, and the path is from another computer; the quarantine stores the
      message.
  """
  slashed = path.replace("\\", "/")
  for name in (
    path,
    slashed,
    unicodedata.normalize("NFC", slashed),
    unicodedata.normalize("NFD", slashed),
  ):
    if os.path.lexists(os.path.join(root, name)):
      return name
  if _URL.match(path):
    raise ValueError("the path is a URL; fetch the picture and name its file")
  if _DRIVE.match(path):
    raise ValueError("the path is one of Windows; write it relative to the table")
  return path
