"""The draw of `SourceExampleGen` over real tables: rare labels, shards, growth, contradictions."""

from __future__ import annotations

import collections
import csv
import json
import pathlib
import random

import pytest
import tensorflow as tf
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import Quarantine
from components.source_example_gen.executor import Executor
from dlpipe.records import SPLITS, Record, SourcePlan
from pipeline.beam.options import beam_args
from pipeline.settings.config import PipelineConfig
from pipeline.tasks.sentiment.sources import table

TABLE = "pipeline.tasks.sentiment.sources.table"
IN_PROCESS = beam_args(PipelineConfig(task="t", data_path="", workspace=""))


@pytest.fixture
def drawn(tmp_path):
  """Returns a function that writes rows of (text, label) into CSVs and reads them.

  It returns {(text, label): split} and {split: {label: count}}.
  """
  numbers = iter(range(100))

  def run(rows, files=1):
    root = tmp_path / str(next(numbers))
    (root / "data").mkdir(parents=True)
    for number in range(files):
      with open(root / "data" / f"part{number}.csv", "w", newline="") as f:
        csv.writer(f).writerows([("text", "label"), *rows[number::files]])
    examples, rejected = standard_artifacts.Examples(), Quarantine()
    examples.uri, rejected.uri = str(root / "examples"), str(root / "quarantine")
    Executor(base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=IN_PROCESS)).Do(
      {},
      {"examples": [examples], "quarantine": [rejected]},
      {
        "plan_fn": f"{TABLE}.plan",
        "read_fn": f"{TABLE}.read",
        "data_path": str(root / "data"),
        "options": "{}",
        "label_key": "label",
        "code_fingerprint": "",
        "val_fraction": 0.1,
        "eval_fraction": 0.1,
      },
    )
    placed = {}
    counts = {split: collections.Counter() for split in SPLITS}
    for split in SPLITS:
      folder = pathlib.Path(artifact_utils.get_split_uri([examples], split))
      records = tf.data.TFRecordDataset(
        sorted(str(f) for f in folder.iterdir()), compression_type="GZIP"
      )
      for record in records:
        features = tf.train.Example.FromString(record.numpy()).features.feature
        text, label = (features[k].bytes_list.value[0].decode() for k in ("text", "label"))
        placed[text, label] = split
        counts[split][label] += 1
    summary = json.loads(pathlib.Path(rejected.uri, "summary.json").read_text())
    assert summary["labels"] == {split: dict(sorted(c.items())) for split, c in counts.items()}
    assert sum(sum(c.values()) for c in counts.values()) == len(rows)
    return placed, counts

  return run


def rows_of(classes, each):
  return [(f"text number {i} about {c}", f"class {c}") for c in range(classes) for i in range(each)]


def test_two_thousand_labels_of_four_rows_are_all_in_train(drawn):
  rows = rows_of(2000, 4)
  placed, counts = drawn(rows, files=3)
  assert len(counts["train"]) == 2000
  assert 600 < sum(counts["eval"].values()) < 1000
  held_out = [key for key, split in placed.items() if split != "train"]
  assert 1400 < len(held_out) < 1800


def test_a_label_of_one_row_goes_to_train_alone(drawn):
  rows = rows_of(3, 100)
  for number in range(8):  # one in five of them would be held out
    rows.append((f"the only one {number}", f"single {number}"))
  _, counts = drawn(rows)
  assert set(counts["train"]) == {label for _, label in rows}
  assert set(counts["val"]) | set(counts["eval"]) == {"class 0", "class 1", "class 2"}


def test_neither_the_order_nor_the_files_of_the_rows_matter(drawn):
  rows = [*rows_of(200, 3), *((f"single {i}", f"lonely {i}") for i in range(40))]
  placed, _ = drawn(rows)
  random.Random(1).shuffle(rows)
  assert drawn(rows, files=5)[0] == placed


def test_one_text_is_on_one_side_whatever_its_labels(drawn):
  rows = [*rows_of(2, 50), *((f"text number {i} about 0", f"other {i}") for i in range(50))]
  placed, counts = drawn(rows, files=2)
  sides = collections.defaultdict(set)
  for (text, _), split in placed.items():
    sides[text].add(split)
  assert {len(splits) for splits in sides.values()} == {1}
  assert len(counts["train"]) == 52


def test_a_tenth_more_rows_move_none_of_the_old_ones(drawn):
  old, new = rows_of(30, 20), [(f"new {i}", f"class {i % 30}") for i in range(60)]
  before, after = drawn(old)[0], drawn(old + new, files=2)[0]
  assert {key: after[key] for key in before} == before


def test_a_shard_that_gives_up_its_only_held_out_row_leaves_no_file_behind(drawn, monkeypatch):
  rows = [*rows_of(2, 10), *((f"the only one {i}", f"single {i}") for i in range(12))]

  def plan(path, options):
    del path, options
    return SourcePlan(shards=[{"row": row} for row in rows], fingerprint="one shard a row")

  def read(shard, options):
    del options
    text, label = shard["row"]
    features = {"text": text, "label": label}
    yield Record(features=features, content=text.encode(), split=None, origin=text)

  monkeypatch.setattr(table, "plan", plan)
  monkeypatch.setattr(table, "read", read)
  _, counts = drawn(rows)  # which counts what lies in all files
  assert set(counts["train"]) == {label for _, label in rows}
