"""TFRecords of texts: features found or named, bad records, damage."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected


def example(**features) -> bytes:
  built = tf.train.Example()
  for name, value in features.items():
    target = built.features.feature[name]
    if isinstance(value, bytes):
      target.bytes_list.value.append(value)
    elif isinstance(value, int):
      target.int64_list.value.append(value)
    else:
      target.float_list.value.append(value)
  return built.SerializeToString()


@pytest.fixture
def write(tmp_path):
  def write(examples, compression="", name="x.tfrecord"):
    path = tmp_path / name
    with tf.io.TFRecordWriter(str(path), compression) as f:
      for serialized in examples:
        f.write(serialized)
    return path

  return write


ROWS = [("a good film", 1), ("a bad film", 0), ("the best", 1), ("the worst", 0)]


@pytest.mark.parametrize("compression", ["", "GZIP"])
@pytest.mark.parametrize("name", ["text", "words"])
def test_features_are_found(name, compression, write, read_all):
  path = write(
    [example(**{name: t.encode()}, label=lb, id=n) for n, (t, lb) in enumerate(ROWS)], compression
  )
  plan, records = read_all("tfrecord", path)
  assert plan.shards[0]["text_feature"] == name
  assert [(r.features["text"], r.features["label"]) for r in records] == [
    (text, str(label)) for text, label in ROWS
  ]
  assert records[2].origin == "x.tfrecord[2]"


def test_features_are_named_by_options(write, read_all):
  path = write([example(text=b"x y", other=t.encode(), k=0.5 + lb, label=7) for t, lb in ROWS])
  _, records = read_all("tfrecord", path, text_feature="other", label_feature="k")
  assert records[0].features["text"] == "a good film"
  assert [r.features["label"] for r in records] == ["1.5", "0.5", "1.5", "0.5"]
  with pytest.raises(BadInputError, match=r"Expected a feature 'z'.*data\.text_feature"):
    read_all("tfrecord", path, text_feature="z")


def test_bad_records_are_rejected_with_their_bytes(write, read_all):
  bad = [b"\xff\xff", example(text=b"no label"), example(text=b"\xff", label=1)]
  path = write([*(example(text=t.encode(), label=lb) for t, lb in ROWS), *bad])
  _, records = read_all("tfrecord", path)
  assert [(r.reason, r.data) for r in records[4:]] == [
    ("the record is no tf.Example", bad[0]),
    ("the record has no feature 'label'", bad[1]),
    ("the text is no valid UTF-8: byte 0xFF", bad[2]),
  ]


def test_a_damaged_file_is_read_up_to_the_damage(write, read_all):
  path = write([example(text=t.encode(), label=lb) for t, lb in ROWS * 3])
  data = bytearray(pathlib.Path(path).read_bytes())
  data[-20] ^= 1
  path.write_bytes(data)
  _, records = read_all("tfrecord", path)
  assert [type(r) for r in records] == [Record] * 11 + [Rejected]
  assert records[-1].reason.startswith("the file is damaged from here on: corrupted record")


def test_records_without_a_text_or_classes_are_refused(write, read_all):
  with pytest.raises(BadInputError, match="Expected one feature with a text"):
    read_all("tfrecord", write([example(x=1, label=1)]))
  with pytest.raises(BadInputError, match="Found: '1'"):
    read_all("tfrecord", write([example(text=b"a b", label=1)] * 3))
  with pytest.raises(BadInputError, match="Expected one feature with a label"):
    read_all("tfrecord", write([example(text=b"a b", p=1, q=1)]))


def test_splits_are_those_of_the_names(write, read_all):
  for split in ("test", "train"):
    rows = [(f"{split} {text}", label) for text, label in ROWS]
    path = write(
      [example(text=t.encode(), label=lb) for t, lb in rows],
      name=f"reviews-{split}.tfrecord-00000-of-00001",
    )
  plan, records = read_all("tfrecord", path.parent)
  assert plan.given_splits == ("train", "eval")
  assert [r.split for r in records] == ["eval"] * 4 + ["train"] * 4
  write([example(text=b"one more", label=1)], name="reviews-more.tfrecord")
  with pytest.raises(BadInputError, match="of no split: 'reviews-more.tfrecord'"):
    read_all("tfrecord", path.parent)
