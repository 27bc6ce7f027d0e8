"""What an input is cut into, and what is refused before anything heavy is loaded."""

import dataclasses
import functools
import gzip
import json
import pathlib
import types

import pyarrow as pa
import pydantic
import pytest
from pyarrow import parquet

from dlpipe.errors import BadInputError
from pipeline.batch.inputs import plan_input, read_rows
from pipeline.params import DataOptions
from pipeline.sources.text_files import texts
from pipeline.task import Input
from pipeline.tasks import get_task


def _options(**defaults):
  fields = {name: (str | None, value) for name, value in defaults.items()}
  return pydantic.create_model("Options", __base__=DataOptions, **fields)


TEXT = types.SimpleNamespace(
  name="toy",
  label_key="label",
  data_options=DataOptions,
  sources={},
  input=Input(key="text", value=str, sample=str),
)


def _task(*, kind="text", **changes):
  changes["input"] = dataclasses.replace(TEXT.input, kind=kind)
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
  task = _task(data_options=_options(text_column="source"))
  assert plan_input(task, str(tmp_path / "in.csv")).input_column == "source"
  assert plan_input(task, str(tmp_path / "in.csv"), column="text").input_column == "text"


def test_a_column_of_another_option_is_taken_but_never_the_labels(tmp_path):
  (tmp_path / "in.csv").write_text("label,source\na,b\n", encoding="utf-8")
  for default in ("source", None):
    options = _options(label_column="label", split_column=None, source_column=default)
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
    plan_input(_task(kind="file"), str(tmp_path))


def test_a_folder_that_links_to_itself_ends(tmp_path):
  (tmp_path / "a").mkdir()
  (tmp_path / "a" / "one").write_text("1")
  (tmp_path / "a" / "loop").symlink_to(tmp_path)
  plan = plan_input(_task(kind="file"), str(tmp_path))
  assert plan.shards == [{"names": ["a/one"]}]


def test_names_that_are_no_text_are_shown_escaped_and_read(tmp_path):
  name = b"caf\xe9.bin"
  with open(bytes(tmp_path) + b"/" + name, "wb") as f:
    f.write(b"content")
  plan = plan_input(_task(kind="file"), str(tmp_path))
  [row] = _rows(plan, lambda path: pathlib.Path(path).read_bytes())
  assert row == (("caf\\udce9.bin",) * 2, b"content", None)


def test_lines_of_paths_are_relative_to_the_file(tmp_path):
  (tmp_path / "in.txt").write_text("a/one\n", encoding="utf-8")
  plan = plan_input(_task(kind="file"), str(tmp_path / "in.txt"))
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


def _bytes(value):
  return texts.as_bytes(value, "the text")


@pytest.mark.parametrize(
  ("task", "header", "column"),
  [
    ("sentiment", "stars,review", "review"),
    ("sentiment", "Review ,stars", "Review"),
    ("sentiment", "comment,text", "text"),
    ("translation", "id,src,target", "src"),
    ("images", "file_name,width", "file_name"),
  ],
)
def test_a_column_that_run_finds_by_itself_is_found(tmp_path, task, header, column):
  (tmp_path / "in.csv").write_text(f"{header}\n{','.join('abc'[: header.count(',') + 1])}\n")
  plan = plan_input(get_task(task), str(tmp_path / "in.csv"))
  assert plan.input_column == column
  assert bool(plan.guess) == (column != "text")


def test_two_columns_that_may_be_meant_are_refused_by_name(tmp_path):
  (tmp_path / "in.csv").write_text("review,comment,stars\na,b,1\n")
  path = str(tmp_path / "in.csv")
  with pytest.raises(BadInputError, match="Several columns .* 'review', 'comment'.* --column"):
    plan_input(get_task("sentiment"), path)
  assert plan_input(get_task("sentiment"), path, column="comment").input_column == "comment"


def test_a_column_nearly_named_is_pointed_out(tmp_path):
  (tmp_path / "in.csv").write_text("Review Text,stars\na,1\n")
  path = str(tmp_path / "in.csv")
  with pytest.raises(BadInputError, match="Did you mean 'Review Text'"):
    plan_input(TEXT, path, column="review_text")
  with pytest.raises(BadInputError, match="'star' .* Did you mean 'stars'"):
    plan_input(TEXT, path, column="stars", keep=["star"])


def test_a_named_column_is_taken_at_its_word(tmp_path):
  (tmp_path / "in.csv").write_text("review,stars\na,1\n")
  with pytest.raises(BadInputError, match="Expected a column 'text'"):
    plan_input(get_task("sentiment"), str(tmp_path / "in.csv"), column="text")


def test_tables_are_read_with_the_separator_and_without_the_header_that_are_said(tmp_path):
  (tmp_path / "in.csv").write_text("7;a film\n8;a, b\n")
  (tmp_path / "in.dat").write_text("review|stars\na film|1\n")
  options = {"separator": "semicolon", "header": False}
  plan = plan_input(TEXT, str(tmp_path / "in.csv"), options=options, column="2", id_column="1")
  assert _rows(plan) == [(("7", "a film"), b"a film", None), (("8", "a, b"), b"a, b", None)]
  sentiment = get_task("sentiment")
  plan = plan_input(sentiment, str(tmp_path / "in.dat"), options={"separator": "pipe"})
  assert _rows(plan, _bytes) == [((2, "a film"), b"a film", None)]
  counted = plan_input(
    sentiment, str(tmp_path / "in.dat"), options={"separator": "|", "header": True}, column="1"
  )
  assert counted.input_column == "review"


@pytest.mark.parametrize("option", [{"separator": ";"}, {"header": False}])
def test_a_dialect_of_what_has_none_is_refused(tmp_path, option):
  (tmp_path / "in.txt").write_text("a\n")
  (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
  if "header" in option:
    with pytest.raises(BadInputError, match="data.header is said of a table"):
      plan_input(TEXT, str(tmp_path / "in.txt"), options=option)
  with pytest.raises(BadInputError, match="data.separator and data.header are for CSV and TSV"):
    plan_input(TEXT, str(tmp_path / "in.jsonl"), options=option)


def test_the_column_of_the_settings_is_the_input(tmp_path):
  (tmp_path / "in.csv").write_text("text,body of it\na,b\n")
  options = {"text_column": "body of it"}
  plan = plan_input(get_task("sentiment"), str(tmp_path / "in.csv"), options=options)
  assert plan.input_column == "body of it"


def test_a_first_row_that_is_an_input_is_no_header(tmp_path):
  path = tmp_path / "in.csv"
  path.write_text("A film that I loved.\nA film that I hated.\n")
  with pytest.raises(BadInputError, match="looks like an input and no header.*data.header=false"):
    plan_input(TEXT, str(path))
  assert len(_rows(plan_input(TEXT, str(path), options={"header": False}))) == 2
  assert len(_rows(plan_input(TEXT, str(path), options={"header": True}))) == 1


def test_rows_with_an_error_keep_what_can_be_read(tmp_path):
  path = tmp_path / "in.csv"
  path.write_bytes(
    b'id,text,stars\n007,fine,5\n008,Caf\xe9,4\n009,one, more,5\n010\n011,"open,5\n012,fine,1\n'
  )
  rows = _rows(plan_input(TEXT, str(path), keep=["stars"]), _bytes)
  assert [row.cells for row in rows] == [
    ("007", "fine", "5"),
    ("008", "Caf\\xe9", "4"),
    ("009", None, None),
    ("in.csv, row 5", None, None),
    ("011", None, None),
    ("012", "fine", "1"),
  ]
  assert [row.error and row.error.partition(":")[0] for row in rows] == [
    None, "in.csv, row 3", "in.csv, row 4", "in.csv, row 5", "in.csv, row 6", None,
  ]  # fmt: skip


def test_binary_and_dictionary_columns_are_text_as_in_training(tmp_path):
  table = pa.table(
    {
      "id": pa.array([1, 2, 3]),
      "text": pa.array([b"gut", b"sch\xf6n", None], pa.binary()),
      "kind": pa.array(["a", None, "a"]).dictionary_encode(),
    }
  )
  parquet.write_table(table, tmp_path / "in.parquet")
  plan = plan_input(TEXT, str(tmp_path / "in.parquet"), keep=["*"])
  rows = _rows(plan, _bytes)
  assert [row.value for row in rows] == [b"gut", b"sch\xf6n", b""]
  assert [row.cells[2] for row in rows] == ["a", None, "a"]
  plan = plan_input(TEXT, str(tmp_path / "in.parquet"), column="kind")
  assert [row.value for row in _rows(plan, _bytes)] == [b"a", b"", b"a"]


def test_paths_are_found_as_the_sources_find_them(tmp_path):
  (tmp_path / "pictures").mkdir()
  (tmp_path / "pictures" / "a.png").write_bytes(b"content")
  images = get_task("images")
  cells = ["pictures\\a.png", " pictures/a.png ", "", None, 7, "https://a.b/c.png"]
  (tmp_path / "in.jsonl").write_text("".join(json.dumps({"path": c}) + "\n" for c in cells))
  plan = plan_input(images, str(tmp_path / "in.jsonl"))
  rows = [
    row
    for shard in plan.shards
    for row in read_rows(plan, shard, images.input.value, images.input.find_file)
  ]
  assert [(row.value, row.error) for row in rows] == [
    (b"content", None),
    (b"content", None),
    (None, "the row names no picture"),
    (None, "the row names no picture"),
    (None, "the path is no string, but of type int"),
    (None, "the path is a URL; fetch the picture and name its file"),
  ]
