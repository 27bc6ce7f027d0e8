"""Recognizes a table that was saved with another separator or encoding than expected.

The functions return the end of a message, which begins with a blank, or an empty string.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pipeline.sources import encoding
from pipeline.sources.tables import dialect
from pipeline.sources.text_files import line_files

_LOOKED_AT = 1000  # lines
_PLURALS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "pipes"}
_REMEDIES = {
  ",": "Give it a name that ends with .csv.",
  "\t": "Give it a name that ends with .tsv.",
}


def separator_advice(names: Sequence[str], separator: str, set_with: str | None = None) -> str:
  """Returns advice if the first row has more fields with another separator than with its own.

  Args:
    names: the first row's fields.
    separator: the character between fields.
    set_with: prefix of a setting on the command line; None if there are no settings.
  """
  header = "".join(names)
  other = max((s for s in _PLURALS if s != separator), key=header.count)
  if header.count(other) < len(names):
    return ""
  own = _PLURALS.get(separator, repr(separator))
  what = {",": "a CSV", "\t": "a TSV"}.get(separator, "the file")
  if set_with:
    remedy = f"Read it with {set_with}separator={dialect.name_of(other)}"
  else:
    remedy = _REMEDIES.get(other, "Save it with commas as a .csv, or with tabs as a .tsv.")
  return (
    f" Fields of {what} are separated by {own}, these seem to be by {_PLURALS[other]}. {remedy}"
  )


def encoding_advice(file: str) -> str:
  """Returns advice if one of the first lines is not UTF-8."""
  for line in itertools.islice(line_files.read_lines(file), _LOOKED_AT):
    try:
      encoding.decode(line.data)
    except encoding.UndecodableError as err:
      return f" Line {line.number} is {err}. {encoding.remedy(str(err))}"
  return ""
