"""The dialect of a CSV or TSV: its separator, and whether it has a header.

The data options `separator` and `header` of every task that reads tables set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError

NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}
_CHARACTERS = {name: character for character, name in NAMES.items()} | {"\\t": "\t"}


class Dialect(NamedTuple):
  """The user's settings for a delimited table.

  Attributes:
    separator: the character between fields; None uses that of the file's suffix.
    header: whether the first row names the columns; without names, columns are numbered from "1".
      None expects a header and refuses a first row that looks like data.
  """

  separator: str | None = None
  header: bool | None = None


def from_options(options: Mapping[str, Any]) -> Dialect:
  """Creates the dialect from the options `separator` and `header`.

      >>> from_options({"separator": "semicolon", "header": False})
      Dialect(separator=';', header=False)

  Raises:
    BadInputError: the separator is invalid, or the header is neither true nor false.
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
  """Returns the separator for a command line: a name if a shell would interpret the character."""
  return NAMES.get(separator, separator)
