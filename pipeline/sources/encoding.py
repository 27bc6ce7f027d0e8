"""Turns the bytes of a line or a field into text: UTF-8 or nothing."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"


class UndecodableError(Exception):
  """Why bytes are no text, in words for the quarantine."""


def decode(data: bytes) -> str:
  """The text of UTF-8 bytes.

  Raises:
    UndecodableError: the bytes are no valid UTF-8, or hold a NUL, which UTF-16 is full of and text
      has no use for.
  """
  if b"\0" in data:
    raise UndecodableError("no text in UTF-8: a NUL byte, as in UTF-16")
  try:
    return data.decode("utf-8")
  except UnicodeDecodeError as err:
    raise UndecodableError(f"no valid UTF-8: byte 0x{data[err.start]:02X}") from err


def is_encodable(text: str) -> bool:
  """Whether the text can be stored as UTF-8: half a surrogate pair, as JSON may spell, cannot."""
  try:
    text.encode("utf-8")
  except UnicodeEncodeError:
    return False
  return True
