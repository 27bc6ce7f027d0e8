"""What an input is cut into, and what is refused before anything heavy is loaded."""

import dataclasses
import functools
import gzip
import pathlib
import types

import pytest

from components.errors import BadInputError
from pipeline.batch.inputs import plan_input, read_rows
from pipeline.sources import texts

TEXT = types.SimpleNamespace(
  name="toy",
  input_key="text",
  input_kind="text",
  label_key="label",
  data_options={},
  request_value=str,
)


def _task(**changes):
  return types.SimpleNamespace(**{**vars(TEXT), **changes})


def _rows(plan, request_value=str):
  return [row for shard in plan.shards for row in read_rows(plan, shard, request_value)]


def test_a_table_needs_no_option_where_its_columns_have_the_usual_names(tmp_path):
  (tmp_path / "in.csv").write_text("label,text,id\nx,one,7\n", encoding="utf-8")
  plan = plan_input(TEXT, str(tmp_path / "in.csv"))
  assert (plan.columns, plan.input_column, plan.generated_id) == (("id", "text"), "text", False)
  assert _rows(plan) == [(("7", "one"), b"one", None)]


def test_rows_without_an_id_are_numbered_as_a_person_counts(tmp_path):
  (tmp_path / "in.csv").write_text("text\none\ntwo\n", encoding="utf-8")
  plan = plan_input(TEXT, str(tmp_path / "in.csv"))
  assert [row.cells for row in _rows(plan)] == [(2, "one"), (3, "two")]


def test_the_column_of_the_tasks_options_comes_before_the_inputs_name(tmp_path):
  (tmp_path / "in.csv").write_text("text,source\na,b\n", encoding="utf-8")
  task = _task(data_options={"text_column": "source"})
  assert plan_input(task, str(tmp_path / "in.csv")).input_column == "source"
  assert plan_input(task, str(tmp_path / "in.csv"), column="text").input_column == "text"


def test_a_column_of_another_option_is_taken_but_never_the_labels(tmp_path):
  (tmp_path / "in.csv").write_text("label,source\na,b\n", encoding="utf-8")
  for default in ("source", None):
    options = {"label_column": "label", "split_column": None, "source_column": default}
    plan = plan_input(_task(data_options=options), str(tmp_path / "in.csv"))
    assert plan.input_column == "source"


def test_the_only_column_is_the_input(tmp_path):
  (tmp_path / "in.csv").write_text("Satz\na\n", encoding="utf-8")
  assert plan_input(TEXT, str(tmp_path / "in.csv")).columns == ("id", "Satz")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_an_only_column_that_is_several_is_no_input_unless_named(tmp_path, separator):
  path = tmp_path / "in.csv"
  path.write_text(f"\ufefftext{separator}label\r\na film{separator}pos\r\n", encoding="utf-8")
  with pytest.raises(BadInputError, match="Fields of a CSV are separated by commas"):
    plan_input(TEXT, str(path))
  plan = plan_input(TEXT, str(path), column=f"text{separator}label")
  assert [row.value for row in _rows(plan)] == [f"a film{separator}pos".encode()]


@pytest.mark.parametrize(
  ("name", "data"),
  [
    ("in.csv", b"text,label\n"),
    ("in.csv", b"text,label\n\n\n"),
    ("in.csv.gz", gzip.compress(b"text,label\n", mtime=0)),
    ("in.txt", b""),
    ("in.txt.gz", gzip.compress(b"", mtime=0)),
  ],
)
def test_an_input_without_rows_is_refused(tmp_path, name, data):
  (tmp_path / name).write_bytes(data)
  with pytest.raises(BadInputError) as caught:
    plan_input(TEXT, str(tmp_path / name))
  assert str(caught.value) == (
    f"Expected at least one row to predict in {str(tmp_path / name)!r}. It has none; check that it "
    "is the right one."
  )


def test_one_table_of_several_may_be_empty(tmp_path):
  (tmp_path / "1.csv").write_text("text\n", encoding="utf-8")
  with pytest.raises(BadInputError, match="Expected at least one row"):
    plan_input(TEXT, str(tmp_path))
  (tmp_path / "2.csv").write_text("text\na\n", encoding="utf-8")
  assert [row.value for row in _rows(plan_input(TEXT, str(tmp_path)))] == [b"a"]


def test_kept_columns_stand_once_and_in_the_order_asked_for(tmp_path):
  (tmp_path / "in.csv").write_text("a,text,b\n1,one,2\n", encoding="utf-8")
  path = str(tmp_path / "in.csv")
  assert plan_input(TEXT, path, keep=["b", "text", "a"]).columns == ("id", "text", "b", "a")
  assert plan_input(TEXT, path, keep=["*"], id_column="b").columns == ("b", "text", "a")
  same = plan_input(TEXT, path, id_column="text")
  assert same.columns == ("text",)
  assert _rows(same) == [(("one",), b"one", None)]


@pytest.mark.parametrize(
  ("name", "options", "message"),
  [
    ("absent.csv", {}, "Expected a CSV, TSV, JSONL or Parquet file"),
    ("notes.pdf", {}, "Expected a CSV, TSV, JSONL or Parquet file"),
    ("empty", {}, "Expected a CSV, TSV, JSONL or Parquet file"),
    ("in.csv", {"column": "txt"}, "Expected a column 'txt' in .* Its columns are: a, b. Name the"),
    ("in.csv", {}, "Expected a column 'text' in .* Name the right one with --column"),
    ("in.csv", {"column": "a", "id_column": "i"}, "column 'i' in .* one with --id-column"),
    ("in.csv", {"column": "a", "keep": ["k"]}, "column 'k' in .* Name the right one with --keep"),
    ("in.txt", {"column": "a"}, "--column names a column of a table, and '.*in.txt' is none."),
    ("in.txt", {"id_column": "a"}, "--id-column names a column of a table"),
    ("in.txt", {"keep": ["*"]}, "--keep names a column of a table"),
  ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, options, message):
  (tmp_path / "in.csv").write_text("a,b\n1,2\n", encoding="utf-8")
  (tmp_path / "in.txt").write_text("a\n", encoding="utf-8")
  (tmp_path / "notes.pdf").write_text("a\n", encoding="utf-8")
  (tmp_path / "empty").mkdir()
  with pytest.raises(BadInputError, match=message):
    plan_input(TEXT, str(tmp_path / name), **options)


def test_an_empty_folder_of_files_is_refused(tmp_path):
  with pytest.raises(BadInputError, match="Expected files in the folder .* Found none"):
    plan_input(_task(input_kind="file"), str(tmp_path))


def test_a_folder_that_links_to_itself_ends(tmp_path):
  (tmp_path / "a").mkdir()
  (tmp_path / "a" / "one").write_text("1")
  (tmp_path / "a" / "loop").symlink_to(tmp_path)
  plan = plan_input(_task(input_kind="file"), str(tmp_path))
  assert plan.shards == [{"names": ["a/one"]}]


def test_names_that_are_no_text_are_shown_escaped_and_read(tmp_path):
  name = b"caf\xe9.bin"
  with open(bytes(tmp_path) + b"/" + name, "wb") as f:
    f.write(b"content")
  plan = plan_input(_task(input_kind="file"), str(tmp_path))
  [row] = _rows(plan, lambda path: pathlib.Path(path).read_bytes())
  assert row == (("caf\\udce9.bin",) * 2, b"content", None)


def test_lines_of_paths_are_relative_to_the_file(tmp_path):
  (tmp_path / "in.txt").write_text("a/one\n", encoding="utf-8")
  plan = plan_input(_task(input_kind="file"), str(tmp_path / "in.txt"))
  assert plan.columns == ("id", "path")
  [row] = _rows(plan, lambda path: path)
  assert row == ((1, "a/one"), str(tmp_path / "a/one").encode(), None)


def test_values_that_cannot_be_sent_are_errors_of_their_rows(tmp_path):
  (tmp_path / "in.txt").write_text("fine\nrefused\nnumber\nhalf\n", encoding="utf-8")

  def request_value(text):
    if text == "refused":
      raise BadInputError("no such thing")
    if text == "number":
      raise ValueError("the text is no string, but a int")
    return text if text == "fine" else "\ud800"

  plan = plan_input(TEXT, str(tmp_path / "in.txt"))
  first, second, third, fourth = _rows(plan, request_value)
  assert (first.value, first.error) == (b"fine", None)
  assert (second.value, second.error) == (None, "no such thing")
  assert (third.value, third.error) == (None, "the text is no string, but a int")
  assert (fourth.value, fourth.error) == (None, "the input is no valid UTF-8: byte 0xED")


def test_bytes_are_the_models_to_refuse(tmp_path):
  (tmp_path / "in.txt").write_bytes(b"sch\xf6n\n\n")
  plan = plan_input(TEXT, str(tmp_path / "in.txt"))
  first, second = _rows(plan, functools.partial(texts.as_bytes, what="the text"))
  assert first == ((1, "sch\\xf6n"), b"sch\xf6n", None)
  assert second == ((2, ""), b"", None)


def test_a_plan_without_shards_still_reads_them(tmp_path):
  """Workers get their shard as an element; the list of all would travel with each of them."""
  (tmp_path / "in.txt").write_text("a\n", encoding="utf-8")
  plan = plan_input(TEXT, str(tmp_path / "in.txt"))
  slim = dataclasses.replace(plan, shards=())
  assert list(read_rows(slim, plan.shards[0], str)) == [((1, "a"), b"a", None)]
