"""The exact reader: RapidJSON's grammar, values, messages and offsets."""

import json
import math

import pytest
import simdjson
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import InvalidArgument
from serving.tensor_json.reader import Repeated, members_of, read_document


@pytest.mark.parametrize(
  ("text", "message"),
  [
    (b" ", "The document is empty. at offset: 1"),
    (b"}", "The document is empty. at offset: 0"),
    (b"\0{}", "The document is empty. at offset: 0"),
    (b"x", "Invalid value. at offset: 0"),
    (b"'a'", "Invalid value. at offset: 0"),
    (b"nan", "Invalid value. at offset: 1"),
    (b"nulL", "Invalid value. at offset: 3"),
    (b"tr", "Invalid value. at offset: 2"),
    (b"[f]", "Invalid value. at offset: 2"),
    (b"Na", "Invalid value. at offset: 2"),
    (b"Infinite", "Invalid value. at offset: 7"),
    (b"-x", "Invalid value. at offset: 1"),
    (b"+1", "Invalid value. at offset: 0"),
    (b".5", "Invalid value. at offset: 0"),
    (b"[1,]", "Invalid value. at offset: 3"),
    (b"[", "Invalid value. at offset: 1"),
    (b'{"a":}', "Invalid value. at offset: 5"),
    (b"// no\n1", "Invalid value. at offset: 0"),
    (b"[1 2]", "Missing a comma or ] after an array element. at offset: 3"),
    (b"[01]", "Missing a comma or ] after an array element. at offset: 2"),
    (b"[1", "Missing a comma or ] after an array element. at offset: 2"),
    (b"[1}", "Missing a comma or ] after an array element. at offset: 2"),
    (b"[1\0]", "Missing a comma or ] after an array element. at offset: 2"),
    (b"{", "Missing a name for object member. at offset: 1"),
    (b"{1:2}", "Missing a name for object member. at offset: 1"),
    (b'{"a":1,}', "Missing a name for object member. at offset: 7"),
    (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
    (b'{"a":1 "b"', "Missing a comma or } after an object member. at offset: 7"),
    (b'{"a":[1]]', "Missing a comma or } after an object member. at offset: 8"),
    (b'["a', "Missing a closing quotation mark in string. at offset: 3"),
    (b'"a\0"', "Missing a closing quotation mark in string. at offset: 2"),
    (b'"a\nb"', "Invalid encoding in string. at offset: 2"),
    (b'["\\x"]', "Invalid escape character in string. at offset: 2"),
    (b'"\\u12g4"', "Incorrect hex digit after \\u escape in string. at offset: 1"),
    (b'"\\ud83d"', "The surrogate pair in string is invalid. at offset: 1"),
    (b'"\\ud83d\\u0041"', "The surrogate pair in string is invalid. at offset: 1"),
    (b'"\\ude00"', "The surrogate pair in string is invalid. at offset: 1"),
    (b"[1.]", "Miss fraction part in number. at offset: 3"),
    (b"[1.e5]", "Miss fraction part in number. at offset: 3"),
    (b"[1e]", "Miss exponent in number. at offset: 3"),
    (b"[1.5E+]", "Miss exponent in number. at offset: 6"),
    (b"[0, -1e309]", "Number too big to be stored in double. at offset: 4"),
    (b"1" * 400, "Number too big to be stored in double. at offset: 0"),
  ],
)
def test_what_is_wrong_and_where(text, message):
  with pytest.raises(InvalidArgument) as refused:
    read_document(text)
  assert str(refused.value) == f"JSON Parse error: {message}"


@pytest.mark.parametrize(
  ("text", "value"),
  [
    (b"\xef\xbb\xbf [1]", [1]),
    (b'{"a":{"b":[]},"c":{}}', {"a": {"b": []}, "c": {}}),
    (b"[null,true,false]", [None, True, False]),
    (b"[1] trailing", [1]),
    (b'"\xff"', b"\xff"),
    (b'"\xc3\xa9\\u00e9\\u0000\\n\\/"', "éé\0\n/"),
    (b'"\\uD83D\\ude00"', "😀"),
    (b'{"\xff":1}', {b"\xff": 1}),
    (b"18446744073709551615", 2**64 - 1),
    (b"-9223372036854775808", -(2**63)),
    (b"18446744073709551616", 2.0**64),
    (b"-9223372036854775809", -(2.0**63)),
    (b"1e-400", 0.0),
    (b"[1e5, 1.0, 1]", [1e5, 1.0, 1]),
    (b"[Inf,-Inf,Infinity,-Infinity]", [math.inf, -math.inf] * 2),
  ],
)
def test_values(text, value):
  found = read_document(text)
  assert found == value
  assert repr(found) == repr(value)  # 1 and 1.0 differ


def test_minus_zero_is_a_float_only_with_a_fraction():
  assert repr(read_document(b"[-0,-0.0]")) == "[0, -0.0]"


def test_nan_may_have_a_sign():
  assert all(math.isnan(value) for value in read_document(b"[NaN,-NaN]"))


def test_the_first_of_two_members_is_found_and_both_are_kept():
  found = read_document(b'{"a":1,"b":2,"a":3}')
  assert isinstance(found, Repeated)
  assert found == {"a": 1, "b": 2}
  assert members_of(found) == [("a", 1), ("b", 2), ("a", 3)]


def test_deep_nesting():
  depth = 20_000
  found = read_document(b'{"a":[' * depth + b"1" + b"]}" * depth)
  for _ in range(depth):
    found = found["a"][0]
  assert found == 1


@pytest.mark.parametrize(
  "last", ["1", "2.5", "NaN", "-Infinity", "18446744073709551616", "Inf", "-0"]
)
def test_long_lists_are_read_as_short_ones(last):
  text = f"[{'0.5, -3, ' * 50}{last}]".encode()
  assert repr(read_document(text)) == repr([0.5, -3] * 50 + [read_document(last.encode())])


@pytest.mark.parametrize(
  ("last", "message"),
  [
    ("NaN, 1e999", "Number too big to be stored in double. at offset: 406"),
    ("Nan", "Invalid value. at offset: 403"),
    ("1e", "Miss exponent in number. at offset: 403"),
    ("1 2", "Missing a comma or ] after an array element. at offset: 403"),
  ],
)
def test_what_is_wrong_in_long_lists(last, message):
  with pytest.raises(InvalidArgument) as refused:
    read_document(f"[{'0.5, ' * 80}{last}]".encode())
  assert str(refused.value) == f"JSON Parse error: {message}"


_VALUES = st.recursive(
  st.none()
  | st.booleans()
  | st.integers(-(2**63), 2**64 - 1)
  | st.floats(allow_nan=False, allow_infinity=False)
  | st.text(st.characters(exclude_categories=["Cs"])),
  lambda inner: (
    st.lists(inner, max_size=4)
    | st.dictionaries(st.text("abü\n\0:", max_size=3), inner, max_size=4)
  ),
  max_leaves=8,
)


@given(_VALUES, st.booleans(), st.sampled_from([None, 2]))
@settings(max_examples=60, deadline=None)
def test_reads_what_json_writes(value, ascii_only, indent):
  text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
  assert repr(read_document(text)) == repr(value)


@given(_VALUES, st.data())
@settings(max_examples=100, deadline=None)
def test_agrees_with_simdjson_on_damaged_documents(value, data):
  text = bytearray(json.dumps({"a": value}, ensure_ascii=False).encode())
  for _ in range(data.draw(st.integers(1, 3))):
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 2))] = data.draw(
      st.sampled_from([b"", b'"', b"\\", b"[", b"}", b",", b":", b"1", b".", b"e", b"\xff", b" "])
    )
    if not text:
      return
  try:
    expected = simdjson.loads(bytes(text))
  except (ValueError, RuntimeError):
    return  # the reader takes more: NaN, bytes after the document, strings that are not UTF-8
  found = read_document(bytes(text))
  if not isinstance(found, Repeated):
    assert repr(found) == repr(expected)
