"""Class folders: what is listed, which splits are given, and what is refused."""

from __future__ import annotations

import os
import shutil

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.tasks.images.sources import folder


def read_all(path, **options):
  plan = folder.plan(str(path), options)
  return plan, [r for shard in plan.shards for r in folder.read(shard, options)]


def placed(records):
  return sorted((r.origin, r.features["label"], r.split) for r in records)


def test_the_folders_are_the_classes(class_folders):
  plan, records = read_all(class_folders("cat", "dog", count=2))
  assert plan.given_splits == ()
  assert plan.labels == ("cat", "dog")
  assert placed(records) == [
    ("cat/0.png", "cat", None),
    ("cat/1.png", "cat", None),
    ("dog/0.png", "dog", None),
    ("dog/1.png", "dog", None),
  ]


def test_folders_inside_a_class_belong_to_it(class_folders):
  _, records = read_all(class_folders("cat", "cat/2024/june", "dog", count=2))
  assert [r.features["label"] for r in records].count("cat") == 4


def test_files_of_the_system_are_ignored(class_folders):
  root = class_folders("cat", "dog", ".git", "__MACOSX", count=2)
  for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._0.png"):
    (root / "cat" / name).write_bytes(b"x")
  plan, records = read_all(root)
  assert plan.labels == ("cat", "dog")
  assert len(records) == 4
  assert all(isinstance(r, Record) for r in records)


def test_names_with_blanks_and_other_scripts(class_folders, make_picture):
  root = class_folders("große Katze", "собака", "猫", count=2)
  (root / "猫" / "mit Leer zeichen ñ.png").write_bytes(make_picture(seed=77))
  plan, records = read_all(root)
  assert plan.labels == ("große Katze", "собака", "猫")
  assert ("猫/mit Leer zeichen ñ.png", "猫", None) in placed(records)
  assert len(records) == 7


def test_a_decomposed_accent_is_the_same_class(class_folders):
  plan, _ = read_all(class_folders("train/cafe\u0301", "train/tea", "eval/caf\u00e9"))
  assert plan.labels == ("caf\u00e9", "tea")


def test_the_suffix_does_not_decide(class_folders, make_picture):
  root = class_folders("cat", "dog", count=2)
  (root / "cat" / "no_suffix").write_bytes(make_picture("JPEG"))
  (root / "cat" / "wrong.jpg").write_bytes(make_picture("PNG", seed=5))
  (root / "dog" / "notes.txt").write_bytes(b"hello")
  _, records = read_all(root)
  rejected = [r for r in records if isinstance(r, Rejected)]
  assert [(r.origin, r.reason) for r in rejected] == [
    ("dog/notes.txt", "not a JPEG, PNG, GIF or BMP picture, but text")
  ]
  assert len(records) - len(rejected) == 6


def test_a_picture_beside_the_classes_is_rejected_and_other_files_are_not_records(
  class_folders, make_picture
):
  root = class_folders("cat", "dog", count=2)
  (root / "stray.png").write_bytes(make_picture(seed=9))
  (root / "LICENSE").write_text("words")
  _, records = read_all(root)
  rejected = [r for r in records if isinstance(r, Rejected)]
  assert [(r.origin, r.file) for r in rejected] == [("stray.png", str(root / "stray.png"))]
  assert "no label" in rejected[0].reason


@pytest.mark.parametrize(
  ("folders", "given", "splits"),
  [
    (("train", "eval"), ("train", "eval"), {"train": "train", "eval": "eval"}),
    (("train", "test"), ("train", "eval"), {"train": "train", "test": "eval"}),
    (("train", "val"), ("train", "eval"), {"train": "train", "val": "eval"}),
    (
      ("Train", "validation", "test"),
      ("train", "val", "eval"),
      {"Train": "train", "validation": "val", "test": "eval"},
    ),
    (("train",), ("train",), {"train": "train"}),
  ],
)
def test_split_folders_give_the_splits(folders, given, splits, class_folders):
  plan, records = read_all(
    class_folders(*(f"{split}/{label}" for split in folders for label in ("cat", "dog")))
  )
  assert plan.given_splits == given
  assert {r.origin.split("/")[0]: r.split for r in records} == splits
  assert {r.features["label"] for r in records} == {"cat", "dog"}


def test_a_class_may_be_called_train(class_folders):
  plan, _ = read_all(class_folders("train", "plane"))
  assert (plan.labels, plan.given_splits) == (("plane", "train"), ())


def test_neighbours_in_a_shard_are_of_different_classes(class_folders):
  plan, _ = read_all(class_folders("a", "b", count=40))
  labels = [label for _, label, _ in plan.shards[0]["files"]]
  changes = sum(labels[i] != labels[i - 1] for i in range(1, len(labels)))
  assert len(labels) == 80
  assert changes > 20


def test_a_link_to_a_parent_does_not_loop(class_folders):
  root = class_folders("cat", "dog", count=2)
  os.symlink(root / "cat", root / "cat" / "again")
  _, records = read_all(root)
  assert len(records) == 4


def test_a_broken_link_is_rejected(class_folders):
  root = class_folders("cat", "dog", count=2)
  os.symlink(root / "nowhere.png", root / "cat" / "link.png")
  _, records = read_all(root)
  rejected = [r for r in records if isinstance(r, Rejected)]
  assert [r.reason for r in rejected] == ["the file cannot be read: No such file or directory"]


def test_the_fingerprint_follows_the_files(class_folders, make_picture):
  root = class_folders("cat", "dog")
  first = folder.plan(str(root), {}).fingerprint
  assert folder.plan(str(root), {}).fingerprint == first
  assert folder.plan(str(root), {"max_pixels": 10}).fingerprint != first
  (root / "cat" / "9.png").write_bytes(make_picture(seed=99))
  second = folder.plan(str(root), {}).fingerprint
  os.utime(root / "cat" / "9.png", (1, 1))
  third = folder.plan(str(root), {}).fingerprint
  (root / "cat" / "9.png").rename(root / "cat" / "8.png")
  assert len({first, second, third, folder.plan(str(root), {}).fingerprint}) == 4


def refusal(path) -> str:
  with pytest.raises(BadInputError) as caught:
    folder.plan(str(path), {})
  return str(caught.value)


def test_a_missing_path_is_refused(tmp_path):
  assert f"Nothing exists at {str(tmp_path / 'gone')!r}" in refusal(tmp_path / "gone")


def test_a_file_is_refused(tmp_path):
  (tmp_path / "x").write_bytes(b"")
  assert refusal(tmp_path / "x").endswith("x' is a file.")


def test_an_empty_folder_is_refused(tmp_path):
  assert "Found no picture in a class folder" in refusal(tmp_path)


def test_one_class_is_refused(class_folders):
  assert "Found only 'cat'" in refusal(class_folders("cat"))


def test_a_class_with_one_picture_needs_two_others_beside_it(class_folders, make_picture):
  root = class_folders("cat", "dog")
  (root / "owl").mkdir()
  (root / "owl" / "0.png").write_bytes(make_picture())
  assert folder.plan(str(root), {}).classes["owl"] == 1
  shutil.rmtree(root / "dog")
  assert "two classes with two pictures or more. Found one of 'owl'" in refusal(root)


def test_a_class_that_train_lacks_is_refused(class_folders):
  root = class_folders("train/cat", "train/dog", "eval/cat", "eval/owl")
  assert "Found 'owl' only in eval" in refusal(root)


def test_a_test_folder_without_classes_is_refused(class_folders):
  assert "the eval split would have no labels" in refusal(
    class_folders("train/cat", "train/dog", "test")
  )


def test_a_folder_that_is_no_split_is_refused(class_folders):
  assert "no split: 'extra'" in refusal(class_folders("train/cat", "train/dog", "extra/cat"))
