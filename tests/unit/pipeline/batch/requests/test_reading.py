"""The log is read row by row, whatever wrote it and wherever it ends."""

import gzip
import itertools
import os
import pathlib

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from dlpipe.errors import BadInputError
from pipeline.batch.requests import reading


def _read(log, key="text"):
  said = []
  return list(reading.read(log, key, tell=said.append)), said


def test_rows_come_back_as_they_were_asked_and_answered(write_log):
  log = write_log(("a fine film", "pos", 0.9), ("dull", "neg", 0.6), client=lambda n: f"order-{n}")
  rows, said = _read(reading.log_of(log, "sentiment"))
  assert said == []
  assert [(row.value, row.answer, row.version, row.client_id, row.why) for row in rows] == [
    (b"a fine film", {"label": "pos", "score": 0.9}, 3, "order-0", "sampled"),
    (b"dull", {"label": "neg", "score": 0.6}, 3, "order-1", "sampled"),
  ]
  assert len({row.id for row in rows}) == 2


@pytest.mark.parametrize("name", ["requests-1-1.tfrecord", ".requests-1-1.tfrecord"])
def test_a_log_of_an_older_release_or_of_examples_is_read(tmp_path, name):
  log = tmp_path / "m" / "span-1"
  log.mkdir(parents=True)
  example = tf.train.Example()
  example.features.feature["text"].bytes_list.value.append(b"fine")
  predict = prediction_log_pb2.PredictionLog()
  predict.predict_log.request.inputs["examples"].CopyFrom(
    tf.make_tensor_proto([example.SerializeToString()] * 2)
  )
  predict.predict_log.response.outputs["score"].CopyFrom(tf.make_tensor_proto([0.5, 0.25]))
  classify = prediction_log_pb2.PredictionLog()
  classify.classify_log.request.input.example_list.examples.append(example)
  classes = classify.classify_log.response.result.classifications.add().classes
  classes.add(label="a", score=0.25)
  classes.add(label="b", score=0.75)
  empty = prediction_log_pb2.PredictionLog()
  with tf.io.TFRecordWriter(str(log / name)) as writer:
    for record in (predict, classify, empty):
      writer.write(record.SerializeToString())
  rows, _ = _read(tmp_path / "m")
  assert [(row.id, row.value, row.answer.get("score")) for row in rows] == [
    ("requests-1-1-0/0", b"fine", 0.5),
    ("requests-1-1-0/1", b"fine", 0.25),
    ("requests-1-1-1", b"fine", 0.75),
  ]
  assert rows[2].answer["label"] == "b"
  # Where a row may have several labels, the best one is not the answer.
  *_, last = reading.read(tmp_path / "m", "text", tell=str, several=True)
  assert last.answer == {"labels": ["a", "b"], "scores": [0.25, 0.75]}


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_file_that_is_cut_off_is_read_up_to_there(write_log, cut):
  log = write_log(*[(f"text {n}", "pos", 0.5) for n in range(5)])
  [file] = log.glob("*/*/*")
  whole = file.read_bytes()
  file.write_bytes(whole[:-cut])
  rows, said = _read(reading.log_of(log, "sentiment"))
  assert len(rows) == 4
  assert said == [f"{file} ends within a record: its first 4 are read."]


def test_where_there_is_no_log_it_says_what_writes_one(tmp_path, write_log):
  with pytest.raises(BadInputError, match="`dlpipe serve images --log-requests` writes"):
    reading.log_of(tmp_path / "nothing", "images")
  log = write_log(("fine", "pos", 0.9), name="mine")
  with pytest.raises(BadInputError, match=f"Found those to mine: name one with --log {log}/mine"):
    reading.log_of(log, "images")
  assert reading.log_of(log / "mine", "images") == log / "mine"


def test_a_file_that_is_completed_meanwhile_is_read_once(write_log, monkeypatch):
  log = write_log(("fine", "pos", 0.9))
  [whole] = log.glob("*/*/*")
  hidden = whole.with_name(f".{whole.name}")
  whole.rename(hidden)
  place, glob = reading.log_of(log, "sentiment"), pathlib.Path.glob

  def watched(path, pattern):
    found = list(glob(path, pattern))
    if hidden.exists():
      hidden.rename(whole)
    return iter(found)

  monkeypatch.setattr(pathlib.Path, "glob", watched)
  assert [row.value for row in reading.read(place, "text", tell=print)] == [b"fine"]


def test_a_file_that_may_not_be_read_is_named(write_log, monkeypatch):
  log = write_log(("fine", "pos", 0.9))

  def refused(path, **options):
    raise tf.errors.PermissionDeniedError(None, None, f"{path}; Permission denied")

  monkeypatch.setattr(tf.data, "TFRecordDataset", refused)
  with pytest.raises(BadInputError, match=r"requests-.* cannot be read: .*Permission denied"):
    _read(reading.log_of(log, "sentiment"))


def test_answers_that_are_not_wanted_leave_the_rows_as_they_are(write_log):
  log = reading.log_of(write_log(*[(f"text {n}", "pos", 0.5) for n in range(130)]), "sentiment")
  whole, _ = _read(log)
  without = list(reading.read(log, "text", tell=print, answers=False))
  assert [row.answer for row in without] == [{}] * 130
  assert [(row.id, row.value) for row in without] == [(row.id, row.value) for row in whole]
  # Whose input is another one: the rows are there, and then it is refused.
  others = reading.read(log, "another", tell=print, answers=False)
  assert [row.value for row in itertools.islice(others, 130)] == [None] * 130


def test_files_that_somebody_packed_are_read_once(write_log):
  log = write_log(("fine", "pos", 0.9), ("dull", "neg", 0.6))
  [file] = log.glob("*/*/*")
  packed = file.with_name(f"{file.name}.gz")
  packed.write_bytes(gzip.compress(file.read_bytes()))
  before = _read(reading.log_of(log, "sentiment"))
  file.unlink()
  assert _read(reading.log_of(log, "sentiment")) == before
  assert [row.value for row in before[0]] == [b"fine", b"dull"]


def test_the_log_of_another_task_is_refused(write_log):
  log = write_log(("fine", "pos", 0.9), name="mine", key="document")
  with pytest.raises(BadInputError, match="They have document: this is the log of another task"):
    _read(log / "mine")


def test_a_day_that_is_deleted_meanwhile_is_not_there(write_log, monkeypatch):
  log = reading.log_of(write_log(("fine", "pos", 0.9)), "sentiment")
  gone, listed = log / "span-1", os.scandir
  gone.mkdir()

  def scandir(folder):
    if str(folder) == str(gone):
      gone.rmdir()
    return listed(folder)

  monkeypatch.setattr(os, "scandir", scandir)
  if hasattr(pathlib, "_NormalAccessor"):  # Python 3.10 keeps it here
    monkeypatch.setattr(pathlib._NormalAccessor, "scandir", staticmethod(scandir))
  assert [row.value for row in _read(log)[0]] == [b"fine"]
  assert not gone.exists()
