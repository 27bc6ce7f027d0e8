"""Tables as one: which paths are tables, folders of files, and missing columns."""

from __future__ import annotations

import pytest

from components.errors import BadInputError
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


def test_semicolons_are_told(tmp_path):
  (tmp_path / "x.csv").write_text("text;label\n")
  with pytest.raises(BadInputError, match="these seem to be by semicolons"):
    tables.plan_shards(str(tmp_path / "x.csv"), ["text"])


def test_no_table_is_refused(tmp_path):
  with pytest.raises(BadInputError, match="Found none at"):
    tables.plan_shards(str(tmp_path))
  with pytest.raises(BadInputError, match="Nothing exists at"):
    tables.columns(str(tmp_path / "gone.csv"))
