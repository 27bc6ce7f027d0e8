"""`DataProfile` and `DriftGate`: what they write, and that a change stops the run if it is to."""

import json
import pathlib

import pytest
from tfx.types import standard_artifacts

from components.artifacts import DriftVerdict, Profile, Quarantine
from components.drift_gate import REFERENCE, DataProfile, DriftGate
from dlpipe.errors import DataRefusedError
from pipeline.drift.comparing import Change
from pipeline.drift.verdict import Drift

_CHANGE = Change(
  feature="brightness",
  sentence="brightness: median 0.52 -> 0.21",
  value=0.4,
  bound=0.03,
  drifted=True,
  excess=0.39,
  rows=(100, 100),
  source="",
)


def judge(profile, examples, schema, served_from, past_file, told):
  """Stands for the comparison; says what it was given."""
  given = f"{profile} {examples} {schema} {served_from} {past_file}"
  return Drift(**told, version=3, reference=given, changes=(_CHANGE,))


def measure(examples, quarantine, told):
  return {"data_profile.json": json.dumps([examples, quarantine, told]), "other.json": "{}"}


def _artifact(kind, uri):
  artifact = kind()
  artifact.uri = str(uri)
  return artifact


@pytest.fixture
def gate(tmp_path):
  """Returns a function that runs the gate with a severity; returns the verdict's artifact."""

  def run(severity):
    verdict = _artifact(DriftVerdict, tmp_path)
    DriftGate.test_call(
      profile=_artifact(Profile, "p"),
      examples=_artifact(standard_artifacts.Examples, "e"),
      schema=_artifact(standard_artifacts.Schema, "s"),
      verdict=verdict,
      judge_fn=f"{__name__}.judge",
      served_from="v",
      past_file="d",
      told=json.dumps({"severity": severity}),
    )
    return verdict

  return run


def test_a_change_is_written_and_passes_if_it_is_to_warn(gate):
  verdict = gate("warn")
  found = Drift.read(pathlib.Path(verdict.uri))
  assert found.drifted == (_CHANGE,)
  assert verdict.get_string_custom_property(REFERENCE) == "p e s v d"


def test_a_change_stops_the_run_if_it_is_to_refuse(gate, tmp_path):
  with pytest.raises(DataRefusedError, match=r"brightness: median 0.52 -> 0.21 \(0.4 bits"):
    gate("refuse")
  assert list(tmp_path.iterdir()) == []


def test_the_profile_is_written_as_it_is_measured(tmp_path):
  profile = _artifact(Profile, tmp_path)
  DataProfile.test_call(
    examples=_artifact(standard_artifacts.Examples, "e"),
    quarantine=_artifact(Quarantine, "q"),
    profile=profile,
    profile_fn=f"{__name__}.measure",
    told='{"a": 1}',
  )
  assert json.loads((tmp_path / "data_profile.json").read_text()) == ["e", "q", {"a": 1}]
  assert (tmp_path / "other.json").exists()
