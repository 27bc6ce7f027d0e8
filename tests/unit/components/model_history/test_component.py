"""The nodes around the history, called as TFX calls them."""

import json

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils import (
  parse_raw_artifact_dict,
)
from tfx.types import standard_artifacts

from components.model_history.component import ModelHistory, PreviousModel, RecordBlessing
from components.model_history.history import NO_MODEL_FILE


def _artifact(artifact_type, uri):
  artifact = artifact_type()
  artifact.uri = str(uri)
  return artifact


@pytest.fixture
def path(tmp_path):
  return tmp_path / "models.json"


def _blessing(blessed):
  blessing = standard_artifacts.ModelBlessing()
  blessing.set_int_custom_property("blessed", int(blessed))
  return blessing


def _judge(path, uri, *, blessed):
  model = _artifact(standard_artifacts.Model, uri)
  found = ModelHistory.test_call(candidate=model, history_path=str(path))
  RecordBlessing.test_call(candidate=model, blessing=_blessing(blessed), history_path=str(path))
  return found


def test_the_answer_is_the_blessed_model_before_the_candidate(path):
  assert _judge(path, "gs://b/1", blessed=True) == {"previous": ""}
  assert _judge(path, "gs://b/2", blessed=False) == {"previous": "gs://b/1"}
  assert _judge(path, "gs://b/3", blessed=True) == {"previous": "gs://b/1"}
  assert [entry["blessed"] for entry in json.loads(path.read_text())] == [True, False, True]


def test_a_blessing_that_came_through_a_backend_is_understood(path):
  # Kubeflow keeps properties as JSON, whose numbers are floats.
  told = {"type": {"schemaTitle": "tfx.ModelBlessing"}, "metadata": {"blessed": 1}}
  artifacts = json_format.ParseDict({"artifacts": [told]}, pipeline_spec_pb2.ArtifactList())
  [blessing] = parse_raw_artifact_dict({"blessing": artifacts})["blessing"]
  model = _artifact(standard_artifacts.Model, "gs://b/1")
  RecordBlessing.test_call(candidate=model, blessing=blessing, history_path=str(path))
  assert json.loads(path.read_text()) == [{"uri": "gs://b/1", "blessed": True}]


def test_the_model_points_to_the_one_found(tmp_path):
  model = _artifact(standard_artifacts.Model, tmp_path)
  PreviousModel.test_call(previous="gs://b/1", model=model)
  assert model.uri == "gs://b/1"
  assert list(tmp_path.iterdir()) == []


def test_no_model_is_a_file_that_says_so(tmp_path):
  model = _artifact(standard_artifacts.Model, tmp_path)
  PreviousModel.test_call(previous="", model=model)
  assert model.uri == str(tmp_path)
  assert [p.name for p in tmp_path.iterdir()] == [NO_MODEL_FILE]
