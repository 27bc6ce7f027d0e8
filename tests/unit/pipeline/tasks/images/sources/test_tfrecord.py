"""TFRecords: features found or named, pixel vectors and encoded pictures, damaged records."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.tasks.images.sources import infer_image_size, tfrecord


def example(**features) -> bytes:
  built = tf.train.Example()
  for name, value in features.items():
    target = built.features.feature[name.replace("__", "/")]
    if isinstance(value, bytes):
      target.bytes_list.value.append(value)
    elif isinstance(value, int):
      target.int64_list.value.append(value)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "iu":
      target.int64_list.value.extend(int(v) for v in value)
    else:
      target.float_list.value.extend(value)
  return built.SerializeToString()


def write(path, examples, compression="") -> str:
  with tf.io.TFRecordWriter(str(path), compression) as f:
    for serialized in examples:
      f.write(serialized)
  return str(path)


def read_all(path, **options):
  plan = tfrecord.plan(path, options)
  return plan, [r for shard in plan.shards for r in tfrecord.read(shard, options)]


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_encoded_pictures_are_found(compression, tmp_path, make_picture):
  images = [make_picture("JPEG", seed=i) for i in range(4)]
  path = write(
    tmp_path / "x.tfrecord",
    [example(image__encoded=x, image__class__label=i, height=10) for i, x in enumerate(images)],
    compression,
  )
  _, records = read_all(path)
  assert [r.features["label"] for r in records] == ["0", "1", "2", "3"]
  assert [r.features["image"] for r in records] == images
  assert records[2].origin == "x.tfrecord[2]"


def test_the_label_s_text_is_preferred(tmp_path, make_picture):
  data = example(jpg=make_picture("JPEG"), class__label=3, class__text="Bär".encode())
  _, (record,) = read_all(write(tmp_path / "x.tfrecord", [data]))
  assert record.features["label"] == "Bär"


def test_features_are_named_by_options(tmp_path, make_picture):
  data = example(a=make_picture(seed=1), b=make_picture(seed=2), x=1, y=2)
  path = write(tmp_path / "x.tfrecord", [data])
  _, (record,) = read_all(path, image_feature="b", label_feature="y")
  assert record.features["image"] == make_picture(seed=2)
  assert record.features["label"] == "2"


@pytest.mark.parametrize(
  ("values", "expected"),
  [
    (np.linspace(0, 1, 25, dtype=np.float32), np.rint(np.linspace(0, 255, 25))),
    (np.linspace(-0.5, 0.5, 25, dtype=np.float32), np.rint(np.linspace(0, 255, 25))),
    (np.linspace(-1, 1, 25, dtype=np.float32), np.rint(np.linspace(0, 255, 25))),
    (np.arange(25, dtype=np.float32), np.arange(25)),
    (np.arange(25) % 2, np.arange(25) % 2),
  ],
)
def test_pixel_vectors_become_pictures(values, expected, tmp_path):
  _, (record,) = read_all(write(tmp_path / "x.tfrecord", [example(pixels=values, label=7)]))
  decoded = tf.io.decode_image(record.features["image"], channels=1).numpy()
  assert decoded.shape == (5, 5, 1)
  assert np.abs(decoded.ravel().astype(int) - expected.astype(int)).max() <= 1


def test_rgb_pixel_vectors(tmp_path):
  values = np.arange(48)
  _, (record,) = read_all(write(tmp_path / "x.tfrecord", [example(pixels=values, label=7)]))
  decoded = tf.io.decode_image(record.features["image"], channels=3).numpy()
  assert (decoded == values.reshape(4, 4, 3)).all()


def test_bad_records_are_rejected_with_their_bytes(tmp_path, make_picture):
  good = example(image=make_picture(), label=1)
  bad = [b"\xff\xff no example", example(image=make_picture()), example(image=b"text", label=1)]
  _, records = read_all(write(tmp_path / "x.tfrecord", [good, *bad, good]))
  assert [type(r) for r in records] == [Record, Rejected, Rejected, Rejected, Record]
  assert [r.reason for r in records[1:4]] == [
    "the record is no tf.Example",
    "the record has no feature 'label'",
    "not a JPEG, PNG, GIF or BMP picture, but text",
  ]
  assert [r.data for r in records[1:4]] == [bad[0], bad[1], b"text"]


def test_a_damaged_file_is_read_up_to_the_damage(tmp_path, make_picture):
  path = write(
    tmp_path / "x.tfrecord", [example(image=make_picture(seed=i), label=i) for i in range(3)]
  )
  data = bytearray(pathlib.Path(path).read_bytes())
  data[len(data) // 2] ^= 1
  pathlib.Path(path).write_bytes(data)
  _, records = read_all(path)
  assert [type(r) for r in records] == [Record, Rejected]
  assert records[1].reason.startswith("the file is damaged from here on: corrupted record")


def refusal(path, **options) -> str:
  with pytest.raises(BadInputError) as caught:
    tfrecord.plan(path, options)
  return str(caught.value)


def test_records_without_a_picture_or_a_label_are_refused(tmp_path, make_picture):
  path = write(tmp_path / "a.tfrecord", [example(x=1, y=2)])
  assert "Expected a picture in the records" in refusal(path)
  path = write(tmp_path / "b.tfrecord", [example(image=make_picture(), x=1, y=2)])
  assert "They have: image, x, y" in refusal(path)
  assert "Expected a feature 'z'" in refusal(path, label_feature="z")


def test_no_records_are_refused(tmp_path):
  assert "Found none" in refusal(write(tmp_path / "a.tfrecord", []))
  assert "Found none at" in refusal(str(tmp_path / ".."))


def test_matches_by_name_or_by_framing(tmp_path, make_picture):
  write(tmp_path / "part-00000-of-00001", [example(image=make_picture(), label=1)])
  (tmp_path / "README").write_text("not one of them, though longer than twelve bytes")
  assert tfrecord.matches(str(tmp_path))
  assert tfrecord.matches(str(tmp_path / "part-00000-of-00001"))
  assert not tfrecord.matches(str(tmp_path / "README"))


def test_mnist(dataset):
  path = dataset("mnist_tfrecord_1k")
  plan, records = read_all(path)
  assert plan.shards[0]["image_feature"] == "image_floats"
  assert plan.shards[0]["label_feature"] == "image_class"
  assert plan.shards[0]["range"] == [-0.5, 0.5]
  assert len(records) == 1000
  assert {r.features["label"] for r in records} == {str(d) for d in range(10)}
  assert infer_image_size("tfrecord", path, {}) == 28


def test_splits_are_those_of_the_names(tmp_path, make_picture):
  for name in ("train.tfrecord", "validation.tfrecord", "test.tfrecord"):
    write(tmp_path / name, [example(image=make_picture("PNG", seed=len(name)), label=1)])
  plan, records = read_all(str(tmp_path))
  assert plan.given_splits == ("train", "val", "eval")
  assert sorted((r.origin, r.split) for r in records) == [
    ("test.tfrecord[0]", "eval"),
    ("train.tfrecord[0]", "train"),
    ("validation.tfrecord[0]", "val"),
  ]
