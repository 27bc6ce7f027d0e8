"""`SourceExampleGen` and `StatisticsGen` over windows of real tables and pictures."""

from __future__ import annotations

import csv
import json
import logging
import pathlib
import shutil

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.statistics_gen import executor as tfx_statistics
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts

from components.artifacts import Quarantine
from components.source_example_gen import origins
from components.spans import executor, kept, statistics, window
from dlpipe import progress
from dlpipe.errors import BadInputError, DataRefusedError
from dlpipe.records import SPLITS
from pipeline.beam.options import beam_args
from pipeline.settings.config import PipelineConfig

IN_PROCESS = beam_args(PipelineConfig(task="t", data_path="", workspace=""))
_CONTEXT = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=IN_PROCESS)
TABLE = "pipeline.tasks.sentiment.sources.table"
_SCHEMA = """
  feature { name: "text" type: BYTES presence { min_fraction: 1.0 } }
  feature { name: "label" type: BYTES presence { min_fraction: 1.0 } }
"""


class Inbox:
  """A folder of days, and runs over it."""

  def __init__(self, root: pathlib.Path):
    self.root = root
    self.runs = 0

  def day(self, day, rows):
    folder = self.root / "inbox" / f"2026-11-{day:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "reviews.csv", "w", newline="") as file:
      csv.writer(file).writerows([("text", "label"), *rows])
    return folder

  def run(self, count=None, **properties):
    """Reads the window; returns the examples and the folder of the quarantine."""
    self.runs += 1
    out = self.root / f"run{self.runs}"
    examples, rejected = standard_artifacts.Examples(), Quarantine()
    examples.uri, rejected.uri = str(out / "examples"), str(out / "quarantine")
    settings = window.Settings(window=count, last_span=None, root=str(self.root / "spans"))
    executor.Executor(_CONTEXT).Do(
      {},
      {"examples": [examples], "quarantine": [rejected]},
      {
        "plan_fn": f"{TABLE}.plan",
        "read_fn": f"{TABLE}.read",
        "data_path": str(self.root / "inbox" / "{date}"),
        "options": "{}",
        "label_key": "label",
        "code_fingerprint": "",
        "val_fraction": 0.2,
        "eval_fraction": 0.2,
        "spans": settings.to_text(),
        **properties,
      },
    )
    return examples, pathlib.Path(rejected.uri)


@pytest.fixture
def inbox(tmp_path):
  return Inbox(tmp_path)


def rows_of(day, count=40):
  return [(f"text {i} of day {day}", f"class {i % 2}") for i in range(count)]


def placed(examples):
  """Returns the split and the origin of each text."""
  found = {}
  for split in SPLITS:
    for file in sorted(pathlib.Path(artifact_utils.get_split_uri([examples], split)).glob("*.gz")):
      rows = tf.data.TFRecordDataset(str(file), compression_type="GZIP").as_numpy_iterator()
      named = origins.read(origins.path_beside(str(file)))
      for row, origin in zip(rows, named, strict=True):
        features = tf.train.Example.FromString(row).features.feature
        text = features["text"].bytes_list.value[0].decode()
        assert text not in found
        found[text] = split, origin.origin
  return found


def read_days(caplog):
  """Returns the days that were read since the last call."""
  said = [
    record.getMessage().split()[2]
    for record in caplog.records
    if record.getMessage().startswith("reading span")
  ]
  caplog.clear()
  return said


def test_a_new_day_is_read_alone_and_a_corrected_one_again(inbox, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  for day in (1, 2, 3):
    inbox.day(day, rows_of(day))
  inbox.run(3)
  assert read_days(caplog) == ["2026-11-01", "2026-11-02", "2026-11-03"]
  inbox.day(4, rows_of(4))
  examples, rejected = inbox.run(3)
  assert read_days(caplog) == ["2026-11-04"]
  found = placed(examples)
  assert {text[-1] for text in found} == {"2", "3", "4"}
  assert len(found) == 120
  assert found["text 7 of day 3"][1] == "2026-11-03/reviews.csv, row 9"
  summary = json.loads((rejected / "summary.json").read_text())
  assert [(span["name"], sum(span["examples"].values())) for span in summary["spans"]] == [
    ("2026-11-02", 40),
    ("2026-11-03", 40),
    ("2026-11-04", 40),
  ]
  assert summary["examples"] == {
    split: sum(where == split for where, _ in found.values()) for split in SPLITS
  }
  inbox.day(3, rows_of(3, count=30))
  examples, _ = inbox.run(3)
  assert read_days(caplog) == ["2026-11-03"]
  assert len(placed(examples)) == 110


def test_the_window_is_what_one_reading_of_all_rows_gives(inbox):
  for day in (1, 2, 3):
    inbox.day(day, rows_of(day))
  inbox.run(1)
  inbox.run(2)
  together, _ = inbox.run()
  shutil.rmtree(inbox.root / "spans")
  anew, _ = inbox.run()
  assert placed(together) == placed(anew)


def test_a_row_stays_in_its_split_in_every_window(inbox):
  where: dict[str, str] = {}
  for day in range(1, 9):
    # Every third day has a class that no other day has, in rows that may all be drawn into eval.
    rare = [(f"rare {i} of day {day}", "rare") for i in range(2)] if day % 3 == 0 else []
    inbox.day(day, [*rows_of(day, count=12), *rare])
    examples, _ = inbox.run(3)
    for text, (split, _) in placed(examples).items():
      assert where.setdefault(text, split) == split, text
  assert set(where.values()) == set(SPLITS)


def test_equal_contents_of_two_days_share_a_split(inbox):
  inbox.day(1, [*rows_of(1), ("the same", "class 0")])
  inbox.day(2, [*rows_of(2), ("the same", "class 0")])
  examples, _ = inbox.run()
  splits = set()
  for split in SPLITS:
    for file in pathlib.Path(artifact_utils.get_split_uri([examples], split)).glob("*.gz"):
      rows = tf.data.TFRecordDataset(str(file), compression_type="GZIP").as_numpy_iterator()
      splits |= {split for row in rows if b"the same" in row}
  assert len(splits) == 1


def test_a_day_of_one_class_is_read_and_an_empty_one_is_told(inbox):
  inbox.day(1, rows_of(1))
  inbox.day(2, [(f"text {i} of day 2", "class 0") for i in range(5)])
  (inbox.root / "inbox" / "2026-11-03").mkdir()
  (inbox.root / "inbox" / "2026-11-03" / "reviews.csv").write_text("")
  inbox.day(5, rows_of(5))
  _, rejected = inbox.run()
  summary = json.loads((rejected / "summary.json").read_text())
  seen = {span["name"]: span for span in summary["spans"]}
  assert list(seen) == [f"2026-11-0{day}" for day in (1, 2, 3, 4, 5)]
  assert sum(seen["2026-11-02"]["examples"].values()) == 5
  assert (seen["2026-11-03"]["examples"], seen["2026-11-03"]["is_missing"]) == ({}, False)
  assert seen["2026-11-04"]["is_missing"]


def test_a_day_with_a_header_alone_is_empty(inbox):
  for day in (1, 2):
    inbox.day(day, rows_of(day))
  inbox.day(3, [])
  examples, quarantine = inbox.run()
  assert len(placed(examples)) == 80
  summary = json.loads((quarantine / "summary.json").read_text())
  assert [sum(span["examples"].values()) for span in summary["spans"]] == [40, 40, 0]
  assert len(placed(inbox.run()[0])) == 80, "what is kept of it can be used"


def test_a_day_that_comes_twice_is_seen_by_its_contents(inbox):
  inbox.day(1, rows_of(1))
  inbox.day(2, [*reversed(rows_of(1)), ("one more", "class 0")])
  inbox.day(3, rows_of(3))
  _, rejected = inbox.run()
  summary = json.loads((rejected / "summary.json").read_text())
  assert [span["repeated"] for span in summary["spans"]] == [0.0, round(40 / 41, 4), 0.0]


def test_rejected_records_of_all_days_are_in_quarantine(inbox):
  inbox.day(1, [*rows_of(1), ("", "class 0")])
  inbox.day(2, [*rows_of(2), ("no label", "")])
  _, rejected = inbox.run()
  rows = [json.loads(line) for line in (rejected / "rejected.jsonl").read_text().splitlines()]
  assert [row["origin"] for row in rows] == [
    "2026-11-01/reviews.csv, row 42",
    "2026-11-02/reviews.csv, row 42",
  ]
  assert all((rejected / row["file"]).is_file() for row in rows)
  assert json.loads((rejected / "summary.json").read_text())["quarantined"] == 2


def test_a_day_in_another_format_is_refused_by_its_name(inbox):
  inbox.day(1, rows_of(1))
  folder = inbox.day(2, rows_of(2))
  (folder / "reviews.csv").write_text("when,what\n1,2\n")
  with pytest.raises(BadInputError, match=r"^Span 2026-11-02: "):
    inbox.run()


def test_a_window_without_a_usable_record_is_refused(inbox):
  inbox.day(1, [("", "class 0"), ("", "class 1")])
  with pytest.raises(DataRefusedError, match=r"2026-11-01/reviews\.csv, row 2"):
    inbox.run()


def test_new_labels_read_their_day_again_and_may_name_days_outside_of_the_window(
  inbox, caplog, tmp_path
):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  for day in (1, 2):
    inbox.day(day, rows_of(day))
  inbox.run(2)
  read_days(caplog)
  file = tmp_path / "new.csv"
  named = ["2026-11-02/reviews.csv, row 2", "2025-01-01/reviews.csv, row 9"]
  file.write_text("origin,new_label\n" + "".join(f'"{each}",class 1\n' for each in named))
  given = {
    "relabel": str(file),
    "relabelled_key": "label",
    "read_label": "pipeline.problems.classes.read_label",
  }
  inbox.run(2, **given)
  assert read_days(caplog) == ["2026-11-02"]
  file.write_text(file.read_text().replace("row 2", "row 3"))
  _, rejected = inbox.run(2, **given)
  assert read_days(caplog) == ["2026-11-02"]
  assert json.loads((rejected / "summary.json").read_text())["relabelled"] == 1
  # The first day alone has the class.
  inbox.day(1, [*rows_of(1), ("another", "class 2"), ("one more", "class 2")])
  file.write_text(f'origin,new_label\n"{named[0]}",class 2\n')
  inbox.run(2, **given)
  file.write_text(f'origin,new_label\n"{named[0]}",clas 2\n')
  with pytest.raises(BadInputError, match="Did you mean 'class 2'"):
    inbox.run(2, **given)
  file.write_text('origin,new_label\n"reviews.csv, row 2",class 1\n')
  with pytest.raises(BadInputError, match="names 1 of 1 records that the data does not have"):
    inbox.run(2, **given)


def _counted(examples, root, kind):
  schema, counted = standard_artifacts.Schema(), standard_artifacts.ExampleStatistics()
  schema.uri, counted.uri = str(root / "schema"), str(root / kind.__module__)
  pathlib.Path(schema.uri).mkdir(exist_ok=True)
  (pathlib.Path(schema.uri) / "schema.pbtxt").write_text(_SCHEMA)
  options = tfdv.StatsOptions(use_sketch_based_topk_uniques=True)
  kind(_CONTEXT).Do(
    {"examples": [examples], "schema": [schema]},
    {"statistics": [counted]},
    {"stats_options_json": options.to_json(), "exclude_splits": "[]"},
  )
  return {
    split: statistics_pb2.DatasetFeatureStatisticsList.FromString(
      pathlib.Path(artifact_utils.get_split_uri([counted], split), "FeatureStats.pb").read_bytes()
    )
    for split in SPLITS
  }


def test_the_sum_of_the_days_statistics_is_that_of_the_window(inbox, tmp_path):
  for day in (1, 2, 3):
    inbox.day(day, rows_of(day, count=60))
  examples, _ = inbox.run()
  ours = _counted(examples, tmp_path, statistics.Executor)
  # TFX's own, of the same files.
  theirs = _counted(examples, tmp_path, tfx_statistics.Executor)
  for split in SPLITS:
    one, other = ours[split].datasets[0], theirs[split].datasets[0]
    assert one.num_examples == other.num_examples
    features = [
      {feature.path.step[0]: feature for feature in each.features} for each in (one, other)
    ]
    assert features[0].keys() == features[1].keys() > {"text", "label"}
    for name, mine in features[0].items():
      assert text_format.MessageToString(mine) == text_format.MessageToString(features[1][name])


def test_only_a_new_day_is_counted(inbox, tmp_path, monkeypatch):
  counted = []
  count = statistics.Counting.count

  def noted(self, files):
    counted.extend(files)
    return count(self, files)

  monkeypatch.setattr(statistics.Counting, "count", noted)
  for day in (1, 2):
    inbox.day(day, rows_of(day))
    examples, _ = inbox.run(2)
    before = len(counted)
    found = _counted(examples, tmp_path, statistics.Executor)
  assert len(counted) - before == 3  # a file for each split of the second day
  assert sum(each.datasets[0].num_examples for each in found.values()) == 80
  store = kept.Store(str(inbox.root / "spans"))
  [folder] = [path for path in (store.root / "kept").iterdir() if kept.read(path).name[-1] == "2"]
  of_day = [
    statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    for path in folder.rglob("*.pb")
  ]
  assert sum(each.datasets[0].num_examples for each in of_day) == 40


def test_statistics_are_those_of_the_files_where_nothing_is_kept_any_more(inbox, tmp_path):
  inbox.day(1, rows_of(1))
  examples, _ = inbox.run()
  shutil.rmtree(inbox.root / "spans")
  found = _counted(examples, tmp_path, statistics.Executor)
  assert sum(each.datasets[0].num_examples for each in found.values()) == 40


def _files_of_days(inbox, days):
  """Writes each day as a file, and returns the pattern."""
  (inbox.root / "inbox").mkdir(exist_ok=True)
  for day, rows in days.items():
    with open(inbox.root / "inbox" / f"2026-11-{day:02d}.csv", "w", newline="") as file:
      csv.writer(file).writerows([("text", "label"), *rows])
  return str(inbox.root / "inbox" / "{date}.csv")


def test_days_that_are_equal_files_are_kept_apart(inbox, tmp_path):
  pattern = _files_of_days(inbox, {1: rows_of(1), 2: rows_of(1), 3: rows_of(3)})
  examples, _ = inbox.run(data_path=pattern)
  named = [
    each.origin.partition(",")[0]
    for path in (pathlib.Path(examples.uri) / "origins").rglob("*.gz")
    for each in origins.read(str(path))
  ]
  assert {name: named.count(name) for name in named} == {
    f"2026-11-0{day}.csv": 40 for day in (1, 2, 3)
  }
  _counted(examples, tmp_path, statistics.Executor)
  # The day that came twice is counted once in a window that has one of them.
  examples, _ = inbox.run(2, data_path=pattern)
  found = _counted(examples, tmp_path, statistics.Executor)
  assert sum(each.datasets[0].num_examples for each in found.values()) == 80


def test_new_labels_of_days_that_are_files_read_their_day_alone(inbox, caplog, tmp_path):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  pattern = _files_of_days(inbox, {day: rows_of(day) for day in (1, 2)})
  inbox.run(2, data_path=pattern)
  read_days(caplog)
  file = tmp_path / "new.csv"
  file.write_text(
    'origin,new_label\n"2026-11-02.csv, row 2",class 1\n"2025-01-01.csv, row 9",class 1\n'
  )
  given = {
    "relabel": str(file),
    "relabelled_key": "label",
    "read_label": "pipeline.problems.classes.read_label",
  }
  _, rejected = inbox.run(2, data_path=pattern, **given)
  assert read_days(caplog) == ["2026-11-02"]
  assert json.loads((rejected / "summary.json").read_text())["relabelled"] == 1
