"""How a CSV or TSV is written, as far as its name does not say: its separator, and its header.

They are the data options `separator` and `header` of every task that reads tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError

NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}
_CHARACTERS = {name: character for character, name in NAMES.items()} | {"\\t": "\t"}


class Dialect(NamedTuple):
  """What a user says of a delimited table.

  Attributes:
    separator: the character between fields; None takes what the file's suffix stands for.
    header: whether the first row names the columns, which are numbered otherwise, from "1"; None
      takes it for a header that has to look like one.
  """

  separator: str | None = None
  header: bool | None = None


def from_options(options: Mapping[str, Any]) -> Dialect:
  """Returns the dialect that the options `separator` and `header` set.

      >>> from_options({"separator": "semicolon", "header": False})
      Dialect(separator=';', header=False)

  Raises:
    BadInputError: the separator is none, or the header is neither true nor false.
  """
  separator, header = options.get("separator"), options.get("header")
  if header is not None and not isinstance(header, bool):
    raise BadInputError(f"data.header must be true or false. Received: header={header!r}")
  return Dialect(None if separator is None else _character(separator), header)


def _character(separator: Any) -> str:
  character = _CHARACTERS.get(separator, separator) if isinstance(separator, str) else ""
  is_one = len(character) == 1 and character.isascii()
  if not is_one or character.isalnum() or (character not in NAMES and not character.isprintable()):
    character = ""
  if not character or character == '"':
    raise BadInputError(
      f"data.separator must be {', '.join(NAMES.values())}, or another single character that is no "
      f"letter, digit or quote. Received: separator={separator!r}"
    )
  return character


def name_of(separator: str) -> str:
  """What a command line calls the separator: a name where its character means something there."""
  return NAMES.get(separator, separator)
