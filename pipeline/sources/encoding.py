"""Turns the bytes of a line or a field into text: UTF-8 or nothing."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"

NUL = "no text in UTF-8: a NUL byte, as in UTF-16"
_INVALID = "no valid UTF-8"


class UndecodableError(Exception):
  """Why bytes are no text, in words for the quarantine."""


def decode(data: bytes) -> str:
  """Returns the text of UTF-8 bytes.

  Raises:
    UndecodableError: the bytes are no valid UTF-8, or hold a NUL, which UTF-16 is full of and text
      has no use for.
  """
  if b"\0" in data:
    raise UndecodableError(NUL)
  try:
    return data.decode("utf-8")
  except UnicodeDecodeError as err:
    raise UndecodableError(invalid(data[err.start])) from err


def escaped(data: bytes) -> str:
  r"""Bytes that are no text, as people may read them: `b"caf\xe9"` is `caf\xe9`, in letters."""
  return data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def invalid(byte: int) -> str:
  """Returns why bytes that are no UTF-8 from this one on are no text."""
  return f"{_INVALID}: byte 0x{byte:02X}"


def remedy(reason: str) -> str:
  """What to do where `UndecodableError` is why a row cannot be used; empty for other reasons."""
  if NUL in reason:
    used = "UTF-16"
  elif _INVALID in reason:
    used = "CP1252"  # what Excel and other Windows programs write; has Latin-1's letters
  else:
    return ""
  return (
    f"Save the file as UTF-8, a CSV for example with `iconv -f {used} -t UTF-8 old.csv > new.csv`."
  )


def is_encodable(text: str) -> bool:
  """Returns whether the text can be stored as UTF-8: half a surrogate pair, as JSON may spell, cannot."""
  try:
    text.encode("utf-8")
  except UnicodeEncodeError:
    return False
  return True
