"""Decodes the bytes of a line or a field as strict UTF-8."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"

NUL = "no text in UTF-8: a NUL byte, as in UTF-16"
_INVALID = "no valid UTF-8"


class UndecodableError(Exception):
  """The bytes are not text; the quarantine stores the message."""


def decode(data: bytes) -> str:
  """Decodes UTF-8 bytes.

  Raises:
    UndecodableError: the bytes are not valid UTF-8, or contain a NUL, which is frequent in UTF-16
      and absent from text.
  """
  if b"\0" in data:
    raise UndecodableError(NUL)
  try:
    return data.decode("utf-8")
  except UnicodeDecodeError as err:
    raise UndecodableError(invalid(data[err.start])) from err


def escaped(data: bytes) -> str:
  r"""Makes bytes that are not text readable: `b"caf\xe9"` becomes the 7 characters `caf\xe9`."""
  return data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def invalid(byte: int) -> str:
  """Returns the message for bytes whose first byte that is not UTF-8 is this one."""
  return f"{_INVALID}: byte 0x{byte:02X}"


def remedy(reason: str) -> str:
  """Returns advice if `UndecodableError` is the reason for a rejected row; else empty."""
  if NUL in reason:
    used = "UTF-16"
  elif _INVALID in reason:
    used = "CP1252"  # written by Excel and other Windows programs; includes Latin-1's letters
  else:
    return ""
  return (
    f"Save the file as UTF-8, a CSV for example with `iconv -f {used} -t UTF-8 old.csv > new.csv`."
  )


def is_encodable(text: str) -> bool:
  """Returns whether the text has no lone surrogate, which JSON can spell and UTF-8 cannot store."""
  try:
    text.encode("utf-8")
  except UnicodeEncodeError:
    return False
  return True
