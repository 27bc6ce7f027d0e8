"""Tells a table that was saved in another way than it is read: other separators or encoding.

What is returned are sentences to end a message with, each with a blank before it, or nothing.
"""

from __future__ import annotations

import itertools

from pipeline.sources import encoding, line_files

_LOOKED_AT = 1000  # lines
_PLURALS = {",": "commas", "\t": "tabs", ";": "semicolons"}
_REMEDIES = {
  ",": "Give it a name that ends with .csv.",
  "\t": "Give it a name that ends with .tsv.",
  ";": "Save it with commas as a .csv, or with tabs as a .tsv.",
}


def separator_advice(header: str, delimiter: bytes) -> str:
  """What to do where the header of a CSV or TSV has another separator and not its own."""
  own = delimiter.decode()
  other = next((separator for separator in _PLURALS if separator in header), None)
  if own in header or other is None:
    return ""
  kind = "CSV" if own == "," else "TSV"
  return (
    f" Fields of a {kind} are separated by {_PLURALS[own]}, these seem to be by {_PLURALS[other]}. "
    + _REMEDIES[other]
  )


def encoding_advice(file: str) -> str:
  """What to do where one of the first lines is no UTF-8."""
  for line in itertools.islice(line_files.read_lines(file), _LOOKED_AT):
    try:
      encoding.decode(line.data)
    except encoding.UndecodableError as err:
      return f" Line {line.number} is {err}. {encoding.remedy(str(err))}"
  return ""
