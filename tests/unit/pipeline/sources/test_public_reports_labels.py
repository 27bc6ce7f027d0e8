"""Labels as public bug reports had them: one label is one class, whatever the source that holds it.

Each test names the report. What a label may be is held by tests of `pipeline.sources.labels`; here
every source is held to it.
"""

from __future__ import annotations

import csv
import decimal
import json

import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.tasks import get_task

DISTINCT = ("007", "7", "None", "null", "NaN", "NA", "1.10", "1.1")


class Writers:
  """Writes rows of a label each as every kind of source that can hold them; two rows a label."""

  def __init__(self, root, make_picture):
    self._root = root
    self._make_picture = make_picture

  def csv(self, labels):
    return self._delimited("x.csv", labels, ["text", "label"], "a film {}")

  def jsonl(self, labels):
    rows = [{"text": f"a film {n}", "label": label} for n, label in enumerate(labels)]
    text = "\n".join(map(json.dumps, rows))
    (self._root / "x.jsonl").write_text(text)
    return "sentiment", "table", self._root / "x.jsonl"

  def parquet(self, labels, kind=None):
    texts = [f"a film {n}" for n, _ in enumerate(labels)]
    table = pa.table({"text": texts, "label": pa.array(labels, kind)})
    parquet.write_table(table, self._root / "x.parquet")
    return "sentiment", "table", self._root / "x.parquet"

  def manifest(self, labels):
    for n, _ in enumerate(labels):
      (self._root / f"{n}.png").write_bytes(self._make_picture(seed=n))
    path = self._delimited("x.csv", labels, ["path", "label"], "{}.png")[2]
    return "images", "manifest", path

  def folder(self, labels):
    for n, label in enumerate(labels):
      (self._root / label).mkdir(exist_ok=True)
      (self._root / label / f"{n}.txt").write_text(f"a film {n}")
    return "sentiment", "folder", self._root

  def lines(self, labels):
    for label in dict.fromkeys(labels):
      (self._root / f"{label}.txt").write_text("a film\na book\n")
    return "sentiment", "lines", self._root

  def tfrecord(self, labels):
    with tf.io.TFRecordWriter(str(self._root / "x.tfrecord")) as writer:
      for n, label in enumerate(labels):
        example = tf.train.Example()
        example.features.feature["text"].bytes_list.value.append(f"a film {n}".encode())
        example.features.feature["label"].bytes_list.value.append(label.encode())
        writer.write(example.SerializeToString())
    return "sentiment", "tfrecord", self._root / "x.tfrecord"

  def _delimited(self, name, labels, header, cell):
    with open(self._root / name, "w", encoding="utf-8", newline="") as file:
      rows = [(cell.format(n), label) for n, label in enumerate(labels)]
      csv.writer(file).writerows([header, *rows])
    return "sentiment", "table", self._root / name


@pytest.fixture
def writers(tmp_path, make_picture):
  return Writers(tmp_path, make_picture)


def read(task, name, path):
  known = get_task(task)
  source, options = known.sources[name], known.data_options.defaults()
  plan = source.plan(str(path), options)
  shards = json.loads(json.dumps(list(plan.shards)))
  return plan, [record for shard in shards for record in source.read(shard, options)]


def classes(source):
  plan, records = read(*source)
  found = {record.features["label"] for record in records if isinstance(record, Record)}
  assert set(plan.labels) in (set(), found)
  return found


KINDS = ("csv", "jsonl", "parquet", "manifest", "folder", "tfrecord")


@pytest.mark.parametrize("kind", KINDS)
def test_spellings_of_one_label_are_one_class_in_every_source(kind, writers):
  # pandas writes 0.0 and 1.0 where a label of the column is missing; autogluon/autogluon#253 and
  # evidentlyai/evidently#1603 have True beside true; macOS decomposes accents.
  spellings = ["1", "1.0", "True", "TRUE", "true", "caf\u00e9", "cafe\u0301", "pos", "pos\u200b"]
  assert classes(getattr(writers, kind)(spellings * 2)) == {"1", "true", "caf\u00e9", "pos"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_null_words_and_leading_zeros_stay_classes_in_every_source(kind, writers):
  # pandas-dev/pandas#16078, ludwig-ai/ludwig#406.
  assert classes(getattr(writers, kind)(DISTINCT * 2)) == set(DISTINCT)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_a_label_of_two_lines_is_set_aside_in_every_source(kind, writers):
  # TensorFlow Transform's vocabularies drop what holds a line break; training then ended with
  # "Received a label value of -1".
  source = getattr(writers, kind)(["pos", "neg", "po\ns", "neg\u2028", "ne\u2028g"] * 2)
  _, records = read(*source)
  reasons = sorted({record.reason for record in records if isinstance(record, Rejected)})
  assert reasons == [
    "the label holds a line break (U+000A); a class is called by one line of text",
    "the label holds a line break (U+2028); a class is called by one line of text",
  ]
  assert {r.features["label"] for r in records if isinstance(r, Record)} == {"pos", "neg"}


def test_a_folder_whose_name_has_two_lines_is_refused(writers):
  source = writers.folder(["pos", "neg", "po\ns"] * 2)
  with pytest.raises(BadInputError, match=r"cannot name a class: .* line break .*Rename it"):
    read(*source)


def test_files_of_lines_are_named_by_the_rules_of_labels(writers):
  assert classes(writers.lines(["TRUE", "False", "cafe\u0301", "7"])) == {
    "true",
    "false",
    "caf\u00e9",
    "7",
  }


def test_a_file_of_lines_whose_name_has_two_lines_is_refused(writers):
  with pytest.raises(BadInputError, match=r"cannot name a class: .* line break .*Rename it"):
    read(*writers.lines(["pos", "neg", "po\ns"]))


def test_folders_that_differ_in_blanks_are_one_class(writers):
  # huggingface/datasets#4015.
  assert classes(writers.folder(["cat", "cat ", "dog"] * 2)) == {"cat", "dog"}


@pytest.mark.parametrize("kind", ["jsonl", "tfrecord"])
def test_a_label_with_a_nul_is_set_aside(kind, writers):
  # mlflow/mlflow#25172.
  _, records = read(*getattr(writers, kind)(["pos", "neg", "a\0b"] * 2))
  reasons = [record.reason for record in records if isinstance(record, Rejected)]
  assert len(reasons) == 2
  assert all("NUL" in reason for reason in reasons)


@pytest.mark.parametrize(
  ("values", "kind"),
  [
    # NVIDIA/cudf#3053, DTStack/chunjun#753: labels of SQL and Spark.
    ([decimal.Decimal(0), decimal.Decimal(1)], pa.decimal128(10, 0)),
    ([decimal.Decimal("0.00"), decimal.Decimal("1.00")], pa.decimal128(10, 2)),
    ([0, 1], pa.int8()),
    ([0, 1], pa.uint64()),
    ([0.0, 1.0], pa.float32()),
    ([0.0, 1.0], pa.float64()),
    (["0", "1.0"], pa.large_string()),
    ([b"0", b"1"], pa.binary()),
    (["0", "1"], pa.dictionary(pa.int8(), pa.string())),
  ],
)
def test_a_class_of_a_number_has_one_name_in_every_type(values, kind, writers):
  assert classes(writers.parquet(values * 2, kind)) == {"0", "1"}


def test_a_float32_label_is_written_as_it_was_meant(writers):
  assert classes(writers.parquet([0.1, 2.5] * 2, pa.float32())) == {"0.1", "2.5"}


@pytest.mark.parametrize(
  ("label", "kind"),
  [([1], pa.list_(pa.int64())), ({"a": 1}, pa.struct([("a", pa.int64())]))],
)
def test_a_nested_label_is_refused_with_what_to_do(label, kind, writers):
  with pytest.raises(BadInputError, match="cast the column to text or to a number"):
    read(*writers.parquet([label] * 4, kind))


def test_train_and_test_have_the_same_classes(tmp_path):
  (tmp_path / "train.csv").write_text("text,label\na,0\nb,1\nc,0\nd,1\n")
  (tmp_path / "test.csv").write_text("text,label\ne,0.0\nf,1.0\n")
  _, records = read("sentiment", "table", tmp_path)
  assert [(r.features["label"], r.split) for r in records if r.split == "eval"] == [
    ("0", "eval"),
    ("1", "eval"),
  ]
  assert {r.features["label"] for r in records} == {"0", "1"}


def test_the_csv_the_json_and_the_parquet_of_one_table_have_the_same_classes(writers):
  values = [True, False, 1, 2.0, None]
  written = ["True", "False", "1", "2.0", ""]  # as pandas writes them
  expected = {"true", "false", "1", "2"}
  assert classes(writers.jsonl(values * 2)) == expected
  assert classes(writers.csv(written * 2)) == expected
  assert classes(writers.parquet([True, False, None] * 2)) == {"true", "false"}


def test_nan_and_infinity_are_no_classes(tmp_path):
  # ludwig-ai/ludwig#807.
  labels = ["NaN", "Infinity", "-Infinity", "1", "0", "1", "0"]
  (tmp_path / "x.jsonl").write_text(
    "".join(f'{{"text": "film {n}", "label": {label}}}\n' for n, label in enumerate(labels))
  )
  _, records = read("sentiment", "table", tmp_path / "x.jsonl")
  assert [record.reason for record in records if isinstance(record, Rejected)] == [
    "the label is empty",
    "the label is inf, no finite number",
    "the label is -inf, no finite number",
  ]
