"""A run beside its repetition."""

import json
import math

import pytest

from pipeline.execution import node
from pipeline.runs import lineage, reproduction
from pipeline.runs.lineage import PastRun
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection


def _run(metrics, nodes=()):
  return PastRun(
    run_id="r1",
    task="images",
    started="",
    state="pushed",
    metrics=metrics,
    pushed_version=1,
    nodes=nodes,
  )


def _compare(before, after, tolerance=1e-6, packages=({}, {})):
  return reproduction.compare(
    (None, _run(before)), (None, _run(after)), packages=packages, tolerance=tolerance
  )


@pytest.mark.parametrize(
  ("before", "after", "is_equal"),
  [
    ({"accuracy": 0.5}, {"accuracy": 0.5}, True),
    ({"accuracy": 0.5}, {"accuracy": 0.5 + 1e-7}, True),
    ({"accuracy": 0.5}, {"accuracy": 0.5 + 1e-5}, False),
    ({"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.5, "loss": 2.0}, False),
    ({"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.5}, False),
    ({"accuracy": 0.5}, {"accuracy": 0.5, "loss": 1.0}, False),
    ({"accuracy": math.nan}, {"accuracy": math.nan}, True),
    ({"accuracy": math.nan}, {"accuracy": 0.5}, False),
    ({"accuracy": 0.5, "accuracy_diff": 0.1}, {"accuracy": 0.5}, True),
    ({}, {}, False),
  ],
)
def test_a_run_is_reproduced_where_every_metric_is_the_same(before, after, is_equal):
  assert _compare(before, after).is_equal is is_equal


def test_the_tolerance_is_the_callers():
  assert _compare({"loss": 1.0}, {"loss": 1.05}, tolerance=0.1).is_equal


def test_packages_of_other_versions_are_named():
  packages = ({"keras": "3.6", "tfx": "1.16", "gone": "1"}, {"keras": "3.7", "tfx": "1.16"})
  found = _compare({"loss": 1.0}, {"loss": 1.0}, packages=packages)
  assert found.packages == {"gone": ("1", None), "keras": ("3.6", "3.7")}
  assert json.loads(json.dumps(found.to_json()))["packages"]["keras"] == ["3.6", "3.7"]


def test_code_and_data_that_are_others_are_named_and_places_are_not(tmp_path, reader_pipeline):
  runs = []
  for name, code, data in (("a", "c1", "d1"), ("b", "c2", "d2"), ("c", "c1", "d1")):
    store = sqlite_connection(tmp_path / name / "metadata.db")
    pipeline = reader_pipeline(tmp_path / name, code=code, data=data, place=str(tmp_path / name))
    compiled = node.compile_pipeline(pipeline, "r1")
    for each in node.node_ids(compiled):
      node.run_node(compiled, each, store)
    runs.append(store)
  with open_store(runs[0]) as first, open_store(runs[1]) as other, open_store(runs[2]) as same:
    sides = [(handle, lineage.show_run(handle, "r1")) for handle in (first, other, same)]
    differs, equals = (
      reproduction.compare(sides[0], side, packages=({}, {}), tolerance=0.0) for side in sides[1:]
    )
  assert differs.nodes == {"Reader": ["code", "data"]}
  assert equals.nodes == {}
