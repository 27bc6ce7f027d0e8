"""Manifests as public bug reports had them: a bad row costs itself, and is told as in any table."""

from __future__ import annotations

import gzip
import json
import os
import unicodedata

import pyarrow as pa
import pytest
from pyarrow import parquet

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected
from pipeline.tasks.images.sources import SOURCES, infer_image_size, manifest

ROWS = [(f"{label}/{n}.png", label) for n in range(3) for label in ("cat", "dog")]
SETTINGS = "--set data.path_column=NUMBER --set data.label_column=NUMBER"


@pytest.fixture
def root(class_folders):
  return class_folders("cat", "dog")


def lines(rows, separator=","):
  return "".join(f"{separator.join(row)}\n" for row in rows)


def write(root, text, name="m.csv"):
  data = text if isinstance(text, bytes) else text.encode()
  (root / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
  return str(root / name)


def read(path, **options):
  plan = manifest.plan(path, options)
  shards = json.loads(json.dumps(list(plan.shards)))
  records = [record for shard in shards for record in manifest.read(shard, options)]
  good = [record for record in records if not isinstance(record, Rejected)]
  return good, [record for record in records if isinstance(record, Rejected)]


def refusal(path, **options):
  with pytest.raises(BadInputError) as caught:
    manifest.plan(path, options)
  return str(caught.value)


@pytest.mark.parametrize("quoted", ['"cat/1.png,cat', '"cat/1.png" ,cat', 'cat/1.png,"cat'])
def test_a_stray_quote_costs_one_row(root, quoted):
  # JuliaData/CSV.jl#1096, apple/turicreate#1692, tilo/smarter_csv#283.
  rows = lines(ROWS)
  good, rejected = read(write(root, "path,label\n" + quoted + "\n" + rows))
  assert len(good) == 6
  assert [(r.origin, r.data) for r in rejected] == [("m.csv, row 2", quoted.encode())]
  assert "quote" in rejected[0].reason


@pytest.mark.parametrize(
  ("row", "count"), [("cat/1.png,cat,dog", 3), ("a,b.jpg,cat", 3), ("cat/1.png", 1)]
)
def test_a_row_with_other_fields_than_the_header_is_set_aside(root, row, count):
  # tensorflow/tfx#3997: the comma of an unquoted path moved the columns.
  good, rejected = read(write(root, "path,label\n" + lines(ROWS) + row + "\n"))
  assert len(good) == 6
  assert [(r.origin, r.reason) for r in rejected] == [
    ("m.csv, row 8", f"expected 2 fields, as in the header; the row has {count}")
  ]


def test_a_label_column_that_stands_twice_is_refused(root):
  text = "path,label,label\n" + "".join(f"{path},{label},x\n" for path, label in ROWS)
  assert "The header has 'label' more than once" in refusal(write(root, text))


def test_a_field_of_many_bytes_is_no_limit(root):
  good, _ = read(write(root, "path,label,note\n" + lines((*row, "x" * 200_000) for row in ROWS)))
  assert len(good) == 6


def test_a_nul_byte_costs_its_row(root):
  # mlflow/mlflow#25172: since Python 3.11 a NUL in a path is a ValueError and no OSError.
  good, rejected = read(write(root, "path,label\n" + lines(ROWS) + "cat/\0.png,cat\n"))
  assert len(good) == 6
  assert [r.reason for r in rejected] == [
    "no text in UTF-8: a NUL byte, as in UTF-16 in column 'path'"
  ]
  text = lines([json.dumps({"path": path, "label": label})] for path, label in ROWS)
  _, rejected = read(write(root, text + '{"path": "cat/\\u0000.png", "label": "cat"}', "m.jsonl"))
  assert [r.reason for r in rejected] == [
    "the path holds a character that is none: NUL or half a surrogate pair"
  ]


def test_every_kind_of_table_is_a_manifest(root):
  header = ("path", "label")
  objects = "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in ROWS)
  table = pa.table({"path": [p for p, _ in ROWS], "label": [la for _, la in ROWS]})
  parquet.write_table(table, root / "m.parquet")
  paths = [
    write(root, lines([header, *ROWS]), "m.csv"),
    write(root, lines([header, *ROWS]), "m.csv.gz"),
    write(root, lines([header, *ROWS], "\t"), "m.tsv"),
    write(root, "\ufeff" + lines([header, *ROWS], "\t"), "n.tsv"),
    write(root, objects, "m.jsonl"),
    str(root / "m.parquet"),
  ]
  for path in paths:
    good, rejected = read(path)
    assert sorted((r.origin.split(": ")[1], r.features["label"]) for r in good) == sorted(ROWS)
    assert not rejected
    assert next(n for n, source in SOURCES.items() if source.matches(path)) == "manifest"
    assert infer_image_size("manifest", path, {}) == 16


def test_paths_of_windows_and_of_macos_are_found(root):
  # Backslashes between folders; accents that one system composes and the other does not.
  os.rename(root / "cat", root / "ch\u00e4t")
  decomposed = unicodedata.normalize("NFD", "ch\u00e4t")
  rows = [(f"{decomposed}\\{n}.png", "cat") for n in range(3)] + [
    (f"dog\\{n}.png", "dog") for n in range(3)
  ]
  good, rejected = read(write(root, "path,label\n" + lines(rows)))
  assert len(good) == 6
  assert not rejected


@pytest.mark.parametrize(
  ("path", "words"),
  [
    (r"C:\Users\ann\cat.png", "the path is one of Windows; write it relative to the table"),
    ("https://example.org/cat.png", "the path is a URL; fetch the picture and name its file"),
    ("gs://bucket/cat.png", "the path is a URL"),
    ("cat/9.png", "the file cannot be read: No such file or directory"),
  ],
)
def test_a_path_that_is_no_file_is_told(root, path, words):
  good, rejected = read(write(root, "path,label\n" + lines([*ROWS, (path, "cat")])))
  assert len(good) == 6
  [record] = rejected
  assert record.origin == f"m.csv, row 8: {path}"
  assert words in record.reason


def test_a_class_without_a_usable_row_is_named_by_the_plan(root):
  rows = [*ROWS, ("https://example.org/1.png", "owl"), ("https://example.org/2.png", "owl")]
  plan = manifest.plan(write(root, "path,label\n" + lines(rows)), {})
  assert plan.classes == {"cat": 3, "dog": 3, "owl": 2}


def test_a_table_beside_none_of_its_pictures_is_refused(root, tmp_path):
  path = write(tmp_path, "path,label\n" + lines(ROWS))
  assert f"relative to {str(tmp_path)!r}. The first, m.csv, row 2: cat/0.png, does not exist" in (
    refusal(path)
  )


def test_other_separators_and_encodings_are_told_as_of_any_table(root):
  # tensorflow/models#11119.
  text = lines([("path", "label"), *ROWS], ";")
  assert "Read it with --set data.separator=semicolon" in refusal(write(root, text))
  assert len(read(write(root, text), separator=";")[0]) == 6
  utf16 = lines([("path", "label"), *ROWS]).encode("utf-16")
  assert "iconv -f UTF-16 -t UTF-8" in refusal(write(root, utf16))
  latin = "path,label\ncat/0.png,chät\ncat/1.png,chät\ndog/0.png,dog\ndog/1.png,dog\n"
  message = refusal(write(root, latin.encode("latin-1")))
  assert "row 2 cannot be used: no valid UTF-8: byte 0xE4 in column 'label'" in message
  assert "iconv -f CP1252 -t UTF-8" in message
  assert "end with CR alone" in refusal(write(root, "path,label\rcat/0.png,cat\r"))
  assert "It is a Git LFS pointer" in refusal(write(root, "version https://git-lfs.github.com/"))


def test_a_table_without_a_header_is_told_and_read(root):
  path = write(root, lines(ROWS))
  assert f"--set data.header=false {SETTINGS}, where the columns are 1 ('cat/0.png')" in (
    refusal(path)
  )
  assert len(read(path, header=False, path_column="1", label_column="2")[0]) == 6


def test_splits_are_those_of_other_tables(root):
  text = "path,label,part\n" + "".join(
    f"{path},{label},{part}\n"
    for (path, label), part in zip(ROWS, ["Training"] * 4 + ["dev"] * 2, strict=True)
  )
  good, _ = read(write(root, text), split_column="part")
  assert sorted(record.split for record in good) == ["eval"] * 2 + ["train"] * 4


def test_train_and_test_tables_beside_each_other_are_one_manifest(root):
  write(root, lines([("path", "label"), *ROWS[:4]]), "train.csv")
  write(root, lines([("path", "label"), *ROWS[4:]]), "test.csv")
  assert manifest.matches(str(root))
  good, _ = read(str(root))
  assert sorted(record.split for record in good) == ["eval"] * 2 + ["train"] * 4


def test_a_table_beside_one_of_another_kind_or_without_labels(root):
  write(root, lines([("path", "label"), *ROWS]), "m.csv")
  write(root, '{"camera": "x"}\n', "notes.jsonl")
  assert manifest.matches(str(root))
  assert len(read(str(root))[0]) == 6
  write(root, "path\ncat/0.png\n", "test.csv")
  assert not manifest.matches(str(root))
