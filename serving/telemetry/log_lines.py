"""Log lines that cannot be forged: text of a request or a file stays within its line."""

from __future__ import annotations

import logging
import unicodedata

# Controls, invisible direction marks and other formats, line and paragraph separators, surrogates.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class LineFormatter(logging.Formatter):
  """One line for each message; a traceback's lines follow, and each begins with a tab."""

  def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
    record.message = escaped(record.message)
    return super().formatMessage(record)

  def formatException(self, ei: object) -> str:  # noqa: N802
    text = super().formatException(ei)  # type: ignore[arg-type]
    return "\n".join("\t" + escaped(line) for line in text.split("\n"))


def escaped(text: str) -> str:
  """Returns the text with Python's escapes for characters that are invisible or end the line."""
  if text.isprintable():
    return text
  return "".join(
    ascii(char)[1:-1] if unicodedata.category(char) in _HIDDEN else char for char in text
  )
