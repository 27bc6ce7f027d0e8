"""Records of any bytes: cut anywhere, they are the same, and no byte is lost."""

from __future__ import annotations

import io
import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from pipeline.sources.tables import delimited_records
from pipeline.sources.tables.delimited_records import RecordReader, split_fields

_BYTES = st.lists(
  st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\xff", b'"\n', b'",', b',"']), max_size=40
).map(b"".join)


def read(data, *, block=1 << 20, most=1 << 20, start=0, stop=None, number=1):
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(delimited_records, "_BLOCK", block)
    patch.setattr(delimited_records, "MAX_RECORD_BYTES", most)
    f = io.BufferedReader(io.BytesIO(data))
    f.seek(start)
    reader = RecordReader(f, delimiter=b",", start=start, stop=stop, number=number)
    return list(itertools.islice(reader, len(data) + 1))


def places(records):
  # What is kept of a row that is too long, and whether it is known to end, may differ.
  return [(r.number, r.start, r.data if r.fault is None else None) for r in records]


@hypothesis.given(_BYTES, st.integers(1, 30), st.sampled_from([1, 3, 8, 20, 1 << 20]))
@hypothesis.example(b"aaaaa\nb\n", 1, 3)
@hypothesis.example(b'"aaaaa",b\nc\n', 2, 3)
@hypothesis.settings(max_examples=200, deadline=None)
def test_records_do_not_depend_on_where_reading_begins_or_pauses(data, block, most):
  records = places(read(data, most=most))
  assert places(read(data, block=block, most=most)) == records
  for first, following in zip(records, records[1:], strict=False):
    part = read(data, block=block, most=most, start=first[1], stop=following[1], number=first[0])
    assert places(part) == [first]


@hypothesis.given(_BYTES, st.integers(1, 9), st.integers(3, 20))
@hypothesis.settings(max_examples=200, deadline=None)
def test_no_byte_is_in_two_records_or_in_none(data, block, most):
  position = 0
  for number, record in enumerate(read(data, block=block, most=most), 1):
    assert record.number == number
    assert set(data[position : record.start]) <= set(b"\r\n")
    end = record.start + len(record.data)
    assert data[record.start : end] == record.data
    if record.fault and record.fault.startswith("the row is longer"):  # its beginning is kept
      end = data.find(b"\n", end) if b"\n" in data[end:] else len(data)
    position = end
  assert set(data[position:]) <= set(b"\r\n")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
  ("line", "fields"),
  [
    (b"a,b", [b"a", b"b"]),
    (b'"a","b"', [b"a", b"b"]),
    (b'"a\r\nb,""c""",', [b'a\r\nb,"c"', b""]),
    (b'"",""""', [b"", b'"']),
    (b'a "b" c,d"', [b'a "b" c', b'd"']),
  ],
)
def test_fields(line, fields, line_end):
  for data in (line, line + line_end, line + line_end + b"next"):
    record = read(data)[0]
    assert record.data == line
    assert split_fields(record, b",") == fields


def test_faults_are_named():
  faults = [record.fault for record in read(b'x,"a"b,c\n"a" ,b\nx,"open')]
  assert faults == [
    "field 2 goes on after its closing quote; a quote inside quotes is doubled",
    "field 1 goes on after its closing quote; a quote inside quotes is doubled",
    "the file ends within this row, in the quotes of field 2",
  ]


def test_a_file_that_is_cut_off_is_told_from_a_stray_quote():
  assert [record.fault for record in read(b'a,b\n"x,')] == [
    None,
    "the file ends within this row, in the quotes of field 1",
  ]
  for rest in (b"\n", b"\na,b"):
    assert read(b'a,b\n"x,' + rest)[1].fault == "the quote before field 1 is never closed"
