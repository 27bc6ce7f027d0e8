"""Parquet: ranges of rows, types, and strings that are none."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import parquet

from dlpipe.errors import BadInputError
from pipeline.sources import tables
from pipeline.sources.tables import parquet as source
from pipeline.sources.tables.rows import BadRow, Row


@pytest.mark.parametrize("group_rows", [1, 7, 40, 100])
@pytest.mark.parametrize("shard_rows", [3, 25, 1000])
def test_every_row_comes_back_once(group_rows, shard_rows, tmp_path, read_table, monkeypatch):
  monkeypatch.setattr(source, "_SHARD_ROWS", shard_rows)
  monkeypatch.setattr(source, "_BATCH_ROWS", 4)
  texts = [f"row {n}" for n in range(1, 61)]
  table = pa.table({"text": texts, "label": list(range(60))})
  parquet.write_table(table, tmp_path / "x.parquet", row_group_size=group_rows)
  rows = read_table(tmp_path / "x.parquet")
  assert [row.values["text"] for row in rows] == texts
  assert [row.number for row in rows] == list(range(1, 61))
  assert rows[59] == Row(60, "x.parquet, row 60", {"text": "row 60", "label": 59})


def test_types_become_those_of_python(tmp_path, read_table):
  table = pa.table(
    {
      "plain": pa.array(["ä", None]),
      "large": pa.array(["a", "b"], pa.large_string()),
      "category": pa.array(["x", "y"]).dictionary_encode(),
      "truth": [True, False],
      "list": [[1, 2], []],
      "bytes": [b"\xff", b"\xfe"],
    }
  )
  parquet.write_table(table, tmp_path / "x.parquet")
  assert [row.values for row in read_table(tmp_path / "x.parquet")] == table.to_pylist()
  assert tables.columns(str(tmp_path / "x.parquet")) == table.column_names
  (first, _) = read_table(tmp_path / "x.parquet", ["truth", "plain"])
  assert first.values == {"truth": True, "plain": "ä"}


def test_strings_that_are_no_utf8_are_bad_rows(tmp_path, read_table):
  data = pa.array([b"good", b"sch\xf6n", b"good"])
  text = pa.Array.from_buffers(pa.string(), 3, data.buffers())
  parquet.write_table(pa.table({"id": [7, 8, 9], "text": text}), tmp_path / "x.parquet")
  rows = read_table(tmp_path / "x.parquet")
  assert [type(row) for row in rows] == [Row, BadRow, Row]
  assert rows[1] == BadRow(
    2,
    "x.parquet, row 2",
    "no valid UTF-8: byte 0xF6 in column 'text'",
    b"sch\xf6n",
    {"id": 8, "text": "sch\\xf6n"},
  )


def test_a_file_of_another_kind_is_refused(tmp_path):
  (tmp_path / "x.parquet").write_text("text,label\n")
  with pytest.raises(BadInputError, match="Expected a Parquet file at"):
    tables.columns(str(tmp_path / "x.parquet"))


def test_a_damaged_file_is_read_up_to_the_damage(tmp_path, read_table):
  path = tmp_path / "x.parquet"
  table = pa.table({"text": [f"row {n} {n * n}" for n in range(4000)]})
  parquet.write_table(table, path, row_group_size=1000)
  data = bytearray(path.read_bytes())
  data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
  path.write_bytes(data)
  rows = read_table(path)
  assert rows[0].values["text"] == "row 0 0"
  assert isinstance(rows[-1], BadRow)
  assert rows[-1].reason.startswith("the file cannot be read from here on: ")


def test_cells_are_what_other_tables_would_hold(tmp_path, read_table):
  table = pa.table(
    {
      "float32": pa.array([0.1, 3.0, None], pa.float32()),
      "binary": pa.array(["Bär".encode(), b"\xff\xd8", None], pa.binary()),
      "large_binary": pa.array([b"a", b"b", None], pa.large_binary()),
      "large_string": pa.array(["a", "b", None], pa.large_string()),
      "dictionary": pa.array(["a", "b", None]).dictionary_encode(),
      "bytes_dictionary": pa.array([b"a", b"b", None]).dictionary_encode(),
    }
  )
  parquet.write_table(table, tmp_path / "x.parquet")
  assert [list(row.values.values()) for row in read_table(tmp_path / "x.parquet")] == [
    [0.1, "Bär", "a", "a", "a", "a"],
    [3.0, b"\xff\xd8", "b", "b", "b", "b"],
    [None] * 6,
  ]


@pytest.mark.parametrize(
  "column",
  [
    pa.array([1 << 30, 0], pa.date32()),
    pa.array([1 << 62, 0], pa.timestamp("us")),
  ],
)
def test_a_value_that_python_does_not_have_costs_its_row(column, tmp_path, read_table):
  parquet.write_table(pa.table({"when": column}), tmp_path / "x.parquet")
  bad, good = read_table(tmp_path / "x.parquet")
  assert bad.origin == "x.parquet, row 1"
  assert bad.reason.endswith("in column 'when'")
  assert str(good.values["when"]).startswith("1970-01-01")
