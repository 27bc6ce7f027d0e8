"""`SourceExampleGen` on real pictures: its files, counts and quarantine, and TFX's cache."""

from __future__ import annotations

import collections
import json
import logging
import pathlib
import shutil

import pytest
import tensorflow as tf
from tfx.components import StatisticsGen
from tfx.dsl.components.base import base_beam_executor
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import Quarantine
from components.source_example_gen import quarantine
from components.source_example_gen.component import SourceExampleGen
from components.source_example_gen.executor import Executor
from dlpipe.errors import BadInputError, DataRefusedError, DlpipeError
from pipeline.beam.options import beam_args
from pipeline.rows.examples import read_examples
from pipeline.settings.config import PipelineConfig

FOLDER = "pipeline.tasks.images.sources.folder"
IN_PROCESS = beam_args(PipelineConfig(task="t", data_path="", workspace=""))


@pytest.fixture
def run(tmp_path):
  """Returns a function that runs the executor and returns both artifacts' folders."""

  def run_executor(data_path, name="out", **exec_properties):
    examples, rejected = standard_artifacts.Examples(), Quarantine()
    for artifact, folder in ((examples, "examples"), (rejected, "quarantine")):
      artifact.uri = str(tmp_path / name / folder)
      (tmp_path / name / folder).mkdir(parents=True)
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=IN_PROCESS)
    properties = {
      "plan_fn": f"{FOLDER}.plan",
      "read_fn": f"{FOLDER}.read",
      "data_path": str(data_path),
      "options": "{}",
      "label_key": "label",
      "code_fingerprint": "",
      "val_fraction": 0.2,
      "eval_fraction": 0.2,
    }
    outputs = {"examples": [examples], "quarantine": [rejected]}
    Executor(context).Do({}, outputs, properties | exec_properties)
    return examples, pathlib.Path(rejected.uri)

  return run_executor


def read_split(examples, split):
  folder = pathlib.Path(artifact_utils.get_split_uri([examples], split))
  files = sorted(str(f) for f in folder.iterdir())
  records = tf.data.TFRecordDataset(files, compression_type="GZIP")
  parsed = [tf.train.Example.FromString(r.numpy()).features.feature for r in records]
  return [{k: v.bytes_list.value[0] for k, v in features.items()} for features in parsed]


def test_every_picture_is_in_one_split_or_in_quarantine(run, class_folders):
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


@pytest.fixture
def relabel(run, tmp_path):
  """Returns a function that runs with new labels by origin; returns both artifacts' folders."""

  def run_with(root, labels, name="relabelled"):
    file = tmp_path / "new.csv"
    lines = ["origin,split,new_label", *(f"{origin},train,{new}" for origin, new in labels.items())]
    file.write_text("\n".join(lines))
    return run(
      root,
      name,
      relabel=str(file),
      relabelled_key="label",
      read_label="pipeline.problems.classes.read_label",
    )

  return run_with


def _labels(examples):
  read = read_examples(pathlib.Path(examples.uri))
  return {each.origin.origin: (each.split, each.values("label")[0][0].decode()) for each in read}


def test_new_labels_replace_those_of_the_data_and_move_nothing(run, relabel, class_folders):
  root = class_folders("cat", "dog", count=20)
  before = _labels(run(root)[0])
  examples, rejected = relabel(root, {"cat/1.png": "dog", "cat/2.png": "", "dog/3.png": "cat"})
  after = _labels(examples)
  assert {name: split for name, (split, _) in after.items()} == {
    name: split for name, (split, _) in before.items()
  }
  assert {name: after[name][1] for name in after if after[name] != before[name]} == {
    "cat/1.png": "dog",
    "dog/3.png": "cat",
  }
  summary = json.loads((rejected / "summary.json").read_text())
  assert summary["relabelled"] == 2
  assert summary["recognized"]["sentences"][-1] == "2 labels come from data.relabel"
  assert sum(summary["labels"][split].get("cat", 0) for split in summary["labels"]) == 20
  assert (root / "cat" / "1.png").exists()


@pytest.mark.parametrize(
  ("labels", "why"),
  [
    ({"cat/1.png": "dog", "cat/77.png": "dog"}, "names 1 of 2 records that the data does not have"),
    ({"cat/1.png": "dgo"}, "the data has no label 'dgo'. Did you mean 'dog'?"),
    ({"cat/bad.jpg": "dog"}, "or that are in quarantine: 'cat/bad.jpg'"),
  ],
)
def test_new_labels_of_what_is_not_there_are_refused(relabel, class_folders, labels, why):
  root = class_folders("cat", "dog", count=20)
  (root / "cat" / "bad.jpg").write_bytes(b"no picture")
  with pytest.raises(BadInputError) as refused:
    relabel(root, labels)
  assert why in str(refused.value)


def test_a_row_that_has_moved_since_the_review_is_refused(run, class_folders, tmp_path):
  root = class_folders("cat", "dog", count=20)
  file = tmp_path / "new.csv"
  file.write_text(
    "origin,label,new_label\ncat/1.png,cat,dog\ndog/2.png,cat,dog\ndog/3.png,cat,cow\n"
  )
  with pytest.raises(BadInputError, match=r"other data: 'dog/3\.png' has the label 'dog', and"):
    run(
      root,
      relabel=str(file),
      relabelled_key="label",
      read_label="pipeline.problems.classes.read_label",
    )


def test_classes_are_mixed_in_the_files(run, class_folders):
  examples, _ = run(class_folders("cat", "dog", count=40))
  labels = [r["label"] for r in read_split(examples, "train")]
  changes = sum(labels[i] != labels[i - 1] for i in range(1, len(labels)))
  assert changes > len(labels) / 4


def test_equal_pictures_are_on_one_side(run, class_folders):
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


def test_given_splits_are_kept_and_val_comes_out_of_train(run, class_folders):
  root = class_folders("train/cat", "train/dog", "test/cat", "test/dog", count=25)
  examples, rejected = run(root)
  held_out = {f.read_bytes() for f in root.glob("test/*/*")}
  assert {r["image"] for r in read_split(examples, "eval")} == held_out
  counts = json.loads((rejected / "summary.json").read_text())["examples"]
  assert counts["eval"] == 50
  assert counts["train"] + counts["val"] == 50
  assert 3 <= counts["val"] <= 20


def test_a_handful_of_pictures_fills_every_split(run, class_folders):
  examples, rejected = run(class_folders("a", "b", count=3), val_fraction=0.1, eval_fraction=0.1)
  summary = json.loads((rejected / "summary.json").read_text())
  assert all(summary["examples"].values())
  assert sum(summary["examples"].values()) == 6
  assert set(summary["labels"]["train"]) == {"a", "b"}
  assert len(read_split(examples, "val")) == summary["examples"]["val"]


def test_a_split_of_fraction_zero_is_an_empty_file(run, class_folders):
  examples, rejected = run(class_folders("a", "b"), val_fraction=0.0)
  assert json.loads((rejected / "summary.json").read_text())["examples"]["val"] == 0
  assert read_split(examples, "val") == []


def test_without_a_label_key_nothing_is_counted(run, class_folders):
  _, rejected = run(class_folders("a", "b"), label_key="")
  labels = json.loads((rejected / "summary.json").read_text())["labels"]
  assert labels == {"train": {}, "val": {}, "eval": {}}


def test_the_summary_says_what_was_recognized_and_names_classes_that_were_not_read(
  run, class_folders
):
  root = class_folders("cat", "dog", "owl", count=4)
  for file in (root / "owl").iterdir():
    file.write_bytes(b"words")
  (root / "newt").mkdir()
  _, rejected = run(root)
  summary = json.loads((rejected / "summary.json").read_text())
  assert set().union(*summary["labels"].values()) == {"cat", "dog"}
  assert summary["recognized"]["layout"] == "folder"
  assert summary["recognized"]["classes"] == {"cat": 4, "dog": 4, "newt": 0, "owl": 4}
  assert "Warning: the class newt is empty." in summary["recognized"]["sentences"]


def test_nothing_usable_is_refused_with_the_reasons(run, class_folders):
  root = class_folders("cat", "dog", count=4)
  for file in root.glob("*/*"):
    file.write_bytes(b"\x89PNG\r\n\x1a\nwords")
  with pytest.raises(DataRefusedError) as caught:
    run(root)
  assert f"None of the 8 records of {root} can be used." in str(caught.value)
  assert str(caught.value).count(".png: cut off: the PNG has no end") == 5
  assert "and 3 more" in str(caught.value)


def test_an_input_that_changed_since_the_driver_looked_is_refused(run, class_folders):
  with pytest.raises(DlpipeError, match="changed while the run was starting"):
    run(class_folders("cat", "dog"), input_fingerprint="another")


def _edit(root):
  (root / "cat" / "0.png").write_bytes(b"\x89PNG other bytes")


def _add(root):
  (root / "cat" / "new.png").write_bytes((root / "cat" / "0.png").read_bytes())


@pytest.mark.parametrize(
  "change", [_edit, _add, lambda root: (root / "dog" / "1.png").unlink(), shutil.rmtree]
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_input_that_changes_while_it_is_read_is_refused(
  run, class_folders, monkeypatch, change, moment
):
  root = class_folders("cat", "dog", count=6)
  (root / "cat" / "0.png").write_bytes(b"\x89PNG")
  read_all = Executor._read_all

  def read_and_change(self, *args):
    if moment == "before":
      change(root)
    reports = read_all(self, *args)
    if moment == "after":
      change(root)
    return reports

  monkeypatch.setattr(Executor, "_read_all", read_and_change)
  with pytest.raises(DlpipeError, match="changed while it was read.*Run again") as caught:
    run(root)
  assert caught.value.exit_code == 1


def test_a_failure_of_an_input_that_did_not_change_is_said_as_it_is(
  run, class_folders, monkeypatch
):
  def fail(self, *args):
    raise ValueError("of another kind")

  monkeypatch.setattr(Executor, "_read_all", fail)
  with pytest.raises(ValueError, match="of another kind"):
    run(class_folders("cat", "dog"))


def test_copies_stop_at_the_limit_and_the_list_does_not(run, class_folders, monkeypatch):
  monkeypatch.setattr(quarantine, "KEPT_BYTES", 250)
  root = class_folders("cat", "dog", count=10)
  for i in range(4):
    (root / "cat" / f"bad{i}.png").write_bytes(b"x" * 100)
  _, rejected = run(root)
  rows = [json.loads(line) for line in (rejected / "rejected.jsonl").read_text().splitlines()]
  assert len(rows) == 4
  assert sum("file" in row for row in rows) == 2
  assert len(list((rejected / "files").iterdir())) == 2


def test_rejected_records_of_a_file_keep_their_bytes(run, tmp_path, make_picture):
  path = tmp_path / "x.tfrecord"
  with tf.io.TFRecordWriter(str(path)) as f:
    for i in range(30):
      example = tf.train.Example()
      example.features.feature["image"].bytes_list.value.append(
        make_picture(seed=i) if i else b"damaged"
      )
      example.features.feature["label"].int64_list.value.append(i % 2)
      f.write(example.SerializeToString())
  module = "pipeline.tasks.images.sources.tfrecord"
  _, rejected = run(path, plan_fn=f"{module}.plan", read_fn=f"{module}.read")
  (row,) = (json.loads(line) for line in (rejected / "rejected.jsonl").read_text().splitlines())
  assert row["origin"] == "x.tfrecord[0]"
  assert (rejected / row["file"]).read_bytes() == b"damaged"


def test_progress_is_reported(run, class_folders, caplog):
  with caplog.at_level(logging.INFO, logger="dlpipe.progress"):
    run(class_folders("cat", "dog", count=10))
  assert caplog.records[-1].dlpipe == {"records": 20, "quarantined": 0}


def test_fractions_that_leave_nothing_are_refused():
  with pytest.raises(BadInputError, match="together less than 1"):
    SourceExampleGen(
      plan_fn="x.plan",
      read_fn="x.read",
      data_path="x",
      options={},
      label_key="label",
      code_fingerprint="",
      val_fraction=0.5,
      eval_fraction=0.5,
    )


def test_an_unchanged_input_is_cached_and_a_changed_one_is_read_again(
  tmp_path, class_folders, make_picture
):
  root = class_folders("cat", "dog", count=12)
  metadata = sqlite_metadata_connection_config(str(tmp_path / "m.db"))

  def run_pipeline() -> list[int]:
    """Runs a pipeline of two nodes; returns the count of examples of every read."""
    source = SourceExampleGen(
      plan_fn=f"{FOLDER}.plan",
      read_fn=f"{FOLDER}.read",
      data_path=str(root),
      options={"max_pixels": 1000},
      label_key="label",
      code_fingerprint="1",
    )
    pipeline = Pipeline(
      pipeline_name="cache",
      pipeline_root=str(tmp_path / "root"),
      components=[source, StatisticsGen(examples=source.outputs["examples"])],
      metadata_connection_config=metadata,
      beam_pipeline_args=IN_PROCESS,
      enable_cache=True,
    )
    LocalDagRunner().run(pipeline)
    summaries = sorted((tmp_path / "root/SourceExampleGen/quarantine").glob("*/summary.json"))
    return [sum(json.loads(s.read_text())["examples"].values()) for s in summaries]

  assert run_pipeline() == [24]
  assert run_pipeline() == [24]
  (root / "cat" / "new.png").write_bytes(make_picture(seed=5000))
  assert run_pipeline() == [24, 25]
  statistics = list((tmp_path / "root/StatisticsGen/statistics").glob("*/Split-*/FeatureStats.pb"))
  assert len(statistics) == 6


def test_an_input_that_cannot_be_used_stops_before_anything_is_written(tmp_path):
  source = SourceExampleGen(
    plan_fn=f"{FOLDER}.plan",
    read_fn=f"{FOLDER}.read",
    data_path=str(tmp_path / "gone"),
    options={},
    label_key="label",
    code_fingerprint="1",
  )
  pipeline = Pipeline(
    pipeline_name="gone",
    pipeline_root=str(tmp_path / "root"),
    components=[source],
    metadata_connection_config=(sqlite_metadata_connection_config(str(tmp_path / "m.db"))),
  )
  with pytest.raises(BadInputError, match="Nothing exists at"):
    LocalDagRunner().run(pipeline)
  assert not list((tmp_path / "root").rglob("*.gz"))
