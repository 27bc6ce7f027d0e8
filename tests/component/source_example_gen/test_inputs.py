"""Inputs that are refused, that change meanwhile, or whose records are rejected."""

from __future__ import annotations

import json
import shutil

import pytest
import tensorflow as tf
from tfx.components import StatisticsGen
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from components.source_example_gen import quarantine
from components.source_example_gen.component import SourceExampleGen
from components.source_example_gen.executor import Executor
from dlpipe.errors import BadInputError, DataRefusedError, DlpipeError
from pipeline.beam.options import beam_args
from pipeline.settings.config import PipelineConfig

FOLDER = "pipeline.tasks.images.sources.folder"
IN_PROCESS = beam_args(PipelineConfig(task="t", data_path="", workspace=""))


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
