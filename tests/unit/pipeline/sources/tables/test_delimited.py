"""CSV and TSV: what a writer wrote comes back, and what is broken costs its own row only."""

from __future__ import annotations

import csv
import gzip
import io

import hypothesis
import pytest
from hypothesis import strategies as st

from dlpipe.errors import BadInputError
from pipeline.sources import tables
from pipeline.sources.tables import delimited, delimited_records
from pipeline.sources.tables.rows import BadRow, Row

_CELL = st.text(
  st.one_of(
    st.sampled_from(list("\",\t\n'; \u2028\x85\xa0\u202f")),
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"),
  ),
  max_size=12,
)


def write(path, data: bytes | str):
  path.write_bytes(data.encode() if isinstance(data, str) else data)
  return path


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
@hypothesis.given(
  cells=st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=12),
  line_end=st.sampled_from(["\n", "\r\n"]),
  quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
  block=st.integers(1, 40),
  shard_rows=st.integers(1, 5),
)
@hypothesis.settings(
  max_examples=80,
  deadline=None,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_what_csv_writes_comes_back(
  suffix, delimiter, cells, line_end, quoting, block, shard_rows, tmp_path, read_table
):
  hypothesis.assume(("a", "b") not in [tuple(map(str.strip, row)) for row in cells])
  target = io.StringIO()
  writer = csv.writer(target, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
  writer.writerows([("a", "b"), *cells])
  path = write(tmp_path / f"x.{suffix}", target.getvalue())
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(delimited_records, "_BLOCK", block)
    patch.setattr(delimited, "_SHARD_ROWS", shard_rows)
    rows = read_table(path)
  assert [tuple(row.values.values()) for row in rows] == cells
  assert [row.number for row in rows] == list(range(2, len(cells) + 2))


def test_rows_say_where_they_are(tmp_path, read_table):
  path = write(tmp_path / "x.csv", 'text,label\n"a\nb",1\n\nc,2')
  assert read_table(path) == [
    Row(2, "x.csv, row 2", {"text": "a\nb", "label": "1"}),
    Row(4, "x.csv, row 4", {"text": "c", "label": "2"}),
  ]


def test_a_quote_inside_an_unquoted_field_is_itself(tmp_path, read_table):
  path = write(tmp_path / "x.csv", 'text,label\n5" nails,1\nsay "hi",2\n')
  assert [row.values["text"] for row in read_table(path)] == ['5" nails', 'say "hi"']


@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_order_mark_is_dropped(packed, tmp_path, read_table):
  data = b'\xef\xbb\xbf"text",label\n\xc3\xa4,1\n'
  path = write(tmp_path / "x.csv", gzip.compress(data) if packed else data)
  assert tables.columns(str(path)) == ["text", "label"]
  assert [row.values["text"] for row in read_table(path)] == ["ä"]


def test_bytes_that_are_no_utf8_are_bad_rows(tmp_path, read_table):
  path = write(tmp_path / "x.csv", b'text,label\ngut,1\nsch\xf6n,2\n"a,\xff",3\nx\0,4\ngut,5\n')
  rows = read_table(path)
  assert [(r.number, r.reason, r.data) for r in rows if isinstance(r, BadRow)] == [
    (3, "no valid UTF-8: byte 0xF6 in column 'text'", b"sch\xf6n,2"),
    (4, "no valid UTF-8: byte 0xFF in column 'text'", b'"a,\xff",3'),
    (5, "no text in UTF-8: a NUL byte, as in UTF-16 in column 'text'", b"x\0,4"),
  ]
  assert [r.values["label"] for r in rows if isinstance(r, Row)] == ["1", "5"]


def test_a_wrong_number_of_fields_is_a_bad_row(tmp_path, read_table):
  path = write(tmp_path / "x.csv", "text,label\na,b,1\nc\nd,2\n")
  assert [(r.origin, r.reason) for r in read_table(path) if isinstance(r, BadRow)] == [
    ("x.csv, row 2", "expected 2 fields, as in the header; the row has 3"),
    ("x.csv, row 3", "expected 2 fields, as in the header; the row has 1"),
  ]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("header", ["a,b", '"a","b"', "a,b,"])
def test_the_header_of_a_file_that_was_put_behind_is_no_row(header, mark, tmp_path, read_table):
  end = "," if header.endswith(",") else ""
  path = write(tmp_path / "x.csv", f"{header}\n1,2{end}\n{mark}{header}\n3,4{end}\na,5{end}\n")
  first, again, *others = read_table(path)
  assert isinstance(again, BadRow)
  assert again.number == 3
  assert again.reason.startswith("the header again")
  assert [row.values["b"] for row in (first, *others)] == ["2", "4", "5"]


def test_without_a_header_no_row_is_one(tmp_path):
  path = write(tmp_path / "x.csv", "1,2\n1,2\n")
  shards = tables.plan_shards(str(path), dialect=tables.Dialect(header=False))
  found = [row for shard in shards for row in tables.rows(shard)]
  assert [row.values for row in found] == [{"1": "1", "2": "2"}] * 2


def test_an_unclosed_quote_costs_one_row(tmp_path, read_table):
  lines = ["text,label", *(f"row {n},1" for n in range(2, 3000))]
  lines[5] = '"never closed,1'
  lines[2000] = '"quoted, text",1'
  rows = read_table(write(tmp_path / "x.csv", "\n".join(lines)))
  (bad,) = [row for row in rows if isinstance(row, BadRow)]
  assert (bad.number, bad.data) == (6, b'"never closed,1')
  assert "goes on after its closing quote" in bad.reason
  assert [r.values["text"] for r in rows[1995:2001]] == [
    "row 1997", "row 1998", "row 1999", "row 2000", "quoted, text", "row 2002",
  ]  # fmt: skip
  assert len(rows) == 2998


@pytest.mark.parametrize(
  ("most", "reason"),
  [
    (1 << 20, "the quote before field 2 is never closed"),
    (100, "the row is longer than 0 MiB; a quote may not be closed"),
  ],
)
def test_an_unclosed_quote_up_to_the_end_costs_one_row(
  most, reason, tmp_path, read_table, monkeypatch
):
  monkeypatch.setattr(delimited_records, "MAX_RECORD_BYTES", most)
  monkeypatch.setattr(delimited_records, "_BLOCK", 64)
  text = 'text,label\n1,"open\n' + "".join(f"row {n},1\n" for n in range(3, 500))
  rows = read_table(write(tmp_path / "x.csv", text))
  assert rows[0] == BadRow(2, "x.csv, row 2", reason, b'1,"open', {"text": "1"})
  assert [r.values["text"] for r in rows[1:]] == [f"row {n}" for n in range(3, 500)]


def test_a_row_that_is_too_long_costs_itself(tmp_path, read_table, monkeypatch):
  monkeypatch.setattr(delimited_records, "MAX_RECORD_BYTES", 1 << 20)
  path = write(tmp_path / "x.csv", b"text,label\n" + b"x" * (3 << 20) + b",1\nshort,2\n")
  bad, good = read_table(path)
  assert (bad.number, bad.reason, len(bad.data)) == (
    2,
    "the row is longer than 1 MiB; a quote may not be closed",
    64 << 10,
  )
  assert good == Row(3, "x.csv, row 3", {"text": "short", "label": "2"})


def test_a_damaged_archive_is_read_up_to_the_damage(tmp_path, read_table):
  data = gzip.compress(b"text,label\n" + b"".join(b"row %d,1\n" % n for n in range(90000)))
  rows = read_table(write(tmp_path / "x.csv.gz", data[: len(data) // 2]))
  assert rows[0].values == {"text": "row 0", "label": "1"}
  assert rows[-1].reason.startswith("the file cannot be read from here on: Compressed file ended")
  assert sum(isinstance(r, BadRow) for r in rows) == 1


def test_columns_may_be_chosen(tmp_path, read_table):
  path = write(tmp_path / "x.csv", ",text,label\n0,a,1\n")
  assert tables.columns(str(path)) == ["column 1", "text", "label"]
  assert [r.values for r in read_table(path, ["label"])] == [{"label": "1"}]


@pytest.mark.parametrize(
  ("data", "words"),
  [
    (b"", "It is empty"),
    ("text,label\n".encode("utf-16"), "no text in UTF-8: a NUL byte"),
    (b"gr\xf6\xdfe,label\n", "no valid UTF-8: byte 0xF6"),
    (b"text,label\rx,1\r", "They end with CR alone"),
    (b'"text,label\nx,1\n', "the quote before field 1 is never closed"),
    (b"text,label,text\nx,1,y\n", "has 'text' more than once"),
  ],
)
def test_a_header_that_cannot_be_used_is_refused(data, words, tmp_path):
  with pytest.raises(BadInputError, match=words):
    tables.plan_shards(str(write(tmp_path / "x.csv", data)))


def test_a_header_alone_has_no_rows(tmp_path):
  assert tables.plan_shards(str(write(tmp_path / "x.csv", "text,label\n"))) == []


def test_a_bad_row_keeps_the_cells_that_are_sure(tmp_path, read_table):
  path = tmp_path / "x.csv"
  path.write_bytes(
    b"id,text,stars\n"
    b"1,Caf\xe9,5\n"
    b"2,nul\0,5\n"
    b'3,"goes" on,5\n'
    b"4,one, too many,5\n"
    b"short\n"
    b"Caf\xe9, short\n"
    b'5,"open,5\n'
  )
  rows = read_table(path, ["id", "text"])
  assert [(row.number, row.values) for row in rows] == [
    (2, {"id": "1", "text": "Caf\\xe9"}),
    (3, {"id": "2", "text": "nul\\x00"}),
    (4, {"id": "3"}),
    (5, {"id": "4"}),
    (6, {}),
    (7, {}),
    (8, {"id": "5"}),
  ]
  assert {type(row) for row in rows} == {BadRow}


def test_a_blank_line_is_a_row_where_there_is_one_column(tmp_path, read_table):
  rows = read_table(write(tmp_path / "one.csv", "text\na\n\nb\r\n\r\n"))
  assert [(row.number, row.values["text"]) for row in rows] == [
    (2, "a"),
    (3, ""),
    (4, "b"),
    (5, ""),
  ]
  rows = read_table(write(tmp_path / "two.csv", "text,label\na,1\n\nb,1\n"))
  assert [(row.number, row.values["text"]) for row in rows] == [(2, "a"), (4, "b")]
