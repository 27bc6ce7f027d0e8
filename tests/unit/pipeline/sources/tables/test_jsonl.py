"""JSON Lines: objects come back, and any other line is a bad row."""

from __future__ import annotations

import gzip
import json

import pytest

from dlpipe.errors import BadInputError
from pipeline.sources import tables
from pipeline.sources.tables.rows import BadRow, Row

try:
  json.loads('{"text": "a",}')
except json.JSONDecodeError as err:
  _TRAILING_COMMA = err.msg  # other words since Python 3.13


def test_objects_come_back(tmp_path, read_table):
  rows = [{"text": "a\u2028b\x85c", "n": 1.5, "ok": True}, {"text": "ä", "more": [1, {"x": None}]}]
  data = "\ufeff" + "\r\n\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
  (tmp_path / "x.jsonl").write_bytes(data.encode())
  (tmp_path / "y.ndjson.gz").write_bytes(gzip.compress(data.encode()))
  for name in ("x.jsonl", "y.ndjson.gz"):
    assert read_table(tmp_path / name) == [
      Row(1, f"{name}, row 1", rows[0]),
      Row(3, f"{name}, row 3", rows[1]),
    ]
  assert tables.columns(str(tmp_path / "x.jsonl")) == ["text", "n", "ok", "more"]


def test_a_row_without_a_column_lacks_it(tmp_path, read_table):
  (tmp_path / "x.jsonl").write_text('{"a": 1, "b": 2}\n{"b": 3}\n')
  assert [row.values for row in read_table(tmp_path / "x.jsonl", ["a"])] == [{"a": 1}, {}]


def test_a_key_with_two_values_is_no_guess(tmp_path, read_table):
  lines = [
    '{"text": "a", "label": "x", "label": "y"}',
    '{"text": "b", "label": "x", "label": "x"}',
    '{"text": "c", "label": "x", "id": 1, "id": 2}',
    '{"text": "d", "label": "x", "more": {"label": 1, "label": 2}}',
  ]
  (tmp_path / "x.jsonl").write_text("\n".join(lines))
  assert tables.columns(str(tmp_path / "x.jsonl")) == ["text", "label", "id", "more"]
  bad, *good = read_table(tmp_path / "x.jsonl", ["text", "label"])
  assert isinstance(bad, BadRow)
  assert bad.reason == "the key 'label' stands there twice, with two values"
  assert bad.values == {"text": "a"}
  assert [row.values for row in good] == [{"text": t, "label": "x"} for t in "bcd"]


def test_lines_that_are_no_objects_are_bad_rows(tmp_path, read_table):
  lines = [
    b'{"text": "good"}',
    b'{"text": "cut',
    b"[1, 2]",
    b"null",
    b'{"text": "sch\xf6n"}',
    b'{"text": "\\ud83d"}',
    b'{"text": "\\ud83d\\ude00"}',
    b"[" * 100_000,
    b'{"n": ' + b"9" * 5000 + b"}",
    b'{"text": "good"}'.decode().encode("utf-16"),
  ]
  (tmp_path / "x.jsonl").write_bytes(b"\n".join(lines))
  rows = read_table(tmp_path / "x.jsonl")
  assert [r.number for r in rows if isinstance(r, Row)] == [1, 7]
  assert [r.data for r in rows if isinstance(r, BadRow)] == [
    lines[i] for i in (1, 2, 3, 4, 5, 7, 8, 9)
  ]
  reasons = [r.reason for r in rows if isinstance(r, BadRow)]
  assert reasons[:5] == [
    "invalid JSON at character 10: Unterminated string starting at",
    "expected a JSON object; the line holds a list",
    "expected a JSON object; the line holds null",
    "no valid UTF-8: byte 0xF6",
    "a \\u escape stands for half a character",
  ]
  assert all(reason.startswith("JSON that cannot be read: ") for reason in reasons[5:7])
  assert reasons[7] == "no text in UTF-8: a NUL byte, as in UTF-16"


@pytest.mark.parametrize(
  ("data", "words"),
  [
    # huggingface/datasets#4150: one array of all objects, on one line or on many.
    ('[{"text": "a"}]', "the line holds a list. It is a JSON array: write one object a line"),
    ('[\n  {"text": "a"}\n]', "invalid JSON at character 2: Expecting value. It is a JSON array"),
    ("{'text': 'a'}", "It is a dict of Python, and JSON has double quotes"),
    ('{\n  "text": "a"\n}', "The object has several lines: write it in one"),
    ('{"text": "a",}\n{"text": "b",}\n', f"{_TRAILING_COMMA}. Write one JSON object a line."),
    ("text,label\na,1\n", "invalid JSON at character 1: Expecting value. Write one JSON object a"),
  ],
)
def test_a_file_without_an_object_is_told_with_the_reason(data, words, tmp_path):
  (tmp_path / "x.jsonl").write_text(data)
  with pytest.raises(BadInputError) as caught:
    tables.plan_shards(str(tmp_path / "x.jsonl"), ["text"])
  assert "Line 1 is no JSON object: " in str(caught.value)
  assert words in str(caught.value)


def test_a_bad_row_keeps_what_can_be_read(tmp_path, read_table):
  path = tmp_path / "x.jsonl"
  path.write_bytes(
    b'{"id": 1, "text": "Caf\xe9", "tags": ["\xe9"], "left": 1}\n'
    b'{"id": 2, "text": "nul\0", "tags": {"a": null}}\n'
    b'{"id": 3, "text": "half \\ud83d"}\n'
    b'{"id": 4, "text": "Caf\xe9"\n'
    b'{"id": 5\n'
    b"[6]\n"
    b'["\xe9"]\n'
    b'{"id": 6, "text": "", "tags": null}\n'
  )
  *rows, last = read_table(path, ["id", "text", "tags"])
  assert isinstance(last, Row)
  assert {type(row) for row in rows} == {BadRow}
  assert [row.values for row in rows] == [
    {"id": 1, "text": "Caf\\xe9", "tags": ["\\xe9"]},
    {"id": 2, "text": "nul\\x00", "tags": {"a": None}},
    {"id": 3, "text": "half \\xed\\xa0\\xbd"},
    *[{}] * 4,
  ]
