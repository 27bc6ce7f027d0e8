"""Whole batches through Beam: every input layout, every format, order, errors and types."""

import csv
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from dlpipe.errors import BadInputError, DlpipeError
from pipeline.batch import predict
from pipeline.batch.inputs import plan_input
from pipeline.batch.outputs import plan_output
from pipeline.batch.run import run
from pipeline.settings.config import PipelineConfig


@pytest.fixture
def batch(tasks, tmp_path, text_model, blob_model):
  """Returns a function that predicts an input and returns what came of it."""

  def predicted(name, source, output, *, shards=None, vectors=False, batch_size=4, **columns):
    task = tasks(name)
    return run(
      PipelineConfig(task=name, data_path="", workspace=str(tmp_path / "ws")),
      model_dir=text_model if name == "toy" else blob_model,
      inputs=plan_input(task, str(source), **columns),
      outputs=plan_output(str(output), input_path=str(source), shards=shards),
      batch_size=batch_size,
      vectors=vectors,
    )

  return predicted


def _json_rows(path):
  return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_csv_comes_back_in_its_order_with_its_columns(batch, tmp_path):
  source, output = tmp_path / "in.csv", tmp_path / "out.csv"
  source.write_text(
    'key,text,label,note\n7,"long, and\nquoted",x,n1\n5,boom,y,n2\n7,é,z,"a ""b"""\n', "utf-8"
  )
  done = batch("toy", source, output, id_column="key", keep=["note", "label"])
  assert output.read_bytes().decode("utf-8").startswith("key,text,note,label,predicted_label,sco")
  assert b"\r\n" in output.read_bytes()
  with output.open(encoding="utf-8", newline="") as f:
    first, second, third = csv.DictReader(f)
  assert first == {
    "key": "7",
    "text": "long, and\nquoted",
    "note": "n1",
    "label": "x",
    "predicted_label": "LONG, AND\nQUOTED",
    "score": "0.05882353",
    "error": "",
  }
  assert (third["key"], third["predicted_label"], third["note"]) == ("7", "É", 'a "b"')
  assert second["predicted_label"] == second["score"] == ""
  assert "boom is no value" in second["error"]
  assert (done.rows, done.errors, done.renamed) == (3, 1, {"label": "predicted_label"})
  assert done.first_error == second["error"]
  assert done.outputs == [str(output)]


def test_jsonl_is_not_escaped_and_a_bad_row_is_a_row(batch, tmp_path):
  source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
  lines = ['{"id": 1, "text": "ü🙂"}', '{"id": 2, "text"', '{"id": 3}', '{"id": "x", "text": 5}']
  source.write_text("\n".join(lines) + "\n", encoding="utf-8")
  done = batch("toy", source, output, vectors=True)
  first, second, third, fourth = _json_rows(output)
  assert first == {
    "id": 1,
    "text": "ü🙂",
    "label": "Ü🙂",
    "score": 0.14285715,
    "scores": [0.14285715, 0.85714287],
    "error": None,
  }
  assert "ü🙂" in output.read_text(encoding="utf-8")
  assert second["id"] == "in.jsonl, row 2"
  assert second["error"].startswith("in.jsonl, row 2: invalid JSON")
  assert (third["id"], third["error"]) == (3, "expected text in column 'text', found nothing")
  assert (fourth["id"], fourth["text"]) == ("x", 5)
  assert fourth["error"] == "expected text in column 'text', found int 5"
  assert fourth["label"] is fourth["score"] is fourth["scores"] is None
  assert (done.rows, done.errors) == (4, 3)


def test_parquet_keeps_its_types_and_the_models(batch, tmp_path):
  schema = pa.schema(
    [
      ("id", pa.uint16()),
      ("text", pa.large_string()),
      ("day", pa.date32()),
      ("kind", pa.dictionary(pa.int8(), pa.string())),
      ("tags", pa.list_(pa.int32())),
      ("nothing", pa.float32()),
    ]
  )
  columns = {
    "id": [3, 1, 2],
    "text": ["abc", None, "a"],
    "day": [1, 2, 3],
    "kind": ["x", "y", "x"],
    "tags": [[1], [], None],
    "nothing": [None, None, None],
  }
  source, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
  parquet.write_table(pa.table(columns, schema=schema), source)
  batch("toy", source, output, keep=["*"], vectors=True)
  found = parquet.read_table(output)
  added = {
    "label": pa.string(),
    "scores": pa.list_(pa.float32()),
    "score": pa.float32(),
    "error": pa.string(),
  }
  assert {field.name: field.type for field in found.schema} == {
    **{field.name: field.type for field in parquet.read_schema(source)},
    **added,
  }
  assert found.select(schema.names).equals(parquet.read_table(source))
  assert found["label"].to_pylist() == ["ABC", None, "A"]
  assert found["score"].to_pylist() == [0.25, None, 0.5]
  assert found["error"].to_pylist()[0] is None
  assert found["error"].to_pylist()[1] == "expected text in column 'text', found nothing"


def test_parquet_takes_its_types_from_json_as_a_whole(batch, tmp_path, monkeypatch):
  monkeypatch.setattr(predict, "CHUNK_ROWS", 2)
  rows = [
    {"id": 1, "text": "a", "n": 1, "mixed": "s", "deep": {"k": [1]}, "big": 2**70},
    {"id": 2, "text": "b", "n": 2, "mixed": "t", "deep": None, "big": 1},
    {"id": 3, "text": "c", "n": 2.5, "mixed": 7, "deep": [True], "big": 2},
  ]
  source, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
  source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
  batch("toy", source, output, keep=["n", "mixed", "deep", "big"])
  found = parquet.read_table(output)
  assert found.schema.field("id").type == pa.int64()
  assert found["n"].to_pylist() == [1.0, 2.0, 2.5]
  assert found["mixed"].to_pylist() == ["s", "t", "7"]
  assert found["deep"].to_pylist() == ['{"k": [1]}', None, "[true]"]
  assert found["big"].to_pylist() == [str(2**70), "1", "2"]


def test_lines_are_numbered_and_none_is_lost(batch, tmp_path):
  source, output = tmp_path / "in.txt", tmp_path / "out.jsonl"
  source.write_bytes(b"\xef\xbb\xbfone\r\n\nb\xffd\nboom\n" + "la\u2028st".encode())
  done = batch("toy", source, output)
  rows = _json_rows(output)
  assert [(row["id"], row["text"], row["label"]) for row in rows] == [
    (1, "one", "ONE"),
    (2, "", ""),
    (3, "b\\xffd", None),
    (4, "boom", None),
    (5, "la\u2028st", "LA\u2028ST"),
  ]
  assert rows[2]["error"] == "the input is no valid UTF-8: byte 0xFF"
  assert done.errors == 2


def test_a_folder_gives_a_row_for_each_visible_file(batch, tmp_path):
  folder = tmp_path / "in"
  for name in ("b.bin", "a/deep/z.bin", ".hidden", "a/.hidden/x.bin", "c.bin"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(name.encode())
  (folder / "c.bin").write_bytes(b"boom")
  (folder / "gone").symlink_to(tmp_path / "nowhere")
  done = batch("blobs", folder, tmp_path / "out.jsonl")
  rows = _json_rows(tmp_path / "out.jsonl")
  assert [(row["id"], row["path"], row["label"]) for row in rows] == [
    ("a/deep/z.bin", "a/deep/z.bin", "A/DEEP/Z.BIN"),
    ("b.bin", "b.bin", "B.BIN"),
    ("c.bin", "c.bin", None),
    ("gone", "gone", None),
  ]
  assert rows[3]["error"] == f"Cannot read {str(folder / 'gone')!r}: No such file or directory."
  assert (done.rows, done.errors) == (4, 2)


def test_a_table_of_paths_is_relative_to_itself(batch, tmp_path):
  (tmp_path / "blobs").mkdir()
  (tmp_path / "blobs" / "one").write_bytes(b"abc")
  (tmp_path / "in.tsv").write_text("nr\tpath\n10\tblobs/one\n11\tblobs/two\n", encoding="utf-8")
  batch("blobs", tmp_path / "in.tsv", tmp_path / "out.jsonl", id_column="nr")
  first, second = _json_rows(tmp_path / "out.jsonl")
  assert (first["nr"], first["path"], first["label"]) == ("10", "blobs/one", "ABC")
  assert second["label"] is None
  assert second["error"].endswith("blobs/two': No such file or directory.")


def test_several_tables_make_ids_of_file_and_row(batch, tmp_path):
  (tmp_path / "in").mkdir()
  (tmp_path / "in" / "2.csv").write_text("text\nc\n", encoding="utf-8")
  (tmp_path / "in" / "1.csv").write_text("text\na\nb\n", encoding="utf-8")
  batch("toy", tmp_path / "in", tmp_path / "out.jsonl")
  rows = _json_rows(tmp_path / "out.jsonl")
  assert [(row["id"], row["label"]) for row in rows] == [
    ("1.csv:2", "A"),
    ("1.csv:3", "B"),
    ("2.csv:2", "C"),
  ]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_many_parts_join_in_order_and_shards_are_even(batch, tmp_path, monkeypatch, suffix):
  monkeypatch.setattr(predict, "CHUNK_ROWS", 7)
  # Texts of falling length, so that sorting within a chunk turns each around.
  texts = ['q"uote\n' + "x" * (60 - n) for n in range(50)]
  source = tmp_path / "in.jsonl"
  lines = (json.dumps({"id": n, "text": text}) for n, text in enumerate(texts))
  source.write_text("\n".join(lines), encoding="utf-8")
  done = batch("toy", source, tmp_path / f"out.{suffix}", shards=3)
  names = [f"out-0000{n}-of-00003.{suffix}" for n in range(3)]
  assert done.outputs == [str(tmp_path / name) for name in names]
  found = []
  for name, count in zip(names, (16, 17, 17), strict=True):
    rows = _rows(tmp_path / name)
    assert len(rows) == count
    found += rows
  assert [int(row["id"]) for row in found] == list(range(50))
  assert [row["label"] for row in found] == [text.upper() for text in texts]
  assert not list(tmp_path.glob(".*"))


def _rows(path):
  if path.suffix == ".parquet":
    return parquet.read_table(path).to_pylist()
  if path.suffix == ".csv":
    with path.open(encoding="utf-8", newline="") as f:
      return list(csv.DictReader(f))
  return _json_rows(path)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_fewer_rows_than_shards_make_a_file_without_rows(batch, tmp_path, suffix):
  (tmp_path / "in.csv").write_text("id,text\n7,a\n", encoding="utf-8")
  done = batch("toy", tmp_path / "in.csv", tmp_path / f"out.{suffix}", shards=2)
  assert (done.rows, done.errors, done.first_error) == (1, 0, None)
  empty, full = (tmp_path / f"out-0000{n}-of-00002.{suffix}" for n in range(2))
  assert (_rows(empty), [row["label"] for row in _rows(full)]) == ([], ["A"])
  if suffix == "csv":
    assert empty.read_text() == "id,text,label,score,error\n"


def test_a_worker_that_fails_leaves_nothing(batch, tmp_path, monkeypatch):
  def full(path, layout, columns):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr("pipeline.batch.text_format.write_jsonl", full)
  (tmp_path / "in.csv").write_text("text\na\n", encoding="utf-8")
  with pytest.raises(Exception, match="no space is left on a disk"):
    batch("toy", tmp_path / "in.csv", tmp_path / "out.jsonl")
  assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "tasks"]


def test_an_output_that_appears_meanwhile_is_not_replaced(batch, tmp_path, monkeypatch):
  output = tmp_path / "out.jsonl"
  (tmp_path / "in.csv").write_text("text\na\n", encoding="utf-8")
  load = predict.ShardReport.load
  monkeypatch.setattr(
    predict.ShardReport, "load", lambda *args: (output.write_text("mine"), load(*args))[1]
  )
  with pytest.raises(BadInputError, match="exists. Name another --output, or add --overwrite"):
    batch("toy", tmp_path / "in.csv", output)
  assert output.read_text() == "mine"


def test_a_model_that_is_none_is_one_message(batch, tmp_path, text_model):
  (tmp_path / "in.csv").write_text("text\na\n", encoding="utf-8")
  broken = tmp_path / "model"
  broken.mkdir()
  (broken / "saved_model.pb").write_bytes((text_model / "saved_model.pb").read_bytes()[:100])
  with pytest.raises(DlpipeError, match="model"):
    run(
      PipelineConfig(task="toy", data_path="", workspace=str(tmp_path)),
      model_dir=broken,
      inputs=plan_input(_toy(), str(tmp_path / "in.csv")),
      outputs=plan_output(str(tmp_path / "out.csv"), input_path=str(tmp_path / "in.csv")),
      batch_size=1,
    )


def _toy():
  import pipeline.tasks

  return pipeline.tasks.get_task("toy")
