"""A verdict of DriftGate is taken from the cache while it holds for what is served."""

import json
import pathlib
import shutil

import pytest
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.artifacts import Quarantine
from components.drift_gate import DataProfile, DriftGate
from dlpipe import nodes
from pipeline.drift import served
from pipeline.drift.comparing import Change
from pipeline.drift.profile import Profile
from pipeline.drift.verdict import Drift
from pipeline.execution import node
from pipeline.runs.store.metadata_stores import sqlite_connection

_CHANGE = Change(
  feature="width", sentence="width: other", value=1.0, bound=0.1, drifted=True, excess=1.0,
  rows=(1, 1), source="",
)  # fmt: skip


def profile(examples, quarantine, told):
  """The profile of data whose name is that of their folder."""
  found = Profile(rows=1, numbers={}, names={}, data=pathlib.Path(examples).name)
  return {Profile.FILE: found.to_text()}


def judge(profile_dir, examples, schema, served_from, past_file, told):
  """Finds a change if the served version was trained on other data."""
  now = Profile.read(pathlib.Path(profile_dir)).data
  version = served.find(pathlib.Path(served_from))
  before = version.profile.data if version else ""
  changes = (_CHANGE,) if before not in ("", now) else ()
  return Drift(severity="warn", data=now, reference=before, changes=changes)


@pytest.fixture
def compare(tmp_path):
  """Returns a function that runs both nodes on data; returns the gate's state."""
  runs = []

  def run(data):
    runs.append(data)
    imported = {}
    for name, kind in (
      (data, standard_artifacts.Examples),
      ("quarantine", Quarantine),
      ("schema", standard_artifacts.Schema),
    ):
      (tmp_path / name).mkdir(exist_ok=True)
      imported[name] = Importer(source_uri=str(tmp_path / name), artifact_type=kind).with_id(name)
    examples, quarantine, schema = (each.outputs["result"] for each in imported.values())
    measured = DataProfile(
      examples=examples, quarantine=quarantine, profile_fn=f"{__name__}.profile", told="{}"
    )
    gate = DriftGate(
      profile=measured.outputs["profile"],
      examples=examples,
      schema=schema,
      judge_fn=f"{__name__}.judge",
      served_from=str(tmp_path / "serving"),
      past_file="",
      told=json.dumps({}),
    )
    drawn = Pipeline(
      pipeline_name="test",
      pipeline_root=str(tmp_path / "artifacts"),
      components=[*imported.values(), measured, gate],
      enable_cache=True,
    )
    compiled = node.compile_pipeline(drawn, f"r{len(runs)}")
    store = sqlite_connection(tmp_path / "metadata.db")
    return [node.run_node(compiled, each, store) for each in node.node_ids(compiled)][-1].state

  return run


@pytest.fixture
def serve(tmp_path):
  """Returns a function that serves a version that was trained on data."""

  def version(number, data):
    folder = tmp_path / "serving" / str(number)
    folder.mkdir(parents=True)
    found = Profile(rows=1, numbers={}, names={}, data=data)
    (folder / Profile.FILE).write_text(found.to_text())

  return version


def test_after_a_push_the_same_data_are_no_news(compare, serve):
  assert compare("a") == nodes.COMPLETE
  assert compare("a") == nodes.CACHED
  serve(1, "a")
  assert compare("a") == nodes.CACHED


def test_what_is_served_now_is_compared_with(compare, serve, tmp_path):
  serve(1, "a")
  assert compare("b") == nodes.COMPLETE
  assert compare("b") == nodes.CACHED
  serve(2, "b")
  assert compare("b") == nodes.COMPLETE, "its warning would be about what is no longer served"
  assert compare("b") == nodes.CACHED
  serve(3, "c")
  assert compare("b") == nodes.COMPLETE
  shutil.rmtree(tmp_path / "serving")
  assert compare("b") == nodes.COMPLETE


def test_other_data_in_between_make_no_difference(compare, serve):
  assert compare("a") == nodes.COMPLETE
  serve(1, "a")
  assert compare("b") == nodes.COMPLETE
  serve(2, "b")
  assert compare("a") == nodes.COMPLETE, "a was never compared with b"
