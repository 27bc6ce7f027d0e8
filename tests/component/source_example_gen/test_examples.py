"""`SourceExampleGen` on real pictures: its files, counts and quarantine, and TFX's cache."""

from __future__ import annotations

import collections
import json
import logging
import pathlib

from tfx.types import artifact_utils

from pipeline.rows.examples import read_examples


def test_every_picture_is_in_one_split_or_in_quarantine(run, class_folders, read_split):
  root = class_folders("cat", "dog", count=40)
  (root / "cat" / "bad picture ü.jpg").write_bytes(b"no picture")
  (root / "dog" / "empty.png").write_bytes(b"")
  examples, rejected = run(root)

  assert artifact_utils.decode_split_names(examples.split_names) == ["train", "val", "eval"]
  assert examples.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
  assert examples.get_string_custom_property("file_format") == "tfrecords_gzip"
  records = {split: read_split(examples, split) for split in ("train", "val", "eval")}
  images = [r["image"] for split in records.values() for r in split]
  files = [f.read_bytes() for f in root.glob("*/[0-9]*.png")]
  assert collections.Counter(images) == collections.Counter(files)

  summary = json.loads((rejected / "summary.json").read_text())
  assert summary["examples"] == {split: len(found) for split, found in records.items()}
  assert summary["labels"] == {
    split: dict(collections.Counter(r["label"].decode() for r in found))
    for split, found in records.items()
  }
  assert 6 <= summary["examples"]["val"] <= 32
  assert summary["quarantined"] == 2
  assert summary["reasons"] == {
    "not a JPEG, PNG, GIF or BMP picture, but text": 1,
    "the file is empty (zero bytes)": 1,
  }
  rows = [json.loads(line) for line in (rejected / "rejected.jsonl").read_text().splitlines()]
  kept = {row["origin"]: (rejected / row["file"]).read_bytes() for row in rows}
  assert kept == {"cat/bad picture ü.jpg": b"no picture", "dog/empty.png": b""}
  assert sorted(p.name for p in pathlib.Path(examples.uri).iterdir()) == [
    "Split-eval",
    "Split-train",
    "Split-val",
    "origins",
  ]


def test_the_same_input_gives_the_same_files(run, class_folders):
  root = class_folders("cat", "dog", count=20)
  runs = [run(root, name=name)[0] for name in ("first", "second")]
  contents = [
    {p.relative_to(e.uri): p.read_bytes() for p in pathlib.Path(e.uri).rglob("*.gz")} for e in runs
  ]
  assert len(contents[0]) == 6  # three splits, each with origins
  assert contents[0] == contents[1]


def test_every_example_has_the_name_of_its_file(run, class_folders):
  root = class_folders("cat", "dog", count=40)
  examples, _ = run(root)
  read = list(read_examples(pathlib.Path(examples.uri)))
  assert len(read) == 80
  assert {each.split for each in read} == {"train", "val", "eval"}
  for each in read:
    [image], [label] = each.values("image", "label")
    assert (root / each.origin.origin).read_bytes() == image
    assert each.origin.origin.startswith(f"{label.decode()}/")


def test_classes_are_mixed_in_the_files(run, class_folders, read_split):
  examples, _ = run(class_folders("cat", "dog", count=40))
  labels = [r["label"] for r in read_split(examples, "train")]
  changes = sum(labels[i] != labels[i - 1] for i in range(1, len(labels)))
  assert changes > len(labels) / 4


def test_equal_pictures_are_on_one_side(run, class_folders, read_split):
  root = class_folders("cat", "dog", count=30)
  for i in range(30):
    (root / "dog" / f"copy{i}.png").write_bytes((root / "cat" / f"{i}.png").read_bytes())
  examples, _ = run(root)
  sides = collections.defaultdict(set)
  for split in ("train", "val", "eval"):
    for record in read_split(examples, split):
      sides[record["image"]].add(split)
  assert len(sides) == 60
  assert {len(splits) for splits in sides.values()} == {1}


def test_given_splits_are_kept_and_val_comes_out_of_train(run, class_folders, read_split):
  root = class_folders("train/cat", "train/dog", "test/cat", "test/dog", count=25)
  examples, rejected = run(root)
  held_out = {f.read_bytes() for f in root.glob("test/*/*")}
  assert {r["image"] for r in read_split(examples, "eval")} == held_out
  counts = json.loads((rejected / "summary.json").read_text())["examples"]
  assert counts["eval"] == 50
  assert counts["train"] + counts["val"] == 50
  assert 3 <= counts["val"] <= 20


def test_a_handful_of_pictures_fills_every_split(run, class_folders, read_split):
  examples, rejected = run(class_folders("a", "b", count=3), val_fraction=0.1, eval_fraction=0.1)
  summary = json.loads((rejected / "summary.json").read_text())
  assert all(summary["examples"].values())
  assert sum(summary["examples"].values()) == 6
  assert set(summary["labels"]["train"]) == {"a", "b"}
  assert len(read_split(examples, "val")) == summary["examples"]["val"]


def test_a_split_of_fraction_zero_is_an_empty_file(run, class_folders, read_split):
  examples, rejected = run(class_folders("a", "b"), val_fraction=0.0)
  assert json.loads((rejected / "summary.json").read_text())["examples"]["val"] == 0
  assert read_split(examples, "val") == []


def test_without_a_label_key_nothing_is_counted(run, class_folders):
  _, rejected = run(class_folders("a", "b"), label_key="")
  labels = json.loads((rejected / "summary.json").read_text())["labels"]
  assert labels == {"train": {}, "val": {}, "eval": {}}


def test_progress_is_reported(run, class_folders, caplog):
  with caplog.at_level(logging.INFO, logger="dlpipe.progress"):
    run(class_folders("cat", "dog", count=10))
  assert caplog.records[-1].dlpipe == {"records": 20, "quarantined": 0}
