"""idx files: pixels survive, splits follow the names, damaged pairs are refused."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
import tensorflow as tf

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected, part_of_input
from pipeline.tasks.images.sources import idx, infer_image_size


def write_pair(folder, prefix, count=6, *, height=4, width=5, labels=None, packed=False):
  pixels = np.random.default_rng(count).integers(0, 256, (count, height, width), dtype=np.uint8)
  values = np.arange(count if labels is None else labels, dtype=np.uint8) % 3
  files = {
    f"{prefix}-images-idx3-ubyte": struct.pack(">4I", 0x803, count, height, width)
    + pixels.tobytes(),
    f"{prefix}-labels-idx1-ubyte": struct.pack(">2I", 0x801, len(values)) + values.tobytes(),
  }
  for name, data in files.items():
    if packed:
      (folder / f"{name}.gz").write_bytes(gzip.compress(data))
    else:
      (folder / name).write_bytes(data)
  return pixels


def read_all(path):
  plan = idx.plan(str(path), {})
  return plan, [r for shard in plan.shards for r in idx.read(shard, {})]


@pytest.mark.parametrize("packed", [False, True])
def test_pixels_labels_and_splits(packed, tmp_path):
  train = write_pair(tmp_path, "train", 6, packed=packed)
  write_pair(tmp_path, "t10k", 3, packed=packed)
  plan, records = read_all(tmp_path)
  assert plan.given_splits == ("train", "eval")
  assert [r.split for r in records] == ["eval"] * 3 + ["train"] * 6
  assert [r.features["label"] for r in records[3:]] == ["0", "1", "2", "0", "1", "2"]
  assert {r.features["size_bucket"] for r in records} == {"<=32"}
  for picture, record in zip(train, records[3:], strict=True):
    decoded = tf.io.decode_image(record.features["image"], channels=3).numpy()
    assert (decoded == picture[..., np.newaxis]).all()


def test_labels_txt_names_the_classes(tmp_path):
  write_pair(tmp_path, "train")
  (tmp_path / "labels.txt").write_text("coat\nshoe\n", encoding="utf-8")
  _, records = read_all(tmp_path)
  labels = [r.features["label"] for r in records if isinstance(r, Record)]
  assert labels == ["coat", "shoe", "coat", "shoe"]
  reasons = {r.reason for r in records if isinstance(r, Rejected)}
  assert reasons == {"labels.txt has no line for label 2"}


def test_the_plan_counts_the_classes(tmp_path):
  write_pair(tmp_path, "train", 7)
  assert idx.plan(str(tmp_path), {}).classes == {"0": 3, "1": 2, "2": 2}
  (tmp_path / "labels.txt").write_text("coat\nshoe\nbag\nhat\n", encoding="utf-8")
  (tmp_path / "readme.md").write_text("x")
  plan = idx.plan(str(tmp_path), {})
  assert plan.classes == {"coat": 3, "shoe": 2, "bag": 2, "hat": 0}
  assert plan.sentences() == [
    (
      "Read as idx: image = the -images- files, label = the -labels- files, named by labels.txt; "
      "7 rows; 2 files; 4 classes: bag (2), coat (3), hat (0), shoe (2); splits of its own: train."
    ),
    "Warning: the class hat is empty.",
    "Not read: readme.md (not a file of these pairs).",
  ]


def test_other_prefixes_leave_the_split_to_be_drawn(tmp_path):
  write_pair(tmp_path, "letters")
  plan, records = read_all(tmp_path)
  assert plan.given_splits == ()
  assert {r.split for r in records} == {None}


def test_shards_cover_all_records_once(tmp_path, monkeypatch):
  monkeypatch.setattr(idx, "_SHARD_RECORDS", 4)
  write_pair(tmp_path, "train", 10, packed=True)
  plan, records = read_all(tmp_path)
  assert [(s["start"], s["stop"]) for s in plan.shards] == [(0, 4), (4, 8), (8, 10)]
  assert [r.origin for r in records] == [f"train-images-idx3-ubyte.gz[{i}]" for i in range(10)]


def test_records_behind_a_cut_are_rejected(tmp_path):
  write_pair(tmp_path, "train", 6)
  file = tmp_path / "train-images-idx3-ubyte"
  file.write_bytes(file.read_bytes()[:-30])
  _, records = read_all(tmp_path)
  assert [type(r).__name__ for r in records] == ["Record"] * 4 + ["Rejected"] * 2
  assert records[4].reason == "the file is cut off before this record"


def test_an_archive_that_is_cut_off_is_rejected(tmp_path):
  write_pair(tmp_path, "train", 600, packed=True)
  file = tmp_path / "train-images-idx3-ubyte.gz"
  file.write_bytes(file.read_bytes()[:-2000])
  _, records = read_all(tmp_path)
  assert {type(r) for r in records} == {Rejected}
  assert len(records) == 600


def refusal(path) -> str:
  with pytest.raises(BadInputError) as caught:
    idx.plan(str(path), {})
  return str(caught.value)


def test_a_missing_half_is_refused(tmp_path):
  write_pair(tmp_path, "train")
  (tmp_path / "train-labels-idx1-ubyte").unlink()
  assert "The labels are missing: train-labels-idx1-ubyte" in refusal(tmp_path)


def test_different_counts_are_refused(tmp_path):
  write_pair(tmp_path, "train", 6, labels=5)
  assert "holds 6 pictures" in refusal(tmp_path)
  assert "5 labels" in refusal(tmp_path)


def test_a_wrong_magic_is_refused(tmp_path):
  write_pair(tmp_path, "train")
  (tmp_path / "train-images-idx3-ubyte").write_bytes(b"<html>not found</html>")
  assert "starting with the bytes 00000803. Received: 3c68746d" in refusal(tmp_path)


def test_an_empty_file_and_a_broken_archive_are_refused(tmp_path):
  write_pair(tmp_path, "train", packed=True)
  (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip")
  assert "cannot be read: Not a gzipped file" in refusal(tmp_path)
  (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"")
  assert "Received: nothing" in refusal(tmp_path)


def test_matches_only_a_folder_with_pictures(tmp_path):
  assert not idx.matches(str(tmp_path))
  write_pair(tmp_path, "train")
  assert idx.matches(str(tmp_path))
  assert not idx.matches(str(tmp_path / "train-images-idx3-ubyte"))


def test_fashion_mnist(dataset):
  path = dataset("fashion_mnist")
  plan = idx.plan(path, {})
  assert sum(s["stop"] - s["start"] for s in plan.shards) == 70_000
  assert plan.given_splits == ("train", "eval")
  assert infer_image_size("idx", path, {}) == 28


@pytest.mark.parametrize(
  ("names", "line"), [("coat\n\nshoe\n", 2), ("coat\nshoe\u2028boot\n", 2), ("c\0at\nshoe\n", 1)]
)
def test_a_line_of_labels_txt_that_names_no_class_is_refused(tmp_path, names, line):
  write_pair(tmp_path, "train")
  (tmp_path / "labels.txt").write_text(names, encoding="utf-8")
  with pytest.raises(BadInputError, match=rf"Received in line {line}: the label"):
    idx.plan(str(tmp_path), {})


def test_a_file_name_that_is_no_utf_8_is_escaped_in_origins(tmp_path):
  write_pair(tmp_path, "caf\udce9")
  _, [record, *_] = read_all(tmp_path)
  assert record.origin == "caf\\udce9-images-idx3-ubyte[0]"


@pytest.mark.parametrize(
  ("prefixes", "given"),
  [
    (("emnist-letters-test", "emnist-letters-train"), ("train", "eval")),  # EMNIST, QMNIST
    (("t10k", "train", "val"), ("train", "val", "eval")),
    (("train", "val"), ("train", "eval")),
    (("t10k",), ()),  # nothing of train is there: drawn
  ],
)
def test_splits_are_those_of_the_names(prefixes, given, tmp_path):
  for prefix in prefixes:
    write_pair(tmp_path, prefix)
  plan, records = read_all(tmp_path)
  assert plan.given_splits == given
  assert {r.split for r in records} == (set(given) or {None})


def test_two_lines_of_labels_txt_cannot_be_one_class(tmp_path):
  write_pair(tmp_path, "train")
  (tmp_path / "labels.txt").write_text("coat\nshoe\ncoat \n", encoding="utf-8")
  with pytest.raises(BadInputError, match="Lines 1 and 3 are both 'coat'"):
    idx.plan(str(tmp_path), {})


def test_one_class_is_refused_except_of_a_part(tmp_path):
  write_pair(tmp_path, "train", 1)
  with pytest.raises(BadInputError, match="at least two classes"):
    idx.plan(str(tmp_path), {})
  with part_of_input():
    assert idx.plan(str(tmp_path), {}).classes == {"0": 1}
