"""Tables as one: which paths are tables, folders of files, and missing columns."""

from __future__ import annotations

import pytest

from dlpipe.errors import BadInputError
from pipeline.sources import tables


@pytest.fixture
def folder(tmp_path):
  for name, row in (("b.csv", "3,x"), ("a.csv", "1,w"), ("c.CSV", "5,z")):
    (tmp_path / name).write_text(f"n,text\n{row}\n")
  (tmp_path / "README.md").write_text("not a table")
  (tmp_path / ".hidden.jsonl").write_text("{}")
  return tmp_path


def test_a_folder_is_read_file_by_file(folder, read_table):
  assert [(r.origin, r.values["n"]) for r in read_table(folder)] == [
    ("a.csv, row 2", "1"),
    ("b.csv, row 2", "3"),
    ("c.CSV, row 2", "5"),
  ]


def test_names_decide_what_a_table_is(folder):
  assert tables.matches(str(folder))
  assert tables.matches(str(folder / "a.csv"))
  assert not tables.matches(str(folder / "README.md"))
  assert not tables.matches(str(folder / "gone.csv"))
  (folder / "x.jsonl.gz").write_bytes(b"")
  assert not tables.matches(str(folder))
  with pytest.raises(BadInputError, match="Found CSV and JSONL"):
    tables.files(str(folder))


def test_columns_may_stand_in_another_order(folder, read_table):
  (folder / "b.csv").write_text("text,n\nx,3\n")
  assert [r.values["n"] for r in read_table(folder)] == ["1", "3", "5"]


def test_files_of_other_columns_are_refused(folder):
  (folder / "b.csv").write_text("text,other\nx,3\n")
  with pytest.raises(BadInputError) as caught:
    tables.plan_shards(str(folder))
  assert str(caught.value) == (
    f"Expected the columns n, text in {str(folder / 'b.csv')!r}, as in the first file. Received: "
    "text, other."
  )
  assert len(tables.plan_shards(str(folder), ["text"])) == 3


def test_a_missing_column_is_named(folder):
  with pytest.raises(BadInputError) as caught:
    tables.plan_shards(
      str(folder), ["text", "label"], flags={"label": "--set data.label_column=..."}
    )
  assert str(caught.value) == (
    f"Expected a column 'label' in {str(folder / 'a.csv')!r}. Its columns are: n, text. "
    "Name the right one with --set data.label_column=..."
  )


_SEMICOLONS = (
  "Fields of a CSV are separated by commas, these seem to be by semicolons. Save it with commas as "
  "a .csv, or with tabs as a .tsv."
)
_TABS = (
  "Fields of a CSV are separated by commas, these seem to be by tabs. Give it a name that ends "
  "with .tsv."
)
_COMMAS = (
  "Fields of a TSV are separated by tabs, these seem to be by commas. Give it a name that ends "
  "with .csv."
)
_LATIN = (
  "Line 2 is no valid UTF-8: byte 0xF6. Save the file as UTF-8, a CSV for example with `iconv -f "
  "CP1252 -t UTF-8 old.csv > new.csv`."
)


@pytest.mark.parametrize(
  ("name", "data", "advice"),
  [
    ("x.csv", b"\xef\xbb\xbftext;label\r\na;b\r\n", _SEMICOLONS),
    ("x.csv", b'"text";"label"\r\n"a";"b"\r\n', _SEMICOLONS),
    ("x.csv", b"text\tlabel\n", _TABS),
    ("x.tsv", b"text,label\n", _COMMAS),
    ("x.csv", b"text;label\nsch\xf6n;b\n", f"{_SEMICOLONS} {_LATIN}"),
  ],
)
def test_other_separators_are_told_with_a_remedy(tmp_path, name, data, advice):
  (tmp_path / name).write_bytes(data)
  with pytest.raises(BadInputError) as caught:
    tables.plan_shards(str(tmp_path / name), ["text"], flags={"text": "--column"})
  assert str(caught.value).endswith(f". {advice}")


def test_a_column_with_a_semicolon_in_its_name_can_be_named(tmp_path, read_table):
  (tmp_path / "x.csv").write_text("a;b\n1\n")
  assert tables.plan_shards(str(tmp_path / "x.csv"), ["a;b"])
  assert [row.values for row in read_table(tmp_path / "x.csv")] == [{"a;b": "1"}]


def test_objects_that_cannot_be_read_are_told_apart_from_other_columns(tmp_path):
  path = tmp_path / "x.jsonl"
  path.write_bytes(b'{"text": "sch\xf6n"}\n')
  with pytest.raises(BadInputError, match="or none that can be read. Line 1 is no valid UTF-8: by"):
    tables.plan_shards(str(path), ["text"], flags={"text": "--column"})
  path.write_bytes(b"")
  with pytest.raises(
    BadInputError, match=r"are: none\. It has no rows, or none that can be read\.$"
  ):
    tables.plan_shards(str(path), ["text"], flags={"text": "--column"})


def test_no_table_is_refused(tmp_path):
  with pytest.raises(BadInputError, match="Found none at"):
    tables.plan_shards(str(tmp_path))
  with pytest.raises(BadInputError, match="Nothing exists at"):
    tables.columns(str(tmp_path / "gone.csv"))
