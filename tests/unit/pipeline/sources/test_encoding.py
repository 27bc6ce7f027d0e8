"""Bytes are UTF-8 or no text."""

from __future__ import annotations

import pytest

from pipeline.sources.encoding import UndecodableError, decode, is_encodable


def test_utf8_is_decoded_as_it_is():
  assert decode("e\u0301 \u202f\xa0\u200b 猫🐈".encode()) == "e\u0301 \u202f\xa0\u200b 猫🐈"


@pytest.mark.parametrize(
  ("data", "reason"),
  [
    (b"sch\xf6n", "no valid UTF-8: byte 0xF6"),
    (b"cut \xc3", "no valid UTF-8: byte 0xC3"),
    (b"\xed\xa0\xbd", "no valid UTF-8: byte 0xED"),
    ("hi".encode("utf-16"), "no text in UTF-8: a NUL byte, as in UTF-16"),
  ],
)
def test_anything_else_is_refused(data, reason):
  with pytest.raises(UndecodableError) as caught:
    decode(data)
  assert str(caught.value) == reason


def test_half_a_surrogate_pair_cannot_be_stored():
  assert is_encodable("🐈")
  assert not is_encodable("\ud83d")
