"""Tables of reviews: columns, labels, what is quarantined and what is refused."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.problems import labels, number
from pipeline.tasks.sentiment.sources import table

ROWS = [("A good film, really.", "pos"), ("so\nbad", "neg"), ('"Nice"', "pos"), ("no", "neg")]


@pytest.fixture
def write(tmp_path):
  def write(text, name="x.csv"):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path / name

  return write


def features(records):
  return [(r.features["text"], r.features["label"]) for r in records]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_format_gives_the_same_records(kind, tmp_path, read_all):
  path = tmp_path / f"x.{kind}"
  if kind == "csv":
    path.write_text(
      'text,label\n"A good film, really.",pos\n"so\nbad",neg\n"""Nice""",pos\nno,neg\n'
    )
  elif kind == "jsonl":
    path.write_text("".join(json.dumps({"text": t, "label": lb}) + "\n" for t, lb in ROWS))
  else:
    texts, labels = zip(*ROWS, strict=True)
    parquet.write_table(pa.table({"text": texts, "label": labels}), path)
  plan, records = read_all("table", path)
  assert features(records) == ROWS
  assert records[0] == Record(
    features={
      "text": "A good film, really.",
      "label": "pos",
      "length_bucket": "001-010 words",
    },
    content=b"a good film really",
    split=None,
    origin=f"x.{kind}, row {2 if kind == 'csv' else 1}",
  )
  assert plan.given_splits == ()


def test_columns_are_named_or_guessed(write, read_all):
  path = write("id,Review,Sentiment,stars\n1,a,x,5\n2,b,y,1\n3,c,x,5\n4,d,y,1\n")
  assert features(read_all("table", path)[1])[0] == ("a", "x")
  assert features(read_all("table", path, label_column="stars")[1])[0] == ("a", "5")
  with pytest.raises(BadInputError) as caught:
    read_all("table", path, text_column="words")
  assert str(caught.value) == (
    f"Expected a column 'words' in {str(path)!r}. Its columns are: id, Review, Sentiment, stars. "
    "Name the right one with --set data.text_column=..."
  )


def test_labels_of_other_types(write, read_all):
  rows = [(1, "a"), (1.0, "b"), (True, "c"), (True, "d"), (None, "e"), ([1], "f")]
  text = "".join(json.dumps({"text": t, "label": lb}) + "\n" for lb, t in rows)
  _, records = read_all("table", write(text, "x.jsonl"))
  assert [r.features["label"] for r in records[:4]] == ["1", "1", "true", "true"]
  assert [(r.origin, r.reason) for r in records[4:]] == [
    ("x.jsonl, row 5", "the label is empty"),
    (
      "x.jsonl, row 6",
      "the label is no single value, but a list; cast the column to text or to a number",
    ),
  ]


def test_what_cannot_be_used_is_rejected_with_its_row(write, read_all):
  good = "a,pos\nb,pos\nc,neg\nd,neg\n"
  data = ("text,label\n" + good).encode() + b"sch\xf6n,pos\n  ,pos\nx,\ny\n" + b"z" * 21 + b",neg\n"
  _, records = read_all("table", write(data), max_chars=20)
  rejected = [r for r in records if isinstance(r, Rejected)]
  assert [(r.origin, r.reason, r.data) for r in rejected] == [
    ("x.csv, row 6", "no valid UTF-8: byte 0xF6 in column 'text'", b"sch\xf6n,pos"),
    ("x.csv, row 7", "the text is empty", b'{"text": "  ", "label": "pos"}'),
    ("x.csv, row 8", "the label is empty", b'{"text": "x", "label": ""}'),
    ("x.csv, row 9", "expected 2 fields, as in the header; the row has 1", b"y"),
    (
      "x.csv, row 10",
      "the text has more characters than data.max_chars = 20",
      b'{"text": "zzzzzzzzzzzzzzzzzzzzz", "label": "neg"}',
    ),
  ]
  assert len(records) == 9


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("text,label\na,pos\nb,pos\n", "Found: 'pos'"),
    ("text,label\na,pos\nb,pos\nc,neg\n", "Found one of 'neg'"),
    ("text,label\n", "Found: none. Add rows"),
    (b"text,label\n\xff,pos\n", "Found: none; x.csv, row 2 cannot be used: no valid UTF-8"),
    (b"text,label\n\xff,pos\n", "column 'text'. Save the file as UTF-8, a CSV for example with"),
    ("a,pos\nb,neg\n", "Expected a column 'text'"),
  ],
)
def test_a_table_that_cannot_be_used_is_refused(text, words, write, read_all):
  with pytest.raises(BadInputError) as caught:
    read_all("table", write(text))
  assert words in str(caught.value)


def test_near_twins_share_a_split(write, read_all):
  _, records = read_all("table", write('text,label\n"Good, film!",a\ngood film,b\nx,a\ny,b\n'))
  assert records[0].content == records[1].content != records[2].content


def test_the_fingerprint_follows_file_and_options(write, read_all):
  path = write("text,label\na,x\nb,x\nc,y\nd,y\n")
  first = read_all("table", path)[0].fingerprint
  assert read_all("table", path)[0].fingerprint == first
  assert read_all("table", path, max_chars=7)[0].fingerprint != first
  write("text,label\na,x\nb,x\nc,y\nd,y\ne,y\n")
  assert read_all("table", path)[0].fingerprint != first


def test_the_three_tables_of_a_competition_are_refused_with_what_helps(tmp_path, read_all):
  # tensorflow/datasets#349: train.csv, test.csv without labels, sample_submission.csv.
  rows = "".join(f"{n},text {n},{n % 2}\n" for n in range(20))
  (tmp_path / "train.csv").write_text(f"id,review,sentiment\n{rows}")
  (tmp_path / "test.csv").write_text("id,review\n20,text 20\n")
  (tmp_path / "sample_submission.csv").write_text("id,sentiment\n20,0\n")
  with pytest.raises(BadInputError) as caught:
    read_all("table", tmp_path)
  message = str(caught.value)
  assert "'sample_submission.csv', 'test.csv' do not have them" in message
  assert message.endswith(f"move it away, or give --data {tmp_path / 'train.csv'}")
  plan, _ = read_all("table", message.rsplit(" ", 1)[1])
  assert plan.sentences() == [
    (
      "Read as table: text = column 'review', label = column 'sentiment'; 1 file: train.csv; "
      "splits of its own: train."
    ),
    "Not read: column 'id' (not used).",
  ]


def _read_as(problem, path, **options):
  plan = table.plan(str(path), options, problem)
  shards = json.loads(json.dumps(list(plan.shards)))
  return plan, [r for shard in shards for r in table.read(shard, options, problem)]


def test_labels_may_be_several_with_a_separator_of_ones_own(write):
  path = write("text,label\none,a; b\ntwo,b\nthree,\nfour,c|d\n")
  _, records = _read_as(labels.PROBLEM, path, label_separator=";")
  assert [r.features["label"] for r in records] == [["a", "b"], ["b"], [], ["c|d"]]
  plans = [_read_as(labels.PROBLEM, path, label_separator=s)[0] for s in (";", "; ", ";")]
  prints = [plan.fingerprint for plan in plans]
  assert prints[0] == prints[2] != prints[1]


def test_several_labels_may_be_a_list(tmp_path):
  lists = [["a", "b"], [], ["b"], None]
  rows = {"text": ["one", "two", "three", "four"], "label": pa.array(lists, pa.list_(pa.string()))}
  parquet.write_table(pa.table(rows), tmp_path / "x.parquet")
  _, records = _read_as(labels.PROBLEM, tmp_path / "x.parquet")
  assert [r.features["label"] for r in records] == [["a", "b"], [], ["b"], []]


@pytest.mark.parametrize("problem", [labels.PROBLEM, number.PROBLEM])
def test_a_missing_column_is_an_error_whatever_the_labels_are(write, problem):
  with pytest.raises(BadInputError, match="label"):
    _read_as(problem, write("text,other\none,1\ntwo,2\n"))


def test_labels_may_be_numbers(write):
  path = write("text,label\none,1.5\ntwo,\nthree,1e400\nfour,-3\n")
  _, records = _read_as(number.PROBLEM, path)
  found = [r.features["label"] if isinstance(r, Record) else r.reason for r in records]
  assert found == [
    1.5,
    "the number is missing",
    "'1e400' is no finite number that float32 can hold",
    -3.0,
  ]
