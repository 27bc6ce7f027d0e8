"""Tables of texts: guessed columns, splits by column or file name, rows from all over."""

from __future__ import annotations

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected
from pipeline.sources.text_files import text_tables


@pytest.mark.parametrize(
  ("names", "wanted", "found"),
  [
    (["id", "text"], "text", "text"),
    (["id", "Review"], "text", "Review"),
    (["text", "review"], "text", "text"),
    (["review", "comment"], "text", "text"),
    (["id", "review"], "words", "words"),
  ],
)
def test_a_column_is_guessed_where_one_fits(names, wanted, found):
  assert text_tables.find_column(names, wanted, "text", ("review", "comment")) == found


@pytest.mark.parametrize(
  "options", [{"text_column": "label"}, {"label_column": "text"}, {"split_column": "label"}]
)
def test_a_column_is_one_thing(options, tmp_path):
  (tmp_path / "x.csv").write_text("text,label\na,1\nb,2\n")
  with pytest.raises(BadInputError, match="for both"):
    text_tables.find_columns(str(tmp_path / "x.csv"), options, {"text": (), "label": ()})


def read(path, split_column=None):
  options = {"split_column": split_column}
  columns = text_tables.find_columns(str(path), options, {"text": ()})
  shards, given = text_tables.plan_table(str(path), columns)
  rows = [row for shard in shards for row in text_tables.read_table(shard)]
  return given, rows


def placed(rows):
  return {found.row.values["text"]: found.split for found in rows}


@pytest.fixture
def write(tmp_path):
  def write(name, *rows, header="text,part"):
    (tmp_path / name).write_text("\n".join([header, *rows]) + "\n")
    return tmp_path

  return write


def test_a_column_gives_the_splits(write):
  path = write("x.csv", "a,Train", "b,dev", "c,test", "d,")
  given, rows = read(path, "part")
  assert given == ("train", "val", "eval")
  assert placed(rows) == {"a": "train", "b": "val", "c": "eval", "d": None}


def test_one_held_out_set_is_eval(write):
  given, rows = read(write("x.csv", "a,train", "b,validation"), "part")
  assert given == ("train", "eval")
  assert placed(rows) == {"a": "train", "b": "eval"}


def test_an_unknown_split_is_refused_with_its_row(write):
  with pytest.raises(BadInputError, match="Received 'someday' in x.csv, row 3"):
    read(write("x.csv", "a,train", "b,someday"), "part")
  review = "a whole review " * 400
  with pytest.raises(BadInputError, match="Received 'a whole review a whole review a whole r…' in"):
    read(write("x.csv", "a,train", f"b,{review}"), "part")
  with pytest.raises(BadInputError, match=r"Expected a column 'fold'.*data\.split_column="):
    read(write("x.csv", "a,train"), "fold")


def test_file_names_give_the_splits(write):
  write("train-1.csv", "a,")
  write("train-2.csv", "b,")
  given, rows = read(write("test.csv", "c,"))
  assert given == ("train", "eval")
  assert placed(rows) == {"a": "train", "b": "train", "c": "eval"}


def test_a_third_table_beside_train_and_test_is_refused(write):
  # Dropping the splits would draw the rows of test into train.
  write("train.csv", "a,")
  write("test.csv", "b,")
  root = write("more.csv", "c,")
  with pytest.raises(BadInputError) as caught:
    read(root)
  assert str(caught.value) == (
    f"Beside 'train.csv' in {str(root)!r} lie tables of no split: 'more.csv'. Call them train, val "
    "or test as the others are, or move them away."
  )
  (root / "more.csv").rename(root / "train-more.csv")
  assert placed(read(root)[1]) == {"a": "train", "b": "eval", "c": "train"}


def test_splits_stand_anywhere_in_names_that_differ_by_them(write):
  write("reviews_train.csv", "a,")
  root = write("reviews_test.csv", "b,")
  given, rows = read(root)
  assert given == ("train", "eval")
  assert placed(rows) == {"a": "train", "b": "eval"}
  write("reviews_unlabelled.csv", "c,")
  with pytest.raises(BadInputError, match="tables of no split: 'reviews_unlabelled.csv'"):
    read(root)


def test_a_column_of_splits_counts_more_than_names(write):
  write("train.csv", "a,train")
  given, rows = read(write("more.csv", "b,test"), split_column="part")
  assert given == ("train", "eval")
  assert placed(rows) == {"a": "train", "b": "eval"}


def test_names_without_train_give_no_splits(write):
  write("test.csv", "a,")
  given, rows = read(write("dev.csv", "b,"))
  assert given == ()
  assert placed(rows) == {"a": None, "b": None}


def test_bad_rows_are_rejected_with_their_bytes(write):
  _, rows = read(write("x.csv", "a,b,c", "fine,"))
  assert rows[0] == Rejected(
    origin="x.csv, row 2",
    reason="expected 2 fields, as in the header; the row has 3",
    data=b"a,b,c",
  )
  assert rows[1].row.values == {"text": "fine"}
  assert rows[1].data == b'{"text": "fine"}'


def test_a_shard_has_rows_from_all_over(write):
  path = write("x.csv", *(f"{n},-" for n in range(20_000)))
  columns = text_tables.find_columns(str(path), {}, {"text": ()})
  shards, _ = text_tables.plan_table(str(path), columns)
  firsts = [
    [next(text_tables.read_table({"parts": [part]})).row.number for part in shard["parts"]]
    for shard in shards
  ]
  assert firsts == [[2, 10_002], [5_002, 15_002]]


def test_a_column_of_splits_that_is_not_read_is_told_with_its_setting(write):
  path = write("x.csv", "a,train", "b,test", header="text,Split")
  found = text_tables.find_columns(str(path), {}, {"text": ()})
  [left] = text_tables.unread(str(path), found)
  assert left.name == "column 'Split'"
  assert left.reason == "not used; data.split_column=... does"
  found = text_tables.find_columns(str(path), {"split_column": "Split"}, {"text": ()})
  assert text_tables.unread(str(path), found) == []
