"""Files that are something else than their names say."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from dlpipe.errors import BadInputError
from pipeline.sources import file_formats, tables


def zipped(*names):
  target = io.BytesIO()
  with zipfile.ZipFile(target, "w") as archive:
    for name in names:
      archive.writestr(name, "x" * 3000)
  return target.getvalue()


def tar():
  target = io.BytesIO()
  with tarfile.open(fileobj=target, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("x.csv"))
  return target.getvalue()


def parquet_bytes():
  target = io.BytesIO()
  parquet.write_table(pa.table({"text": ["a"]}), target)
  return target.getvalue()


FORMATS = [
  (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel or OpenDocument workbook; save"),
  (zipped("reviews.csv"), "a ZIP archive; unpack it"),
  (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an Excel workbook (.xls); save the sheet"),
  (parquet_bytes(), "a Parquet file; give it a name that ends with .parquet"),
  (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer; fetch"),
  (b"\n<!DOCTYPE html>\n<html>", "a web page (HTML); fetch the file itself"),
  (bz2.compress(b"text,label\n"), "an archive by bzip2; unpack it"),
  (lzma.compress(b"text,label\n"), "an archive by xz; unpack it"),
  (pickle.dumps({"text": ["a"]}), "a pickle of Python; save the table"),
  (tar(), "a tar archive; unpack it"),
]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.jsonl"])
@pytest.mark.parametrize(("data", "words"), FORMATS)
def test_a_table_that_is_none_is_named_for_what_it_is(data, words, name, tmp_path):
  (tmp_path / name).write_bytes(data)
  with pytest.raises(BadInputError) as caught:
    tables.plan_shards(str(tmp_path / name), ["text"])
  assert f"It is {words}" in str(caught.value)


def test_what_an_archive_holds_is_named(tmp_path):
  (tmp_path / "x.csv.gz").write_bytes(gzip.compress(tar()))
  with pytest.raises(BadInputError, match="It is a tar archive"):
    tables.columns(str(tmp_path / "x.csv.gz"))


def test_a_database_is_named(tmp_path):
  with sqlite3.connect(tmp_path / "x.csv") as database:
    database.execute("create table t (text)")
  database.close()
  with pytest.raises(BadInputError, match="It is an SQLite database; export"):
    tables.columns(str(tmp_path / "x.csv"))


def test_a_parquet_file_is_no_other_format(tmp_path):
  (tmp_path / "x.parquet").write_bytes(parquet_bytes())
  assert tables.columns(str(tmp_path / "x.parquet")) == ["text"]


@pytest.mark.parametrize(
  "head",
  [b"PAR1,PAR2\n1,2\n", b"BZh,label\n", b"text,label\n", b"", "Größe,ß".encode()[:-1], b"a\xff\n"],
)
def test_text_is_text(head):
  assert file_formats.describe(head) is None
